//! The conversions of relibc's long double, where their tests can run.
#![feature(f128)]

#[path = "../../../../../patches/relibc/long_double.rs"]
pub mod long_double;

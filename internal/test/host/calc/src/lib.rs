//! The calculator that patches/ion puts into ion, and nothing else.

#[path = "../../../../../patches/ion/calc.rs"]
mod calc;

pub use calc::*;

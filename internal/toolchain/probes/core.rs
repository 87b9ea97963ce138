// As much of core as the probes need. A probe is compiled for a target that
// has no standard library yet, so it brings its own.
#![feature(no_core, lang_items, rustc_attrs, f128, c_variadic)]
#![no_core]
#![allow(internal_features, dead_code, unused_macros)]

#[lang = "pointee_sized"]
pub trait PointeeSized {}
#[lang = "meta_sized"]
pub trait MetaSized: PointeeSized {}
#[lang = "sized"]
pub trait Sized: MetaSized {}
#[lang = "copy"]
pub trait Copy {}
impl Copy for f128 {}
impl<T: PointeeSized> Copy for &T {}
#[lang = "legacy_receiver"]
pub trait LegacyReceiver {}
impl<T: PointeeSized> LegacyReceiver for &T {}
#[lang = "partial_ord"]
pub trait PartialOrd<R: PointeeSized = Self>: PointeeSized {
    fn lt(&self, other: &R) -> bool;
}
impl PartialOrd for f128 {
    fn lt(&self, other: &f128) -> bool {
        *self < *other
    }
}
#[rustc_builtin_macro]
macro_rules! asm {
    () => {};
}
#[rustc_builtin_macro]
macro_rules! global_asm {
    () => {};
}

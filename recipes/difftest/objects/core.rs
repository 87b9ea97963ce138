// As much of core as the objects need, put in front of each: they are compiled without any library.
#![feature(no_core, lang_items, rustc_attrs, auto_traits)]
#![no_core]
#![allow(internal_features, dead_code, unused_macros)]

#[lang = "pointee_sized"]
pub trait PointeeSized {}
#[lang = "meta_sized"]
pub trait MetaSized: PointeeSized {}
#[lang = "sized"]
pub trait Sized: MetaSized {}
#[lang = "sync"]
pub unsafe trait Sync {}
unsafe impl Sync for u64 {}
#[lang = "freeze"]
unsafe auto trait Freeze {}
#[lang = "copy"]
pub trait Copy {}
impl Copy for u64 {}
#[rustc_builtin_macro]
macro_rules! global_asm {
    () => {};
}
// What the collector asks for where there is a static.
#[lang = "drop_in_place"]
unsafe fn drop_in_place<T: PointeeSized>(_: *mut T) {}

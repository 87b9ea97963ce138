//! Shows: casts of f128 to integers of 8 and 16 bits, whose helper function returns 32. Patch 0008-f128-to-small-int.
//! Without it: the compiler panics ("IncompatibleSignature" for __fixunstfsi or __fixtfsi) as soon as a crate has two
//! such casts to different types; with only one of them the helper is declared with a result of 8 or 16 bits.
//! Expected: saturated as the language says, NaN 0.
#![feature(f128)]
#![no_std]
#![no_main]
use core::ffi::c_int;
use core::hint::black_box;
use difftest_rt::{case, put};

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let mut c = case("cg-clif", "f128-to-small-int");
    for a in [0f128, -0.0, 1.9, -1.9, 127.0, 128.0, -128.0, -129.0, 255.9, 256.0, 32767.0, 40000.0, -40000.0, 65535.0, 65536.0, 1e30, f128::NAN] {
        let a = black_box(a);
        put!(c, "{},{},{},{},{},{}", a as u8, a as i8, a as u16, a as i16, a as u32, a as i32);
    }
    0
}

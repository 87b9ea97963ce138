//! Shows: comparisons of f128, whose helper functions return i32 on aarch64. Patch 0002-f128-compare.
//! Without it: compiler_builtins itself does not compile ("IncompatibleSignature" for __letf2) on a host that is not aarch64.
//! Expected: lt/le/gt/ge/eq/ne of the pairs as IEEE 754 says, unordered all false but ne.
#![feature(f128)]
#![no_std]
#![no_main]
use core::ffi::c_int;
use core::hint::black_box;
use difftest_rt::{case, put};

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let mut c = case("cg-clif", "f128-compare");
    let nan = f128::NAN;
    for (a, b) in [(1f128, 2f128), (2f128, 1f128), (-0f128, 0f128), (nan, 1f128), (1f128, nan), (f128::NEG_INFINITY, f128::MIN), (-3f128, -2.5f128)] {
        let (a, b) = (black_box(a), black_box(b));
        put!(c, "{} {} {} {} {} {}", a < b, a <= b, a > b, a >= b, a == b, a != b);
    }
    0
}

//! Shows: a call of a variadic function with f64 arguments, in registers and on the stack. Patch 0006-variadic-call-floats.
//! The callees are LLVM's, in foreign.
//! Without it: error "Non int ty types::F64 for variadic call".
//! Expected: 1.5 5.5 33
#![no_std]
#![no_main]
use core::ffi::c_int;
use core::hint::black_box;
use difftest_rt::{case, put};

#[link(name = "foreign_llvm", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {
    fn foreign_mean(n: c_int, ...) -> f64;
    fn foreign_mixed(n: c_int, ...) -> f64;
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let mut c = case("cg-clif", "variadic-call-float");
    let one = black_box(1f64);
    unsafe {
        put!(c, "{}", foreign_mean(2, one, 2f64));
        put!(c, "{}", foreign_mean(10, one, 2f64, 3f64, 4f64, 5f64, 6f64, 7f64, 8f64, 9f64, 10f64));
        put!(c, "{}", foreign_mixed(3, 1i64, one, 10i64, 20f64, -2i64, 3f64));
    }
    0
}

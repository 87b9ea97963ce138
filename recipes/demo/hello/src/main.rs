//! hello: the smallest program, printing by a variadic call into libc.

#![no_std]
#![no_main]

use core::ffi::{c_char, c_int};

use demo_rt as rt;

#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, _argv: *const *const c_char) -> c_int {
    unsafe { rt::mini_printf(c"hello: %s from EL0, argc=%d\n".as_ptr(), c"hello".as_ptr(), argc) };
    0
}

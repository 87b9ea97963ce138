//! args: echoes its arguments and one variable of the environment, and exits with the number of arguments, so
//! that whoever started it sees that both directions work.

#![no_std]
#![no_main]

use core::ffi::{c_char, c_int};

use demo_rt as rt;

#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    for (i, arg) in unsafe { rt::args(argc, argv) }.iter().enumerate() {
        rt::println!("args: {i} {arg}");
    }
    rt::println!("args: NONCE={}", rt::env("NONCE").unwrap_or(""));
    argc
}

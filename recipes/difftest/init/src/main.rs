//! Runs the programs that the host asks for (`programs=PATH+PATH…`, below bin/), and says how each ended:
//!
//! ```text
//! begin PATH
//! …                    what the program prints
//! exit STATUS PATH
//! difftest: done nonce=NONCE
//! ```

#![no_std]
#![no_main]

extern crate alloc;

use alloc::format;
use core::ffi::c_int;

use difftest_rt::{nonce, println, run, setting};

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    for program in setting("programs").unwrap_or("").split('+') {
        let path = format!("bin/{program}");
        println!("begin {path}");
        let status = run(&path);
        println!("exit {status} {path}");
    }
    println!("difftest: done nonce={}", nonce().split(',').next().unwrap_or(""));
    0
}

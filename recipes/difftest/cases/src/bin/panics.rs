//! The end of a program that panics: no unwinding, no destructors, the message with its place, the exit status.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::ffi::c_int;
use core::hint::black_box;

use difftest_rt::{case, println, put};

struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        println!("case panic/unwound: a destructor ran");
    }
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let mut c = case("panic", "before");
    put!(c, "reached");
    drop(c);
    let _loud = Loud;
    let numbers: Vec<u32> = (0..black_box(5)).collect();
    let sum: u32 = numbers.iter().sum();
    // Index 10 of 5.
    numbers[black_box(sum as usize)] as c_int
}

//! Shows: assembly in a crate for a JSON target. Patch 0001-asm-json-target.
//! Without it: does not compile ("custom targets are unstable and require `-Zunstable-options`"); nothing with core does.
//! Expected: asm 42
#![no_std]
#![no_main]
use core::arch::asm;
use core::ffi::c_int;
use difftest_rt::{case, put};

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let mut c = case("cg-clif", "asm-json-target");
    let x: u64;
    unsafe { asm!("add {0}, {1}, #2", out(reg) x, in(reg) 40u64) };
    put!(c, "asm {x}");
    0
}

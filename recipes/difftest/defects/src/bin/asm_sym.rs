//! Shows: `sym` operands that name functions and statics which nothing else can reach: in asm!, global_asm! and a naked
//! function, of an ordinary, a generic and a variadic function. Patch 0003-asm-sym.
//! Without it: error "asm! and global_asm! sym operands are not yet supported"; with only the check removed: undefined
//! symbol at link time (`private`, `twice`), or, for asm!, another address than the function's own.
//! Expected: tramp 108 / naked 14 / inline 16 / generic 30 / count 5 / same true / variadic 6
#![feature(c_variadic)]
#![no_std]
#![no_main]
use core::arch::{asm, global_asm, naked_asm};
use core::ffi::c_int;
use core::hint::black_box;
use difftest_rt::{case, put};

static mut COUNT: u64 = 5;

#[inline(never)]
extern "C" fn private(x: u64) -> u64 {
    // Large enough not to be copied into other codegen units.
    let mut sum = 1;
    for i in 0..black_box(x) {
        sum += if i % 3 == 0 { i } else { i ^ 1 };
    }
    sum
}
extern "C" fn twice(x: u64) -> u64 {
    x * 2
}
extern "C" fn add<const N: u64>(x: u64) -> u64 {
    x + N
}
unsafe extern "C" fn three(n: u64, mut args: ...) -> u64 {
    n + unsafe { args.arg::<u64>() + args.arg::<u64>() }
}

global_asm!(
    ".text", ".globl cg_clif_tramp", "cg_clif_tramp:", "b {private}",
    ".data", ".p2align 3", ".globl cg_clif_count", "cg_clif_count: .quad {count}", ".text",
    private = sym private, count = sym COUNT,
);
unsafe extern "C" {
    safe fn cg_clif_tramp(x: u64) -> u64;
    static cg_clif_count: *const u64;
}

#[unsafe(naked)]
extern "C" fn naked(x: u64) -> u64 {
    naked_asm!("b {}", sym twice)
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let mut c = case("cg-clif", "asm-sym");
    put!(c, "tramp {}", cg_clif_tramp(15));
    put!(c, "naked {}", naked(7));
    let (inline, generic, variadic): (u64, u64, u64);
    let address: usize;
    unsafe {
        asm!("bl {}", sym twice, inout("x0") 8u64 => inline, clobber_abi("C"));
        asm!("bl {}", sym add::<20>, inout("x0") 10u64 => generic, clobber_abi("C"));
        asm!("bl {}", sym three, inout("x0") 1u64 => variadic, in("x1") 2u64, in("x2") 3u64, clobber_abi("C"));
        asm!("adrp {0}, {1}", "add {0}, {0}, :lo12:{1}", out(reg) address, sym private);
    }
    put!(c, "inline {inline}");
    put!(c, "generic {generic}");
    put!(c, "count {}", unsafe { *cg_clif_count });
    put!(c, "same {}", address == private as *const () as usize);
    put!(c, "variadic {variadic}");
    0
}

//! The demo's C library: start-up code, system calls, memory, variadic printing.
//!
//! It is the counterpart of relibc in this small world and has the property that makes relibc special: it *defines*
//! variadic functions, which Cranelift cannot compile (rustc_codegen_cranelift#1677). So this archive is built
//! by LLVM, and programs built by Cranelift call into it. Names start with `mini_` where C has a function
//! of the same name: LLVM knows the C names and would fold the very calls the canaries want to see.

#![no_std]
#![feature(c_variadic)]

use core::ffi::{c_char, c_int, c_void};

use demo_abi as abi;
// Only for its symbols: memcpy and friends become part of libc.a.
use demo_mem as _;

mod print;
mod start;

pub use print::{mini_printf, mini_snprintf};

/// Writes to the serial line; `fd` is 1 or 2.
///
/// # Safety
/// As in C: `n` bytes must be readable at `buf`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mini_write(fd: c_int, buf: *const c_void, n: usize) -> isize {
    if fd != 1 && fd != 2 {
        return abi::EINVAL;
    }
    unsafe { abi::syscall(abi::SYS_WRITE, buf as usize, n, 0) }
}

/// Ends the process at once, without running destructors.
#[unsafe(no_mangle)]
pub extern "C" fn mini_exit(status: c_int) -> ! {
    // A process that cannot exit has nothing better to do than to fault, which the kernel reports.
    unsafe {
        abi::syscall(abi::SYS_EXIT, status as usize, 0, 0);
        core::arch::asm!("brk #2", options(noreturn))
    }
}

/// Fresh zeroed pages for at least `len` bytes, or null. There is no way to give them back: the kernel does
/// that when the process ends.
#[unsafe(no_mangle)]
pub extern "C" fn mini_map(len: usize) -> *mut c_void {
    use core::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(abi::HEAP_BASE);

    let Some(len) = len.checked_next_multiple_of(abi::PAGE).filter(|&len| len > 0) else {
        return core::ptr::null_mut();
    };
    let addr = NEXT.load(Ordering::Relaxed);
    let got = unsafe { abi::syscall(abi::SYS_MAP, addr, len, abi::PROT_R | abi::PROT_W) };
    if got < 0 {
        return core::ptr::null_mut();
    }
    NEXT.store(addr + len, Ordering::Relaxed);
    addr as *mut c_void
}

/// Runs the program `argv[0]` to its end and returns its exit status, or a negative error. `block` holds the
/// arguments one after the other, each NUL-terminated, `len` bytes together.
///
/// # Safety
/// `len` bytes must be readable at `block`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mini_spawn(block: *const c_char, len: usize) -> isize {
    unsafe { abi::syscall(abi::SYS_SPAWN, block as usize, len, 0) }
}

/// Nanoseconds since power-on.
#[unsafe(no_mangle)]
pub extern "C" fn mini_time() -> u64 {
    unsafe { abi::syscall(abi::SYS_TIME, 0, 0, 0) as u64 }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    print::to_serial(format_args!("PANIC: libc: {info}\n"));
    mini_exit(abi::EXIT_PANIC as c_int)
}

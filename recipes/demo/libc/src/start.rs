//! From `_start` to `main` and out again.

use core::ffi::{c_char, c_int, c_void};

use crate::{mini_exit, mini_map};

/// Auxiliary vector keys (System V ABI).
const AT_PHDR: usize = 3;
const AT_PHNUM: usize = 5;

const PT_TLS: u32 = 7;

/// The environment, as in C.
#[unsafe(no_mangle)]
pub static mut environ: *const *const c_char = core::ptr::null();

#[repr(C)]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: usize,
    vaddr: usize,
    paddr: usize,
    file_size: usize,
    mem_size: usize,
    align: usize,
}

type Hook = unsafe extern "C" fn();

unsafe extern "C" {
    // Defined by the linker around the sections of the same names.
    static __init_array_start: [Hook; 0];
    static __init_array_end: [Hook; 0];
    static __fini_array_start: [Hook; 0];
    static __fini_array_end: [Hook; 0];

    // crti.o and crtn.o
    fn _init();
    fn _fini();

    // the program
    fn main(argc: c_int, argv: *const *const c_char, envp: *const *const c_char) -> c_int;
}

/// Called by crt0.o with the initial stack: argc, argv..., null, envp..., null, auxv....
#[unsafe(no_mangle)]
unsafe extern "C" fn __libc_start(stack: *const usize) -> ! {
    unsafe {
        let argc = *stack;
        let argv = stack.add(1).cast::<*const c_char>();
        let envp = argv.add(argc + 1);
        environ = envp;
        let mut end = envp;
        while !(*end).is_null() {
            end = end.add(1);
        }
        thread_local_storage(end.add(1).cast());

        _init();
        hooks((&raw const __init_array_start).cast(), (&raw const __init_array_end).cast());
        let status = main(argc as c_int, argv, envp);
        hooks((&raw const __fini_array_start).cast(), (&raw const __fini_array_end).cast());
        _fini();
        mini_exit(status)
    }
}

unsafe fn hooks(mut hook: *const Hook, end: *const Hook) {
    while hook != end {
        unsafe {
            (*hook)();
            hook = hook.add(1);
        }
    }
}

/// Gives the only thread its block: TLS variant I, the thread pointer at a control block of two words, the
/// segment's copy behind it at the program's own alignment.
unsafe fn thread_local_storage(mut auxv: *const [usize; 2]) {
    let (mut headers, mut count) = (core::ptr::null::<ProgramHeader>(), 0);
    unsafe {
        while (*auxv)[0] != 0 {
            match *auxv {
                [AT_PHDR, addr] => headers = addr as *const ProgramHeader,
                [AT_PHNUM, n] => count = n,
                _ => {}
            }
            auxv = auxv.add(1);
        }
        for i in 0..count {
            let header = &*headers.add(i);
            if header.kind != PT_TLS {
                continue;
            }
            let mask = header.align.max(1) - 1;
            let offset = 16 + (header.vaddr.wrapping_sub(16) & mask);
            // A page is aligned enough for any segment a page-wise loader can load.
            let block = mini_map(offset + header.mem_size).cast::<u8>();
            if block.is_null() {
                mini_exit(crate::abi::EXIT_NOT_LOADABLE as c_int);
            }
            core::ptr::copy_nonoverlapping(header.vaddr as *const u8, block.add(offset), header.file_size);
            set_thread_pointer(block.cast());
        }
    }
}

unsafe fn set_thread_pointer(block: *mut c_void) {
    unsafe { core::arch::asm!("msr tpidr_el0, {}", in(reg) block, options(nostack, preserves_flags)) }
}

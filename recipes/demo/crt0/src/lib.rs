//! crt0.o: where the kernel, or whoever loads a program, enters it. Owns `_start` and nothing else: the
//! initial stack (argc, argv, envp, auxv) goes to libc as it is, like relibc's crt0 does it.

#![no_std]

core::arch::global_asm!(
    ".section .text._start, \"ax\", %progbits",
    ".globl _start",
    ".type _start, %function",
    "_start:",
    "mov x29, xzr",
    "mov x30, xzr",
    "mov x0, sp",
    "and sp, x0, #-16",
    "bl __libc_start",
    "brk #1",
    ".size _start, . - _start",
);

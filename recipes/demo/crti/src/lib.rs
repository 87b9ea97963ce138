//! crti.o: the beginnings of `_init` and `_fini`, whose ends are in crtn.o. Between the two the linker puts
//! what other objects have in .init and .fini, so the order on the link line (crti.o first, crtn.o
//! last) is part of the contract, and a program in which one of them is missing or doubled
//! does not come back from `_init`.

#![no_std]

core::arch::global_asm!(
    ".section .init, \"ax\", %progbits",
    ".globl _init",
    ".type _init, %function",
    "_init:",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    ".section .fini, \"ax\", %progbits",
    ".globl _fini",
    ".type _fini, %function",
    "_fini:",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
);

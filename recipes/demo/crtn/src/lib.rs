//! crtn.o: the ends of `_init` and `_fini`; see crti.

#![no_std]

core::arch::global_asm!(
    ".section .init, \"ax\", %progbits",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".section .fini, \"ax\", %progbits",
    "ldp x29, x30, [sp], #16",
    "ret",
);

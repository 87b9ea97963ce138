//! From reset to Rust, and the exception vectors. Owns the assembly.
//!
//! The translation regime is as small as it gets: 39-bit addresses in TTBR0 only, three entries in the top table.
//! Entry 0 (0 to 1 GiB) is user space and changes with the process; entry 1 is RAM, mapped one to one; entry 2
//! (2 to 3 GiB) shows the devices at physical 0. The last two are for EL1 only.

use core::arch::{asm, global_asm};

global_asm!(
    r#"
    .section .text.boot, "ax", %progbits
    .globl _start
_start:
    msr     daifset, #0xf
    // QEMU zeroed .bss when it loaded the file, and starts one processor only.
    adrp    x1, boot_table
    add     x1, x1, :lo12:boot_table
    msr     ttbr0_el1, x1
    ldr     x1, =0x00000000000004ff     // attribute 0: normal, write-back; 1: device-nGnRE
    msr     mair_el1, x1
    ldr     x1, =0x0000000100803519     // T0SZ 25, inner shareable, write-back, 4K, no TTBR1, 36 bits
    msr     tcr_el1, x1
    mov     x1, #(3 << 20)              // EL0 may use FP and NEON; the kernel does not
    msr     cpacr_el1, x1
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    tlbi    vmalle1
    ic      iallu
    dsb     sy
    isb
    ldr     x1, =0x30d5181d             // MMU, caches, stack alignment checks; EL0: wfi, wfe as nops
    msr     sctlr_el1, x1
    isb

    // The frame of the first entry into EL0 is at the top of the stack, like that of every exception.
    adrp    x0, __stack_top
    add     x0, x0, :lo12:__stack_top
    sub     x0, x0, #288
    mov     sp, x0
    mov     x29, xzr
    mov     x30, xzr
    bl      kernel_main

leave:
    ldp     x0, x1, [sp, #248]          // sp_el0, elr
    ldp     x2, x3, [sp, #264]          // spsr, tpidr
    msr     sp_el0, x0
    msr     elr_el1, x1
    msr     spsr_el1, x2
    msr     tpidr_el0, x3
    ldp     x0, x1, [sp, #0]
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x19, [sp, #144]
    ldp     x20, x21, [sp, #160]
    ldp     x22, x23, [sp, #176]
    ldp     x24, x25, [sp, #192]
    ldp     x26, x27, [sp, #208]
    ldp     x28, x29, [sp, #224]
    ldr     x30, [sp, #240]
    add     sp, sp, #288
    eret

    .macro  enter kind
    .balign 0x80
    sub     sp, sp, #288
    stp     x0, x1, [sp, #0]
    mov     x0, #\kind
    b       enter_el0
    .endm

    .macro  unexpected kind
    .balign 0x80
    mov     x0, #\kind
    b       enter_broken
    .endm

enter_el0:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x1, sp_el0
    stp     x30, x1, [sp, #240]
    mrs     x1, elr_el1
    mrs     x2, spsr_el1
    stp     x1, x2, [sp, #256]
    mrs     x1, tpidr_el0
    str     x1, [sp, #272]
    mov     x1, sp
    mov     x29, xzr
    mov     x30, xzr
    bl      exception_from_el0
    b       leave

    // The kernel itself failed, maybe by its stack: take a fresh one, report, power off.
enter_broken:
    adrp    x1, __stack_top
    add     x1, x1, :lo12:__stack_top
    mov     sp, x1
    mrs     x1, esr_el1
    mrs     x2, elr_el1
    mrs     x3, far_el1
    mov     x29, xzr
    mov     x30, xzr
    bl      exception_unexpected

    .balign 0x800
vectors:
    unexpected 0
    unexpected 1
    unexpected 2
    unexpected 3
    unexpected 4
    unexpected 5
    unexpected 6
    unexpected 7
    enter      8
    enter      9
    unexpected 10
    unexpected 11
    unexpected 12
    unexpected 13
    unexpected 14
    unexpected 15
    .balign 0x80

    // The kernel is compiled without FP registers; these two are the only code that touches them.
    .arch_extension fp
    .arch_extension simd
    .globl fp_save
fp_save:
    stp     q0, q1, [x0, #0]
    stp     q2, q3, [x0, #32]
    stp     q4, q5, [x0, #64]
    stp     q6, q7, [x0, #96]
    stp     q8, q9, [x0, #128]
    stp     q10, q11, [x0, #160]
    stp     q12, q13, [x0, #192]
    stp     q14, q15, [x0, #224]
    stp     q16, q17, [x0, #256]
    stp     q18, q19, [x0, #288]
    stp     q20, q21, [x0, #320]
    stp     q22, q23, [x0, #352]
    stp     q24, q25, [x0, #384]
    stp     q26, q27, [x0, #416]
    stp     q28, q29, [x0, #448]
    stp     q30, q31, [x0, #480]
    mrs     x1, fpcr
    mrs     x2, fpsr
    add     x0, x0, #512
    stp     x1, x2, [x0]
    ret

    .globl fp_restore
fp_restore:
    ldp     q0, q1, [x0, #0]
    ldp     q2, q3, [x0, #32]
    ldp     q4, q5, [x0, #64]
    ldp     q6, q7, [x0, #96]
    ldp     q8, q9, [x0, #128]
    ldp     q10, q11, [x0, #160]
    ldp     q12, q13, [x0, #192]
    ldp     q14, q15, [x0, #224]
    ldp     q16, q17, [x0, #256]
    ldp     q18, q19, [x0, #288]
    ldp     q20, q21, [x0, #320]
    ldp     q22, q23, [x0, #352]
    ldp     q24, q25, [x0, #384]
    ldp     q26, q27, [x0, #416]
    ldp     q28, q29, [x0, #448]
    ldp     q30, q31, [x0, #480]
    add     x0, x0, #512
    ldp     x1, x2, [x0]
    msr     fpcr, x1
    msr     fpsr, x2
    ret

    .section .data.boot_table, "aw", %progbits
    .balign 4096
    .globl boot_table
boot_table:
    .quad   0
    .quad   0x0040000040000701          // RAM: block, attribute 0, EL1 only, inner shareable, not for EL0
    .quad   0x0060000000000405          // devices: block, attribute 1, never executable
    .fill   509, 8, 0
    .previous
"#
);

/// The level the kernel runs at: EL1, unless QEMU was told otherwise.
pub fn exception_level() -> u64 {
    let level: u64;
    unsafe { asm!("mrs {}, CurrentEL", out(reg) level, options(nomem, nostack)) };
    level >> 2 & 3
}

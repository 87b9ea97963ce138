//! Exceptions. From EL0: a system call, the watchdog, or a fault, which ends everything. From EL1: a bug here.

use crate::serial::println;
use crate::{power, process, syscall};

/// The registers of EL0, as `boot` saves and restores them.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Frame {
    pub x: [u64; 31],
    pub sp: u64,
    pub elr: u64,
    pub spsr: u64,
    pub tpidr: u64,
    pub pad: u64,
}

// `boot` has this number in its assembly.
const _: () = assert!(size_of::<Frame>() == 288);

impl Frame {
    pub const ZERO: Frame = Frame { x: [0; 31], sp: 0, elr: 0, spsr: 0, tpidr: 0, pad: 0 };
}

/// Exception classes (ESR_EL1.EC).
const EC_SVC: u64 = 0x15;

const KIND_SYNCHRONOUS: u64 = 8;
const KIND_INTERRUPT: u64 = 9;

#[unsafe(no_mangle)]
extern "C" fn exception_from_el0(kind: u64, frame: &mut Frame) {
    let esr = syndrome();
    match kind {
        KIND_SYNCHRONOUS if esr >> 26 == EC_SVC => syscall::dispatch(frame),
        KIND_INTERRUPT => end(format_args!("watchdog: user space did not come to an end"), frame),
        _ => fault(esr, frame),
    }
}

fn fault(esr: u64, frame: &Frame) -> ! {
    let what = match esr >> 26 {
        0x07 => "FP access trapped",
        0x0e => "illegal execution state",
        0x20 => "instruction abort",
        0x22 => "program counter misaligned",
        0x24 => "data abort",
        0x26 => "stack pointer misaligned",
        0x30..=0x3d => "debug exception",
        0x00 => "undefined instruction",
        _ => "exception",
    };
    let far = fault_address();
    end(format_args!("{what} in EL0, ESR={esr:08X} ELR={:016X} FAR={far:016X}", frame.elr), frame)
}

/// The last words of a user space that went wrong.
fn end(what: core::fmt::Arguments, frame: &Frame) -> ! {
    println!();
    println!("PANIC: {what}");
    println!(
        "smoke: process depth {}, x30={:016X} sp={:016X} pc={:016X}",
        process::depth(),
        frame.x[30],
        frame.sp,
        frame.elr
    );
    power::off()
}

/// Called by `boot` on a fresh stack.
#[unsafe(no_mangle)]
extern "C" fn exception_unexpected(kind: u64, esr: u64, elr: u64, far: u64) -> ! {
    println!();
    println!("PANIC: kernel: exception {kind}, ESR={esr:08X} ELR={elr:016X} FAR={far:016X}");
    power::off()
}

fn syndrome() -> u64 {
    let esr: u64;
    unsafe { core::arch::asm!("mrs {}, esr_el1", out(reg) esr, options(nomem, nostack)) };
    esr
}

fn fault_address() -> u64 {
    let far: u64;
    unsafe { core::arch::asm!("mrs {}, far_el1", out(reg) far, options(nomem, nostack)) };
    far
}

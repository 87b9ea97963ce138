//! The generic timer: a clock, and a watchdog by the virtual timer's interrupt.

use core::arch::asm;

use crate::layout::{GIC_CPU, GIC_DISTRIBUTOR};

/// The virtual timer's interrupt: PPI 11.
const TIMER_IRQ: u32 = 27;

pub fn frequency() -> u64 {
    let hz: u64;
    unsafe { asm!("mrs {}, cntfrq_el0", out(reg) hz, options(nomem, nostack)) };
    hz
}

/// Nanoseconds since power-on.
pub fn now() -> u64 {
    (ticks() as u128 * 1_000_000_000 / frequency().max(1) as u128) as u64
}

fn ticks() -> u64 {
    let ticks: u64;
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

/// From now on, user space that runs for more than this many seconds in all is interrupted; `trap` ends it.
/// The kernel itself is never interrupted, so this is no guard against a hanging kernel.
pub fn start_watchdog(seconds: u64) {
    let write = |at: usize, value: u32| unsafe { (at as *mut u32).write_volatile(value) };
    write(GIC_DISTRIBUTOR, 1); // GICD_CTLR: forward
    write(GIC_DISTRIBUTOR + 0x100, 1 << TIMER_IRQ); // GICD_ISENABLER0
    write(GIC_CPU + 4, 0xff); // GICC_PMR: every priority
    write(GIC_CPU, 1); // GICC_CTLR: signal
    let deadline = ticks().saturating_add(frequency().saturating_mul(seconds));
    unsafe {
        asm!("msr cntv_cval_el0, {}", "msr cntv_ctl_el0, {}", "isb", in(reg) deadline, in(reg) 1u64, options(nostack))
    };
}

//! The one way out.

use core::arch::asm;

use crate::serial::println;
use crate::time;

/// PSCI SYSTEM_OFF (SMCCC function id). QEMU virt without a secure world takes it by HVC.
const SYSTEM_OFF: u64 = 0x8400_0008;

/// Ends QEMU.
pub fn off() -> ! {
    println!("smoke: power off after {} ms", time::now() / 1_000_000);
    loop {
        // Should it ever come back, stay here: the host has a time limit.
        unsafe { asm!("hvc #0", "wfi", in("x0") SYSTEM_OFF, clobber_abi("C")) };
    }
}

//! Smoke kernel: boots on QEMU virt (aarch64), and does for an initfs image what the Redox kernel does: maps
//! it at virtual 0x1000 and jumps to the address at 0x1a in EL0. Around that there is the least that
//! lets the demo's own user space run to its end: pages, a serial line, and one process at a time.
//!
//! What the host has to give (`-append`, see `bootargs`): size and SHA-256 of the image and of its bootstrap. The
//! kernel measures both before it enters EL0, and nothing else boots: see demo-bootstrap for the reasons.
//!
//! What the host can rely on: every end is a power-off by PSCI, so QEMU exits. A good end says
//! `smoke: power off`; every other one prints a line that begins with `PANIC:` before. A user space that does not
//! come to an end is stopped by a watchdog.
//!
//! One processor, no interrupts while the kernel runs, kernel and page frames mapped one to one.

#![no_std]

use demo_mem as _;

mod boot;
mod bootargs;
mod cell;
mod fdt;
mod frames;
mod image;
mod layout;
mod paging;
mod power;
mod process;
mod serial;
mod syscall;
mod time;
mod trap;

use serial::println;

/// Called by `boot` with the MMU on and an exception frame to fill; returning enters EL0 with it.
#[unsafe(no_mangle)]
extern "C" fn kernel_main(frame: &mut trap::Frame) {
    serial::init();
    println!("smoke: redox-clif smoke kernel, aarch64 EL{}, timer {} Hz", boot::exception_level(), time::frequency());
    let tree = fdt::find().unwrap_or_else(|why| panic!("device tree: {why}"));
    let arguments = tree.bootargs().unwrap_or_else(|why| panic!("device tree: {why}"));
    let arguments = bootargs::parse(arguments).unwrap_or_else(|why| panic!("boot arguments: {why}"));
    let image = image::verify(&arguments);
    time::start_watchdog(arguments.watchdog);
    *frame = process::first(image, &arguments, &tree);
    println!("smoke: entering EL0 at {:#x}", frame.elr);
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    println!("PANIC: kernel: {}", info.message());
    if let Some(at) = info.location() {
        println!("smoke: raised at {}:{}", at.file(), at.line());
    }
    power::off()
}

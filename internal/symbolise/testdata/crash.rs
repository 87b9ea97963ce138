//! What the symbols and debug information of crash.llvm.elf and crash.cranelift.elf are of.
#![no_std]
#![no_main]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

mod deep {
    #[inline(always)]
    pub fn poke(at: *mut u32) {
        unsafe { at.write_volatile(1) }
    }

    #[inline(never)]
    pub fn outer(at: *mut u32) -> u32 {
        poke(at);
        unsafe { at.read_volatile() }
    }
}

#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    let at = core::hint::black_box(0x1000 as *mut u32);
    core::hint::black_box(deep::outer(at));
    loop {}
}

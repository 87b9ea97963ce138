//! The PL011 of QEMU virt, transmit only, polled.

use core::fmt::{self, Write};

use crate::layout::UART;

const DR: usize = UART;
const FR: usize = UART + 0x18;
const CR: usize = UART + 0x30;
const FR_TXFF: u32 = 1 << 5;
const CR_UARTEN_TXE: u32 = 1 | 1 << 8;

pub fn init() {
    unsafe { (CR as *mut u32).write_volatile(CR_UARTEN_TXE) }
}

pub fn bytes(bytes: &[u8]) {
    for &byte in bytes {
        unsafe {
            while (FR as *const u32).read_volatile() & FR_TXFF != 0 {}
            (DR as *mut u32).write_volatile(byte as u32);
        }
    }
}

pub struct Serial;

impl Write for Serial {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        bytes(s.as_bytes());
        Ok(())
    }
}

macro_rules! println {
    ($($arg:tt)*) => {{
        use core::fmt::Write as _;
        let _ = writeln!($crate::serial::Serial, $($arg)*);
    }};
}
pub(crate) use println;

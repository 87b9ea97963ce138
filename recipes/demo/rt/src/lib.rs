//! What every demo program shares: the panic handler, the global allocator, printing, arguments, spawning. Owns
//! the safe face of the demo's libc. A program is `#![no_std] #![no_main]` and has a C `main`, like any
//! Redox program below its std.

#![no_std]

extern crate alloc;

use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int, c_void};

mod heap;

pub use demo_abi as abi;

// By its bare name, as std asks for it: the sysroot on the link line has lib/libc.a.
#[link(name = "c", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {
    fn mini_write(fd: c_int, buf: *const c_void, n: usize) -> isize;
    fn mini_exit(status: c_int) -> !;
    fn mini_map(len: usize) -> *mut c_void;
    fn mini_spawn(block: *const c_char, len: usize) -> isize;
    fn mini_time() -> u64;
    pub fn mini_snprintf(buffer: *mut c_char, n: usize, format: *const c_char, ...) -> c_int;
    pub fn mini_printf(format: *const c_char, ...) -> c_int;
    static environ: *const *const c_char;
}

/// Collects one `print!` on the stack, so that a line reaches the serial port in one system call.
pub struct Line {
    bytes: [u8; 256],
    len: usize,
}

impl Line {
    pub const fn new() -> Self {
        Line { bytes: [0; 256], len: 0 }
    }

    pub fn flush(&mut self) {
        if self.len > 0 {
            unsafe { mini_write(1, self.bytes.as_ptr().cast(), self.len) };
        }
        self.len = 0;
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Write for Line {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        for &byte in s.as_bytes() {
            if self.len == self.bytes.len() {
                self.flush();
            }
            self.bytes[self.len] = byte;
            self.len += 1;
        }
        Ok(())
    }
}

/// Prints one line.
#[macro_export]
macro_rules! println {
    ($($arg:tt)*) => {{
        use core::fmt::Write as _;
        let mut line = $crate::Line::new();
        let _ = writeln!(line, $($arg)*);
        line.flush();
    }};
}

/// The arguments of `main`.
///
/// # Safety
/// `argc` and `argv` must be those of `main`.
pub unsafe fn args(argc: c_int, argv: *const *const c_char) -> Vec<&'static str> {
    (0..argc as usize).map(|i| unsafe { CStr::from_ptr(*argv.add(i)) }.to_str().unwrap_or("?")).collect()
}

/// A variable of the environment the kernel handed out.
pub fn env(name: &str) -> Option<&'static str> {
    let mut at = unsafe { environ };
    loop {
        let entry = unsafe { *at };
        if entry.is_null() {
            return None;
        }
        let line = unsafe { CStr::from_ptr(entry) }.to_str().unwrap_or("");
        if let Some((key, value)) = line.split_once('=')
            && key == name
        {
            return Some(value);
        }
        at = unsafe { at.add(1) };
    }
}

/// Runs a program of the initfs to its end: its exit status, or a negative error of the kernel.
pub fn run(argv: &[&str]) -> isize {
    let mut block = Vec::new();
    for arg in argv {
        block.extend_from_slice(arg.as_bytes());
        block.push(0);
    }
    unsafe { mini_spawn(block.as_ptr().cast(), block.len()) }
}

/// Nanoseconds since power-on.
pub fn time() -> u64 {
    unsafe { mini_time() }
}

/// The initfs image, which the kernel maps into every process.
pub fn image() -> &'static [u8] {
    let args = unsafe { &*(abi::ARGS_PAGE as *const abi::KernelArgs) };
    unsafe { core::slice::from_raw_parts(abi::IMAGE_BASE as *const u8, args.bootstrap_size as usize) }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    println!("PANIC: {info}");
    unsafe { mini_exit(abi::EXIT_PANIC as c_int) }
}

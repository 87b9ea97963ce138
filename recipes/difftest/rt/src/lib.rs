//! What every differential test shares: how a case is printed, the heap, the panic handler.
//!
//! A case is a list of items, each a short text. What is printed is one line,
//!
//! ```text
//! case NAME: ITEM ITEM …            when that is short
//! case NAME: N items, hash HASH     otherwise
//! ```
//!
//! and when the host has asked for a case (`trace`, see [`setting`]) also `item NAME INDEX: ITEM`, so that a difference in a
//! hash can be named.

#![no_std]

extern crate alloc;

use alloc::string::String;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::fmt::{self, Write};

mod heap;

// By its bare name, as std asks for it: the sysroot on the link line has lib/libc.a.
#[link(name = "c", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {
    fn mini_write(fd: c_int, buf: *const c_void, n: usize) -> isize;
    fn mini_exit(status: c_int) -> !;
    fn mini_map(len: usize) -> *mut c_void;
    fn mini_spawn(block: *const c_char, len: usize) -> isize;
    pub fn mini_snprintf(buffer: *mut c_char, n: usize, format: *const c_char, ...) -> c_int;
    static environ: *const *const c_char;
}

/// Exit status of a panic.
const EXIT_PANIC: c_int = 101;
/// Longer texts are printed as a hash.
const SHOWN: usize = 200;

/// Prints one line in one system call.
pub fn print(line: fmt::Arguments) {
    let mut text = String::new();
    let _ = text.write_fmt(line);
    text.push('\n');
    unsafe { mini_write(1, text.as_ptr().cast(), text.len()) };
}

#[macro_export]
macro_rules! println {
    ($($arg:tt)*) => { $crate::print(format_args!($($arg)*)) };
}

/// One case, printed when it is dropped.
pub struct Case<'a> {
    group: &'a str,
    name: &'a str,
    count: usize,
    hash: u64,
    shown: String,
    item: String,
    trace: bool,
}

/// Begins the case GROUP/NAME.
pub fn case<'a>(group: &'a str, name: &'a str) -> Case<'a> {
    let trace = setting("trace").and_then(|wanted| wanted.split_once('/')) == Some((group, name));
    Case { group, name, count: 0, hash: 0xcbf2_9ce4_8422_2325, shown: String::new(), item: String::new(), trace }
}

impl Case<'_> {
    /// Adds an item.
    pub fn put(&mut self, item: fmt::Arguments) {
        self.item.clear();
        let _ = self.item.write_fmt(item);
        // FNV-1a, with a separator, so that "1 23" is not "12 3".
        for &byte in self.item.as_bytes().iter().chain(b" ") {
            self.hash = (self.hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if self.shown.len() <= SHOWN {
            self.shown.push(' ');
            self.shown.push_str(&self.item);
        }
        if self.trace {
            println!("item {}/{} {}: {}", self.group, self.name, self.count, self.item);
        }
        self.count += 1;
    }
}

impl Drop for Case<'_> {
    fn drop(&mut self) {
        if self.shown.len() <= SHOWN {
            println!("case {}/{}:{}", self.group, self.name, self.shown);
        } else {
            println!("case {}/{}: {} items, hash {:016x}", self.group, self.name, self.count, self.hash);
        }
    }
}

/// Adds an item to a case, as `format!` writes it.
#[macro_export]
macro_rules! put {
    ($case:expr, $($arg:tt)*) => { $case.put(format_args!($($arg)*)) };
}

/// Calls `f` for every pair, with both values unknown to the compiler.
pub fn pairs<T: Copy>(values: &[T], mut f: impl FnMut(T, T)) {
    for &a in values {
        for &b in values {
            f(core::hint::black_box(a), core::hint::black_box(b));
        }
    }
}

/// Calls `f` for every value, unknown to the compiler.
pub fn each<T: Copy>(values: &[T], mut f: impl FnMut(T)) {
    for &a in values {
        f(core::hint::black_box(a));
    }
}

/// What the host asks for, by its name: NONCE is `NONCE,NAME=VALUE,NAME=VALUE`, because the kernel hands out nothing else that
/// the host chooses.
pub fn setting(name: &str) -> Option<&'static str> {
    nonce().split(',').filter_map(|part| part.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The text that the host made up for this boot, with the settings.
pub fn nonce() -> &'static str {
    env("NONCE").unwrap_or("")
}

/// A variable of the environment the kernel handed out.
fn env(name: &str) -> Option<&'static str> {
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
pub fn run(path: &str) -> isize {
    let mut block = String::from(path);
    block.push('\0');
    unsafe { mini_spawn(block.as_ptr().cast(), block.len()) }
}

/// Ends the process.
pub fn exit(status: i32) -> ! {
    unsafe { mini_exit(status) }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    println!("panic: {info}");
    exit(EXIT_PANIC)
}

//! Calls by the C ABI into code of the same backend and of the other one, and back; and calls of variadic functions,
//! which libc.a has from LLVM.

#![no_std]
#![no_main]

extern crate alloc;

use core::ffi::{CStr, c_char, c_int};
use core::hint::black_box;

use difftest_rt::{case, mini_snprintf, put};

#[macro_use]
#[path = "../../../foreign/src/shapes.rs"]
mod shapes;

use shapes::*;

macro_rules! callees {
    ($callee:ident, $prefix:literal, $group:literal, $($name:ident: $t:ty,)*) => {
        mod $callee {
            use super::*;

            $(mod $name {
                use super::*;

                #[allow(improper_ctypes)]
                unsafe extern "C" {
                    #[link_name = concat!($prefix, "pass_", stringify!($name))]
                    fn pass(before: u8, x: f32, value: $t, y: f64, after: u64) -> $t;
                    #[link_name = concat!($prefix, "stack_", stringify!($name))]
                    fn stack(
                        a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, v: f32, w: f64, first: $t, second: $t, h: i8, third: $t,
                    ) -> $t;
                    #[link_name = concat!($prefix, "back_", stringify!($name))]
                    fn back(f: extern "C" fn(u8, f32, $t, f64, u64) -> $t, value: $t) -> $t;
                }

                extern "C" fn called(before: u8, x: f32, value: $t, y: f64, after: u64) -> $t {
                    black_box(value).twist(before).twist(x as u8).twist(y as i64 as u8).twist((after >> 37) as u8)
                }

                pub fn run() {
                    let mut c = case($group, stringify!($name));
                    let mut value = <$t>::default();
                    for n in 0..4 {
                        value = unsafe { pass(n, 1.5, black_box(value), 2.0, 1 << 33 | 5) };
                        put!(c, "{value:?}");
                        value = unsafe { back(called, value) };
                        put!(c, "{value:?}");
                    }
                    drop(c);
                    let mut c = case(concat!($group, "-stack"), stringify!($name));
                    for n in 0..4 {
                        let result = unsafe { stack(1, 2, 3, 4, 5, 6, 7, 0.5, 8.5, value.twist(2), value, -3, value.twist(n)) };
                        put!(c, "{result:?}");
                        value = value.twist(11);
                    }
                }
            })*

            pub fn run() {
                $($name::run();)*
            }
        }
    };
}

macro_rules! into_llvm {
    ($($all:tt)*) => { callees!(llvm, "llvm_", "into-llvm", $($all)*); };
}
macro_rules! into_cranelift {
    ($($all:tt)*) => { callees!(cranelift, "cranelift_", "into-cranelift", $($all)*); };
}

all_shapes!(into_llvm);
all_shapes!(into_cranelift);

#[link(name = "foreign_llvm", kind = "static", modifiers = "-bundle")]
#[link(name = "foreign_cranelift", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    llvm::run();
    cranelift::run();
    variadic();
    0
}

fn text(buffer: &[c_char]) -> &str {
    unsafe { CStr::from_ptr(buffer.as_ptr()) }.to_str().unwrap_or("?")
}

macro_rules! print {
    ($case:ident, $format:literal $(, $value:expr)*) => {{
        let mut buffer = [0 as c_char; 300];
        let len = unsafe { mini_snprintf(buffer.as_mut_ptr(), buffer.len(), $format.as_ptr() $(, black_box($value))*) };
        put!($case, "{len} {}", text(&buffer));
    }};
}

fn variadic() {
    let mut c = case("variadic-call", "integers");
    print!(c, c"none");
    print!(c, c"%d %u %x %i", -1i32, u32::MAX, 0xdead_beefu32, i32::MIN);
    print!(c, c"%ld %lu %lx %zu", i64::MIN, u64::MAX, 1u64 << 63, 77usize);
    drop(c);
    let mut c = case("variadic-call", "pointers");
    print!(c, c"%s|%10s|%-10s|%.2s", c"one".as_ptr(), c"two".as_ptr(), c"three".as_ptr(), c"four".as_ptr());
    print!(c, c"%p %c%c%%", 0x1234usize as *const u8, b'a' as c_int, b'z' as c_int);
    drop(c);
    let mut c = case("variadic-call", "stack");
    print!(c, c"%d %ld %d %ld %d %ld %d %ld %d %s %ld", 1i32, 2i64, -3i32, -4i64, 5i32, 6i64, 7i32, 1i64 << 40, -9i32, c"ten".as_ptr(), 11i64);
    drop(c);
    let mut c = case("variadic-call", "promoted");
    print!(c, c"%d %d %d %u", black_box(-5i8) as c_int, black_box(-6i16) as c_int, black_box(true) as c_int, black_box(250u8) as u32);
}

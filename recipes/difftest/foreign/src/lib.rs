//! Functions that a program of the other backend calls. Built once by each backend, with names to tell them apart, and
//! linked into the programs of both: a call then crosses from one backend to the other and, by a function
//! pointer, back.
//!
//! There is no path that panics, so that the object needs nothing of core that has a name.

#![no_std]
#![cfg_attr(feature = "as-llvm", feature(c_variadic))]

#[macro_use]
mod shapes;

use shapes::*;

macro_rules! exported {
    ($prefix:literal, $($name:ident: $t:ty,)*) => { $(
        /// Between arguments of both register files.
        #[unsafe(export_name = concat!($prefix, "pass_", stringify!($name)))]
        pub extern "C" fn $name(before: u8, x: f32, value: $t, y: f64, after: u64) -> $t {
            let n = before.wrapping_add(after as u8).wrapping_add((x as f64 + y) as u8);
            value.twist(n)
        }

        const _: () = {
            /// Where registers have run out.
            #[unsafe(export_name = concat!($prefix, "stack_", stringify!($name)))]
            pub extern "C" fn stack(
                a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, v: f32, w: f64, first: $t, second: $t, h: i8, third: $t,
            ) -> $t {
                let n = (a ^ b ^ c ^ d ^ e ^ f ^ g) as u8;
                let m = (v as f64 + w) as u8;
                let _ = second;
                third.twist(n).twist(m).twist(h as u8).twist(if same(first.twist(1), second) { 1 } else { 2 })
            }

            /// Back to the caller's side.
            #[unsafe(export_name = concat!($prefix, "back_", stringify!($name)))]
            pub extern "C" fn back(f: extern "C" fn(u8, f32, $t, f64, u64) -> $t, value: $t) -> $t {
                f(3, 4.5, f(1, 2.5, value, 7.0, 1 << 40), -1.0, 9).twist(5)
            }
        };
    )* };
}

fn same<T: PartialEq>(a: T, b: T) -> bool {
    a == b
}

#[cfg(feature = "as-cranelift")]
macro_rules! named {
    ($($all:tt)*) => { exported!("cranelift_", $($all)*); };
}
#[cfg(feature = "as-llvm")]
macro_rules! named {
    ($($all:tt)*) => { exported!("llvm_", $($all)*); };
}

all_shapes!(named);

/// Variadic functions by LLVM, for defects/.
#[cfg(feature = "as-llvm")]
mod variadic {
    use core::ffi::c_int;

    /// The mean of n f64.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn foreign_mean(n: c_int, mut args: ...) -> f64 {
        let mut sum = 0.0;
        for _ in 0..n {
            sum += unsafe { args.arg::<f64>() };
        }
        sum / n as f64
    }

    /// The sum of n pairs of i64 and f64.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn foreign_mixed(n: c_int, mut args: ...) -> f64 {
        let mut sum = 0.0;
        for _ in 0..n {
            sum += unsafe { args.arg::<i64>() } as f64;
            sum += unsafe { args.arg::<f64>() };
        }
        sum
    }

    /// Calls a variadic function of the other side.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn foreign_call(f: unsafe extern "C" fn(c_int, ...) -> f64, x: f64) -> f64 {
        unsafe {
            f(3, 100i64, x, 10u32, &raw const x, -50i64, 2.5f64, 20u32, &raw const x, 7i64, 7f64, 21u32, &raw const x)
        }
    }
}

//! Shows: definitions of C variadic functions: arguments in registers and on the stack, of both classes, behind named
//! parameters of both classes, a copy of the list, the list passed on by value and by reference, a result in memory, and a
//! call through a pointer; called by this program and by LLVM's code in foreign. Patch 0007-variadic-definitions.
//! Without it: error "Defining variadic functions is not yet supported by Cranelift" (rustc_codegen_cranelift#1677).
//! Expected (the same by LLVM):
//! ints 1..=20 -> 210 | floats 1..=12 -> 78 | mixed 3210.5 | named 36 45 | copy 6 6 | passed 10 10 | big [1, 2, 3, 4] | pointer 60
#![feature(c_variadic)]
#![no_std]
#![no_main]
use core::ffi::{VaList, c_int, c_void};
use core::hint::black_box;
use difftest_rt::{case, put};

#[link(name = "foreign_llvm", kind = "static", modifiers = "-bundle")]
unsafe extern "C" {
    fn foreign_call(f: unsafe extern "C" fn(c_int, ...) -> f64, x: f64) -> f64;
}

unsafe extern "C" fn ints(n: c_int, mut args: ...) -> i64 {
    (0..n).map(|_| i64::from(unsafe { args.arg::<i32>() })).sum()
}
unsafe extern "C" fn floats(n: c_int, mut args: ...) -> f64 {
    let mut sum = 0.0;
    for _ in 0..n {
        sum += unsafe { args.arg::<f64>() };
    }
    sum
}
/// `n` times an i64, an f64, a u32 and a pointer to an f64
unsafe extern "C" fn mixed(n: c_int, mut args: ...) -> f64 {
    let mut sum = 0.0;
    for _ in 0..n {
        sum += unsafe { args.arg::<i64>() } as f64;
        sum += unsafe { args.arg::<f64>() };
        sum += f64::from(unsafe { args.arg::<u32>() });
        sum += unsafe { *args.arg::<*const f64>() };
    }
    sum
}
/// Named parameters take all general registers and two words of the stack.
#[allow(clippy::too_many_arguments)]
unsafe extern "C" fn named(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64, i: u8, j: u64, x: f32, mut args: ...) -> (u64, f64) {
    let sum = a + b + c + d + e + f + g + h + u64::from(i) + j;
    let first = unsafe { args.arg::<u64>() };
    let second = unsafe { args.arg::<f64>() };
    (sum - 55 + first, f64::from(x) + second)
}
unsafe extern "C" fn copied(n: c_int, mut args: ...) -> (i64, i64) {
    let mut copy = args.clone();
    let mut sums = (0, 0);
    for _ in 0..n {
        sums.0 += unsafe { args.arg::<i64>() };
    }
    for _ in 0..n {
        sums.1 += unsafe { copy.arg::<i64>() };
    }
    sums
}
unsafe extern "C" fn by_value(n: c_int, mut args: VaList) -> i64 {
    let mut sum = 0;
    for _ in 0..n {
        sum += unsafe { args.arg::<i64>() };
    }
    sum
}
fn by_reference(n: c_int, args: &mut VaList) -> i64 {
    let mut sum = 0;
    for _ in 0..n {
        sum += unsafe { args.arg::<i64>() };
    }
    sum
}
unsafe extern "C" fn passed(n: c_int, mut args: ...) -> (i64, i64) {
    let copy = args.clone();
    let first = by_reference(2, &mut args) + by_reference(n - 2, &mut args);
    (first, unsafe { by_value(n, copy) })
}
#[repr(C)]
#[derive(Debug)]
struct Big([u64; 4]);
unsafe extern "C" fn big(mut args: ...) -> Big {
    Big(core::array::from_fn(|_| unsafe { args.arg::<u64>() }))
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    let mut c = case("cg-clif", "variadic-definition");
    let one = black_box(1i32);
    let (x, y) = (black_box(1f64), 1000f64);
    let p: *const f64 = &y;
    unsafe {
        put!(c, "ints {}", ints(20, one, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20));
        put!(c, "ints {} {}", ints(0), ints(3, -one, i32::MIN, i32::MAX));
        put!(c, "floats {}", floats(12, x, 2f64, 3f64, 4f64, 5f64, 6f64, 7f64, 8f64, 9f64, 10f64, 11f64, 12f64));
        put!(c, "mixed {}", mixed(3, 100i64, x, 10u32, p, 50i64, 2.5f64, 20u32, p, -1i64, 7f64, 21u32, p));
        put!(c, "named {:?}", named(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0.5, 36u64, 44.5f64));
        put!(c, "copy {:?}", copied(3, 1i64, 2i64, 3i64));
        put!(c, "passed {:?}", passed(4, 1i64, 2i64, 3i64, 4i64));
        put!(c, "big {:?}", big(1u64, 2u64, 3u64, 4u64).0);
        let f: unsafe extern "C" fn(c_int, ...) -> i64 = black_box(ints);
        put!(c, "foreign {}", foreign_call(mixed, 0.75));
        put!(c, "pointer {}", f(3, 10i32, 20i32, 30i32));
        put!(c, "null {}", by_pointer(2, core::ptr::null::<c_void>(), p));
    }
    0
}

unsafe extern "C" fn by_pointer(n: c_int, mut args: ...) -> bool {
    (0..n).all(|_| unsafe { args.arg::<*const c_void>() }.is_null())
}

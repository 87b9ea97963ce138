//! Vectors: core::simd, and of core::arch what every backend has.

#![no_std]
#![no_main]
#![feature(portable_simd)]

extern crate alloc;

use core::arch::aarch64::*;
use core::ffi::c_int;
use core::hint::black_box;
use core::simd::prelude::*;

use difftest_rt::{case, pairs, put};

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    integers();
    floats();
    lanes();
    neon();
    0
}

fn integers() {
    let values = [i32x4::splat(0), i32x4::from_array([1, -1, i32::MAX, i32::MIN]), i32x4::from_array([7, 100, -3, 1 << 20])];
    let mut c = case("simd", "i32x4");
    pairs(&values, |a, b| {
        put!(c, "{:?} {:?} {:?}", a + b, a - b, a * b);
        put!(c, "{:?} {:?} {:?} {:?}", a & b, a | b, a ^ b, !a);
        put!(c, "{:?} {:?} {:?}", a.simd_lt(b).to_array(), a.simd_eq(b).to_array(), a.simd_max(b));
        put!(c, "{} {} {}", a.reduce_sum(), a.reduce_max(), a.reduce_xor());
        put!(c, "{:?} {:?}", a << i32x4::splat(3), a >> i32x4::splat(2));
    });
    drop(c);
    let mut c = case("simd", "u8x16");
    let values = [u8x16::splat(200), u8x16::from_array(core::array::from_fn(|i| i as u8 * 17))];
    pairs(&values, |a, b| {
        put!(c, "{:?} {:?} {:?}", a + b, a - b, a.saturating_add(b));
        put!(c, "{:?} {:?}", a.simd_ge(b).to_bitmask(), a.saturating_sub(b));
    });
    drop(c);
    let mut c = case("simd", "u64x2");
    pairs(&[u64x2::from_array([u64::MAX, 3]), u64x2::from_array([1 << 40, 5])], |a, b| {
        put!(c, "{:?} {:?} {:?}", a + b, a * b, a.simd_min(b));
        put!(c, "{:?}", a.cast::<u32>());
    });
}

fn floats() {
    let mut c = case("simd", "f32x4");
    let values = [f32x4::from_array([0.0, 1.5, -2.25, 1e10]), f32x4::from_array([3.5, -0.0, 7.0, f32::INFINITY])];
    pairs(&values, |a, b| {
        put!(c, "{:?} {:?} {:?} {:?}", a + b, a - b, a * b, -a);
        put!(c, "{:?} {:?}", a.simd_lt(b).to_array(), a.abs());
        put!(c, "{:?}", a.cast::<i32>());
        put!(c, "{}", a.reduce_sum());
    });
    drop(c);
    let mut c = case("simd", "f64x2");
    pairs(&[f64x2::from_array([0.1, -7.5]), f64x2::from_array([3.0, 1e-300])], |a, b| put!(c, "{:?} {:?} {:?}", a / b, a * b, a.simd_gt(b).to_array()));
}

fn lanes() {
    let mut c = case("simd", "lanes");
    let mut a = black_box(u16x8::from_array([1, 2, 3, 4, 5, 6, 7, 65535]));
    put!(c, "{:?} {:?}", a.reverse(), a.rotate_elements_left::<3>());
    a[black_box(2)] = 77;
    put!(c, "{:?} {}", a, a[7]);
    let (low, high) = a.interleave(black_box(u16x8::splat(9)));
    put!(c, "{low:?} {high:?}");
    put!(c, "{:?}", simd_swizzle!(a, [7, 0, 0, 2, 5, 5, 1, 3]));
    put!(c, "{:?}", u16x8::from_slice(black_box(&[8, 7, 6, 5, 4, 3, 2, 1, 0])));
}

fn neon() {
    let mut c = case("neon", "basic");
    let (a, b) = (black_box([1u32, 2, u32::MAX, 1 << 31]), black_box([5u32, 6, 7, 8]));
    let mut out = [0u32; 4];
    unsafe {
        let (x, y) = (vld1q_u32(a.as_ptr()), vld1q_u32(b.as_ptr()));
        for z in [vaddq_u32(x, y), vsubq_u32(x, y), vandq_u32(x, y), veorq_u32(x, y), vceqq_u32(x, y), vdupq_n_u32(3)] {
            vst1q_u32(out.as_mut_ptr(), z);
            put!(c, "{out:x?}");
        }
        put!(c, "{}", vgetq_lane_u32::<1>(x));
    }
}

//! f16 and f128, which a processor without them leaves to compiler_builtins, and the 128-bit integers where they meet
//! other types.

#![no_std]
#![no_main]
#![feature(f16, f128)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use core::ffi::c_int;
use core::hint::black_box;

use difftest_rt::{case, each, pairs, put};

macro_rules! float {
    ($module:ident, $t:ident) => {
        mod $module {
            use super::*;

            const GROUP: &str = stringify!($t);
            const VALUES: [$t; 18] = [
                0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 0.1, 3.7, 100.0, -1000.0, 6.0e-5, -5.0e-7, $t::MIN_POSITIVE, $t::MAX, $t::MIN,
                $t::INFINITY, $t::NAN,
            ];

            fn show(x: $t) -> String {
                if x != x { String::from("NaN") } else { format!("{:x}", x.to_bits()) }
            }

            pub fn run() {
                let mut c = case(GROUP, "add");
                pairs(&VALUES, |a, b| put!(c, "{}", show(a + b)));
                drop(c);
                let mut c = case(GROUP, "sub");
                pairs(&VALUES, |a, b| put!(c, "{}", show(a - b)));
                drop(c);
                let mut c = case(GROUP, "mul");
                pairs(&VALUES, |a, b| put!(c, "{}", show(a * b)));
                drop(c);
                let mut c = case(GROUP, "div");
                pairs(&VALUES, |a, b| put!(c, "{}", show(a / b)));
                drop(c);
                let mut c = case(GROUP, "compare");
                pairs(&VALUES, |a, b| {
                    let is = [a < b, a <= b, a == b, a != b, a >= b, a > b].map(u8::from);
                    put!(c, "{is:?}{:?}", a.partial_cmp(&b));
                });
                drop(c);
                let mut c = case(GROUP, "neg");
                each(&VALUES, |a| put!(c, "{}", show(-a)));
                drop(c);
                let mut c = case(GROUP, "to-int");
                // To u8 and u16: a defect, see defects/.
                each(&VALUES, |a| {
                    put!(c, "{},{},{}", a as u32, a as u64, a as u128);
                    put!(c, "{},{},{}", a as i32, a as i64, a as i128);
                });
                drop(c);
                let mut c = case(GROUP, "from-int");
                each(&[0, 1, 2049, 65519, 65520, u64::MAX, 1 << 63, 9007199254740993], |a: u64| {
                    put!(c, "{},{},{}", show(a as $t), show(a as i64 as $t), show(a as i16 as $t));
                    put!(c, "{},{}", show(((a as u128) << 64 | 1) as $t), show(-(a as i128) as $t));
                });
                drop(c);
                let mut c = case(GROUP, "to-float");
                each(&VALUES, |a| {
                    put!(c, "{:?},{:?}", (a as f32).abs(), (a as f64).abs());
                });
                drop(c);
                let mut c = case(GROUP, "from-float");
                each(&[0.0, 0.1, -3.7, 65504.0, 65520.0, 1e-7, 5.96e-8, 1e300, f64::INFINITY], |a: f64| {
                    put!(c, "{},{}", show(a as $t), show(a as f32 as $t));
                });
                drop(c);
                let mut c = case(GROUP, "total-order");
                pairs(&VALUES[..17], |a, b| put!(c, "{:?}", a.total_cmp(&b)));
                drop(c);
                let mut c = case(GROUP, "by-value");
                // More than there are registers.
                let v = black_box(VALUES);
                put!(c, "{}", show(many(v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11])));
            }

            #[inline(never)]
            #[allow(clippy::too_many_arguments)]
            fn many(a: $t, b: $t, c: $t, d: $t, e: $t, f: $t, g: $t, h: $t, i: $t, j: $t) -> $t {
                black_box(a) + b * c - d + e - f * g + h - i + j
            }
        }
    };
}

float!(half, f16);
float!(quad, f128);

fn i128s() {
    let values = [0, 1, -1, 10, i128::MAX, i128::MIN, 1 << 64, -(1 << 64), (1 << 64) - 1, 0x0123_4567_89ab_cdef_0fed_cba9_8765_4321];
    let mut c = case("i128", "mul-wide");
    pairs(&values, |a, b| put!(c, "{:x}", (a as i64 as i128).wrapping_mul(b as i64 as i128)));
    pairs(&values, |a, b| put!(c, "{:x}", (a as u64 as u128).wrapping_mul(b as u64 as u128)));
    drop(c);
    let mut c = case("i128", "div-narrow");
    pairs(&values, |a, b| {
        if b as u32 != 0 {
            put!(c, "{:x},{:x}", a as u128 / (b as u32) as u128, a % (b as u32) as i128);
        }
    });
    drop(c);
    let mut c = case("i128", "float");
    each(&values, |a| {
        put!(c, "{:x},{:x}", (a as f64).to_bits(), (a as u128 as f32).to_bits());
        put!(c, "{:x},{:x}", (a as f64) as i128, (a as f64 * 3.0) as u128);
    });
    drop(c);
    let mut c = case("i128", "match");
    each(&values, |a| {
        let which = match a {
            0 => 0,
            1..=10 => 1,
            -1 => 2,
            0x1_0000_0000_0000_0000 => 3,
            0xffff_ffff_ffff_ffff => 4,
            i128::MIN => 5,
            i128::MAX => 6,
            _ => 7,
        };
        put!(c, "{which}");
    });
    drop(c);
    let mut c = case("i128", "arguments");
    pairs(&values, |a, b| put!(c, "{:x}", spread(1, a, 2, b, a ^ b, 3, !a, -7)));
    drop(c);
    let mut c = case("i128", "aligned");
    let boxed = alloc::boxed::Box::new((1u8, black_box(values[9]), 2u8));
    put!(c, "{} {} {:x}", size_of_val(&*boxed), &raw const boxed.1 as usize % 16, boxed.1);
}

/// 128-bit values in even registers or on the stack, between narrow ones.
#[inline(never)]
#[allow(clippy::too_many_arguments)]
extern "C" fn spread(a: u8, b: i128, c: u32, d: i128, e: i128, f: u16, g: i128, h: i64) -> i128 {
    let all = [a as i128, b, c as i128, d, e, f as i128, g, h as i128];
    all.iter().fold(0, |sum: i128, &x| sum.rotate_left(9) ^ x)
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    half::run();
    quad::run();
    i128s();
    0
}

//! f32 and f64. A NaN is an item "NaN": which of its bits are set is not for a program to rely on.

#![no_std]
#![no_main]
#![feature(core_float_math)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use core::ffi::c_int;
use core::hint::black_box;

use difftest_rt::{case, each, pairs, put};

macro_rules! float {
    ($module:ident, $t:ident, $bits:ident) => {
        mod $module {
            use super::*;
            use core::$t::math;

            const GROUP: &str = stringify!($t);
            const VALUES: [$t; 24] = [
                0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.1, 3.7, -3.7, 1e10, 123456.789, 16777217.0, -9.25e-3,
                $t::MIN_POSITIVE, 1e-40, -1e-45, $t::MAX, $t::MIN, $t::INFINITY, $t::NEG_INFINITY, $t::NAN,
            ];

            fn show(x: $t) -> String {
                if x.is_nan() { String::from("NaN") } else { format!("{:x}", x.to_bits()) }
            }

            pub fn run() {
                arithmetic();
                comparison();
                rounding();
                casts();
                text();
                constants();
            }

            fn arithmetic() {
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
                let mut c = case(GROUP, "rem");
                pairs(&VALUES, |a, b| put!(c, "{}", show(a % b)));
                drop(c);
                let mut c = case(GROUP, "fma");
                pairs(&VALUES, |a, b| each(&[0.0, 0.1, -1e10], |d| put!(c, "{}", show(math::mul_add(a, b, d)))));
                drop(c);
                let mut c = case(GROUP, "sqrt");
                each(&VALUES, |a| put!(c, "{},{}", show(math::sqrt(a)), show(a.recip())));
                drop(c);
                let mut c = case(GROUP, "sum");
                let (mut sum, mut product) = (0.0, 1.0);
                for i in 1..black_box(1000u32) {
                    sum += 1.0 / i as $t;
                    product *= 1.0 + 1.0 / (i as $t * i as $t);
                }
                put!(c, "{} {}", show(sum), show(product));
            }

            fn comparison() {
                let mut c = case(GROUP, "compare");
                pairs(&VALUES, |a, b| {
                    let is = [a < b, a <= b, a == b, a != b, a >= b, a > b, !(a < b)].map(u8::from);
                    put!(c, "{is:?}{:?}", a.partial_cmp(&b));
                });
                drop(c);
                let mut c = case(GROUP, "total-order");
                pairs(&VALUES, |a, b| put!(c, "{:?}", a.total_cmp(&b)));
                drop(c);
                let mut c = case(GROUP, "min-max");
                // Of two zeros either may be given.
                pairs(&VALUES, |a, b| put!(c, "{},{}", show(a.min(b) + 0.0), show(a.max(b) + 0.0)));
                drop(c);
                let mut c = case(GROUP, "sign");
                pairs(&VALUES, |a, b| put!(c, "{},{}", show(a.abs()), show(a.copysign(b))));
                each(&VALUES, |a| put!(c, "{},{},{:?}", show(-a), show(a.signum()), a.is_sign_negative() || a.is_nan()));
                drop(c);
                let mut c = case(GROUP, "class");
                each(&VALUES, |a| {
                    put!(c, "{:?}{}{}{}", a.classify(), a.is_finite(), a.is_normal(), a.is_subnormal());
                });
                drop(c);
                let mut c = case(GROUP, "clamp");
                each(&VALUES, |a| put!(c, "{}", show(a.clamp(black_box(-2.0), black_box(3.0)))));
                drop(c);
                let mut c = case(GROUP, "next");
                each(&VALUES, |a| put!(c, "{},{}", show(a.next_up()), show(a.next_down())));
            }

            fn rounding() {
                let mut c = case(GROUP, "round");
                each(&VALUES, |a| {
                    put!(c, "{},{},{}", show(math::floor(a)), show(math::ceil(a)), show(math::trunc(a)));
                    put!(c, "{},{}", show(math::round(a)), show(math::round_ties_even(a)));
                });
                drop(c);
                let mut c = case(GROUP, "round-halves");
                for i in -20..black_box(20i32) {
                    let a = i as $t / 2.0;
                    put!(c, "{},{},{}", show(math::round(a)), show(math::round_ties_even(a)), show(math::floor(a)));
                }
            }

            fn casts() {
                let mut c = case(GROUP, "to-int");
                let near = [127.0, 128.0, -128.0, -129.0, 255.0, 256.0, 32767.5, 65535.9, 2147483648.0, -2147483649.0,
                    4294967296.0, 9223372036854775808.0, -9223372036854775808.0, 18446744073709551616.0, 1.7e38, -1.8e38, 3.4e38];
                for values in [&VALUES[..], &near] {
                    each(values, |a: $t| {
                        put!(c, "{},{},{},{},{}", a as u8, a as u16, a as u32, a as u64, a as u128);
                        put!(c, "{},{},{},{},{}", a as i8, a as i16, a as i32, a as i64, a as i128);
                    });
                }
                drop(c);
                let mut c = case(GROUP, "from-int");
                each(&[0, 1, 16777217, 33554435, u64::MAX, u64::MAX - 1023, 1 << 63, 9007199254740993], |a: u64| {
                    put!(c, "{},{},{}", show(a as $t), show(a as i64 as $t), show(a as u32 as $t));
                    put!(c, "{},{}", show(a as u8 as i8 as $t), show(a as u16 as $t));
                    let wide = (a as u128) << 64 | a as u128;
                    put!(c, "{},{}", show(wide as $t), show(wide as i128 as $t));
                });
                drop(c);
                let mut c = case(GROUP, "to-float");
                each(&VALUES, |a| put!(c, "{:?}|{:?}", (a as f32).abs(), (a as f64).abs()));
                drop(c);
                let mut c = case(GROUP, "bits");
                each(&VALUES, |a| {
                    if !a.is_nan() {
                        put!(c, "{:?}{}", a.to_be_bytes(), show($t::from_bits(a.to_bits() ^ 1 << 3)));
                    }
                });
            }

            fn text() {
                let mut c = case(GROUP, "debug");
                each(&VALUES, |a| put!(c, "{a:?}|{a}|{a:+}"));
                drop(c);
                let mut c = case(GROUP, "exponent");
                each(&VALUES, |a| put!(c, "{a:e}|{a:E}|{a:.3e}|{a:+e}"));
                drop(c);
                let mut c = case(GROUP, "precision");
                each(&VALUES, |a| put!(c, "{a:.0}|{a:.1}|{a:.20}|{a:015.3}|{a:>12.2}"));
                drop(c);
                let mut c = case(GROUP, "parse");
                for text in ["0", "-0", "1", "0.1", "1e10", "1.7976931348623157e308", "1e400", "5e-324", "2.4e-324", "inf", "-infinity",
                    "nan", "", "e5", "1e", ".5", "5.", "1.5e-45", "0.000000000000000000000000000000000000000000001401298464324817",
                    "3.4028236e38", "9007199254740993", "123456789012345678901234567890", "1_0", "+7.25E+2", "16777217.0000001"]
                {
                    match black_box(text).parse::<$t>() {
                        Ok(x) => put!(c, "{}", show(x)),
                        Err(e) => put!(c, "{e}"),
                    }
                }
                drop(c);
                let mut c = case(GROUP, "round-trip");
                let mut seed: $bits = 12345;
                for _ in 0..300 {
                    seed = seed.wrapping_mul(6364136223846793005u64 as $bits).wrapping_add(1442695040888963407u64 as $bits);
                    let a = $t::from_bits(seed);
                    if !a.is_nan() {
                        let text = format!("{a:?}");
                        put!(c, "{text},{}", text.parse::<$t>().map(|b| b.to_bits()) == Ok(seed));
                    }
                }
            }

            const fn mixture(v: [$t; 12]) -> [$t; 12] {
                let mut out = [0.0; 12];
                let mut i = 0;
                while i < 12 {
                    let (a, b) = (v[i], v[(i * 5 + 1) % 12]);
                    out[i] = match i % 4 {
                        0 => a * b + 0.3,
                        1 => a / b - b,
                        2 => (a - b) as i32 as $t,
                        _ => if a < b { a.abs() } else { -b },
                    };
                    i += 1;
                }
                out
            }

            fn constants() {
                const INPUT: [$t; 12] = [1.0, 0.1, -3.5, 1e5, 7.25, 1e-3, -0.3, 22.0, 3.125, 2.7, -8.0, 1e9];
                const COMPILED: [$t; 12] = mixture(INPUT);
                let mut c = case(GROUP, "const");
                for (compiled, run) in black_box(COMPILED).iter().zip(mixture(black_box(INPUT))) {
                    put!(c, "{}{}", compiled.to_bits() == run.to_bits(), show(run));
                }
            }
        }
    };
}

float!(single, f32, u32);
float!(double, f64, u64);

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    single::run();
    double::run();
    0
}

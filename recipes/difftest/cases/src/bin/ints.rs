//! Integers of every width: each operation over pairs of edge values.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::format;
use alloc::string::ToString;
use core::ffi::c_int;
use core::hint::black_box;

use difftest_rt::{case, each, pairs, put};

/// What signed and unsigned integers have in common.
macro_rules! integer {
    ($t:ident) => {
        const GROUP: &str = stringify!($t);
        const HALF: $t = 1 << ($t::BITS / 2);

        const VALUES: [$t; 16] = [
            0, 1, 2, 3, 7, 10, 100, HALF, HALF - 1, HALF + 1, $t::MAX, $t::MAX - 1, $t::MAX / 2, $t::MIN, $t::MIN + 1, !0,
        ];
        const AMOUNTS: [u32; 10] =
            [0, 1, 3, $t::BITS / 2 - 1, $t::BITS / 2, $t::BITS / 2 + 1, $t::BITS - 1, $t::BITS, $t::BITS + 1, !0];

        fn common() {
            arithmetic();
            division();
            shifts();
            bits();
            comparison();
            powers();
            casts();
            text();
            constants();
        }

        fn arithmetic() {
            let mut c = case(GROUP, "add");
            pairs(&VALUES, |a, b| {
                put!(c, "{:x}", a.wrapping_add(b));
                put!(c, "{:?}{:?}{:x}", a.checked_add(b), a.overflowing_add(b), a.saturating_add(b));
            });
            drop(c);
            let mut c = case(GROUP, "sub");
            pairs(&VALUES, |a, b| {
                put!(c, "{:x}", a.wrapping_sub(b));
                put!(c, "{:?}{:?}{:x}", a.checked_sub(b), a.overflowing_sub(b), a.saturating_sub(b));
            });
            drop(c);
            let mut c = case(GROUP, "mul");
            pairs(&VALUES, |a, b| put!(c, "{:x}", a.wrapping_mul(b)));
            drop(c);
            let mut c = case(GROUP, "mul-checked");
            pairs(&VALUES, |a, b| {
                put!(c, "{:?}{:?}{:x}", a.checked_mul(b), a.overflowing_mul(b), a.saturating_mul(b))
            });
            drop(c);
            let mut c = case(GROUP, "neg");
            each(&VALUES, |a| put!(c, "{:x}{:?}{:?}", a.wrapping_neg(), a.checked_neg(), a.overflowing_neg()));
            drop(c);
            let mut c = case(GROUP, "abs-diff");
            pairs(&VALUES, |a, b| put!(c, "{:x},{:x}", a.abs_diff(b), a.midpoint(b)));
        }

        fn division() {
            let mut c = case(GROUP, "div");
            pairs(&VALUES, |a, b| put!(c, "{:?}", a.checked_div(b)));
            pairs(&VALUES, |a, b| {
                if b != 0 {
                    put!(c, "{:x}{:?}{:x}", a.wrapping_div(b), a.overflowing_div(b), a.saturating_div(b));
                }
            });
            drop(c);
            let mut c = case(GROUP, "rem");
            pairs(&VALUES, |a, b| put!(c, "{:?}", a.checked_rem(b)));
            pairs(&VALUES, |a, b| {
                if b != 0 {
                    put!(c, "{:x}{:?}", a.wrapping_rem(b), a.overflowing_rem(b));
                }
            });
            drop(c);
            let mut c = case(GROUP, "euclid");
            pairs(&VALUES, |a, b| put!(c, "{:?}{:?}", a.checked_div_euclid(b), a.checked_rem_euclid(b)));
            drop(c);
            let mut c = case(GROUP, "div-by-constant");
            each(&VALUES, |a| {
                put!(c, "{:x},{:x},{:x},{:x},{:x}", a / 3, a / 7, a / 10, a / 16, a / 127);
                put!(c, "{:x},{:x},{:x},{:x},{:x}", a % 3, a % 7, a % 10, a % 16, a % 127);
            });
        }

        fn shifts() {
            let mut c = case(GROUP, "shift");
            each(&VALUES, |a| each(&AMOUNTS, |n| put!(c, "{:x},{:x}", a.wrapping_shl(n), a.wrapping_shr(n))));
            drop(c);
            let mut c = case(GROUP, "shift-checked");
            each(&VALUES, |a| {
                each(&AMOUNTS, |n| {
                    put!(c, "{:?}{:?}{:?}{:?}", a.checked_shl(n), a.checked_shr(n), a.overflowing_shl(n), a.overflowing_shr(n));
                    put!(c, "{:x},{:x}", a.unbounded_shl(n), a.unbounded_shr(n));
                })
            });
            drop(c);
            let mut c = case(GROUP, "rotate");
            each(&VALUES, |a| each(&AMOUNTS, |n| put!(c, "{:x},{:x}", a.rotate_left(n), a.rotate_right(n))));
        }

        fn bits() {
            let mut c = case(GROUP, "count");
            each(&VALUES, |a| {
                put!(c, "{},{},{}", a.leading_zeros(), a.trailing_zeros(), a.count_ones());
                put!(c, "{},{},{}", a.leading_ones(), a.trailing_ones(), a.count_zeros());
            });
            drop(c);
            let mut c = case(GROUP, "swap");
            each(&VALUES, |a| put!(c, "{:x},{:x},{:x},{:?}", a.swap_bytes(), a.reverse_bits(), a.to_be(), a.to_le_bytes()));
            drop(c);
            let mut c = case(GROUP, "logic");
            pairs(&VALUES, |a, b| put!(c, "{:x},{:x},{:x},{:x},{:x}", a & b, a | b, a ^ b, !a, a & !b));
        }

        fn comparison() {
            let mut c = case(GROUP, "compare");
            pairs(&VALUES, |a, b| {
                put!(c, "{}{}{}", (a < b) as u8, (a <= b) as u8, (a == b) as u8);
                put!(c, "{:?}{:x},{:x}", a.cmp(&b), a.min(b), a.max(b));
            });
            drop(c);
            let mut c = case(GROUP, "branch");
            pairs(&VALUES, |a, b| {
                let which = if a == b {
                    "same"
                } else if a > b && b > 1 {
                    "above"
                } else if a ^ b == !0 {
                    "inverse"
                } else {
                    "other"
                };
                put!(c, "{which}");
            });
        }

        fn powers() {
            let mut c = case(GROUP, "pow");
            each(&VALUES, |a| {
                each(&[0u32, 1, 2, 3, 5, 13, 64], |n| {
                    put!(c, "{:x}{:?}", a.wrapping_pow(n), a.checked_pow(n));
                    put!(c, "{:?}{:x}", a.overflowing_pow(n), a.saturating_pow(n));
                })
            });
            drop(c);
            let mut c = case(GROUP, "log");
            each(&VALUES, |a| put!(c, "{:?}{:?}{:?}", a.checked_ilog2(), a.checked_ilog10(), a.checked_ilog(3)));
            drop(c);
            let mut c = case(GROUP, "sqrt");
            each(&VALUES, |a| {
                if a > 0 {
                    put!(c, "{}", a.isqrt());
                }
            });
        }

        fn casts() {
            let mut c = case(GROUP, "cast");
            each(&VALUES, |a| {
                put!(c, "{},{},{},{},{},{}", a as u8, a as u16, a as u32, a as u64, a as u128, a as usize);
                put!(c, "{},{},{},{},{},{}", a as i8, a as i16, a as i32, a as i64, a as i128, a as isize);
            });
            drop(c);
            let mut c = case(GROUP, "cast-float");
            each(&VALUES, |a| put!(c, "{:08x},{:016x}", (a as f32).to_bits(), (a as f64).to_bits()));
            drop(c);
            let mut c = case(GROUP, "try-from");
            each(&VALUES, |a| {
                put!(c, "{:?}{:?}{:?}", u8::try_from(a).ok(), i8::try_from(a).ok(), u16::try_from(a).ok());
                put!(c, "{:?}{:?}{:?}", i32::try_from(a).ok(), u64::try_from(a).ok(), i64::try_from(a).ok());
                put!(c, "{:?}{:?}", u128::try_from(a).ok(), i128::try_from(a).ok());
            });
        }

        fn text() {
            let mut c = case(GROUP, "format");
            each(&VALUES, |a| put!(c, "{a}|{a:+}|{a:08}|{a:#x}|{a:#X}|{a:#o}|{a:#b}|{a:e}|{a:>12}|{a:?}"));
            drop(c);
            let mut c = case(GROUP, "parse");
            each(&VALUES, |a| {
                let (decimal, hex) = (a.to_string(), format!("{a:b}"));
                put!(c, "{}{:?}", decimal.parse::<$t>() == Ok(a), $t::from_str_radix(&hex, 2).ok());
                put!(c, "{:?}{:?}", (decimal.clone() + "9").parse::<$t>(), $t::from_str_radix(&decimal, 36).ok());
            });
        }

        /// Some of everything, by the interpreter in the compiler and by the processor.
        const fn mixture(v: [$t; 16]) -> [$t; 64] {
            let mut out = [0; 64];
            let mut i = 0;
            while i < 64 {
                let (a, b) = (v[i % 16], v[(i * 7 + i / 16) % 16]);
                out[i] = match i % 8 {
                    0 => a.wrapping_mul(b).wrapping_add(a),
                    1 => a.saturating_sub(b),
                    2 => a.rotate_left((b & 15) as u32),
                    3 => a.wrapping_shr((b & 63) as u32) ^ b,
                    4 => if b == 0 { a } else { a.wrapping_rem(b) },
                    5 => if b == 0 { b } else { a.wrapping_div(b) },
                    6 => match a.checked_mul(b) { Some(c) => c, None => !b },
                    _ => a.reverse_bits().wrapping_neg(),
                };
                i += 1;
            }
            out
        }

        fn constants() {
            const COMPILED: [$t; 64] = mixture(VALUES);
            let mut c = case(GROUP, "const");
            for (compiled, run) in black_box(COMPILED).iter().zip(mixture(black_box(VALUES))) {
                put!(c, "{}{:x}", *compiled == run, run);
            }
        }
    };
}

macro_rules! unsigned {
    ($($module:ident: $t:ident,)*) => { $(mod $module {
        use super::*;

        integer!($t);

        pub fn run() {
            common();
            let mut c = case(GROUP, "unsigned");
            pairs(&VALUES, |a, b| {
                put!(c, "{:?}{:?}", a.checked_next_power_of_two(), a.is_power_of_two());
                put!(c, "{:?}{:?}", a.checked_next_multiple_of(b), if b == 0 { 0 } else { a.div_ceil(b) });
                put!(c, "{:?}{:?}", a.checked_add_signed(b as _), a.saturating_add_signed(b as _));
            });
        }
    })* };
}

macro_rules! signed {
    ($($module:ident: $t:ident,)*) => { $(mod $module {
        use super::*;

        integer!($t);

        pub fn run() {
            common();
            let mut c = case(GROUP, "abs");
            each(&VALUES, |a| {
                put!(c, "{:x}{:?}{:?}{:x}", a.wrapping_abs(), a.checked_abs(), a.overflowing_abs(), a.unsigned_abs());
                put!(c, "{}{}{}", a.signum(), a.is_negative(), a.saturating_neg());
            });
            drop(c);
            let mut c = case(GROUP, "signed");
            pairs(&VALUES, |a, b| {
                put!(c, "{:?}{:?}", a.checked_add_unsigned(b as _), a.saturating_sub_unsigned(b as _));
                put!(c, "{:x}", a >> (b as u32 % $t::BITS));
            });
        }
    })* };
}

unsigned!(byte: u8, short: u16, word: u32, long: u64, wide: u128, pointer: usize,);
signed!(signed_byte: i8, signed_short: i16, signed_word: i32, signed_long: i64, signed_wide: i128, signed_pointer: isize,);

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    byte::run();
    short::run();
    word::run();
    long::run();
    wide::run();
    pointer::run();
    signed_byte::run();
    signed_short::run();
    signed_word::run();
    signed_long::run();
    signed_wide::run();
    signed_pointer::run();
    0
}

//! `long double` where it is IEEE binary128: what src/c/stdlib.c does in C, without a C compiler.
//!
//! Conversions go by bits, so that no function of a compiler's run-time library is asked for.

use core::ffi::{c_char, c_double};

const EXPONENT_BIAS: i32 = 16383;
const FRACTION: u32 = 112;

/// The bits of a binary128 with the value of a binary64, which is exact.
fn widened(x: f64) -> u128 {
    let bits = x.to_bits();
    let sign = u128::from(bits >> 63) << 127;
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let (exponent, fraction) = match (exponent, fraction) {
        (0, 0) => (0, 0),
        (0, _) => {
            // A subnormal number is a normal one there.
            let shift = fraction.leading_zeros() as i32 - 11;
            (EXPONENT_BIAS - 1022 - shift, (fraction << shift) & ((1 << 52) - 1))
        }
        (0x7ff, _) => (0x7fff, fraction),
        _ => (exponent - 1023 + EXPONENT_BIAS, fraction),
    };
    sign | ((exponent as u128) << FRACTION) | (u128::from(fraction) << 60)
}

/// The nearest binary64, of two equally near ones the even one.
fn narrowed(bits: u128) -> f64 {
    let sign = ((bits >> 127) as u64) << 63;
    let exponent = ((bits >> FRACTION) & 0x7fff) as i32;
    let fraction = bits & ((1 << FRACTION) - 1);
    if exponent == 0x7fff {
        // The quiet bit stays, so that what is not a number is none.
        let payload = (fraction >> 60) as u64 | if fraction != 0 { 1 << 51 } else { 0 };
        return f64::from_bits(sign | (0x7ff << 52) | payload);
    }
    let exponent = exponent - EXPONENT_BIAS;
    let significand = fraction | (1 << FRACTION);
    let magnitude = if exponent > 1023 {
        0x7ff << 52
    } else if exponent >= -1022 {
        // The significand's own one counts as the lowest bit of the exponent; so does what rounding carries.
        (((exponent + 1022) as u64) << 52) + rounded(significand, 60)
    } else {
        rounded(significand, 60 + (-1022 - exponent) as u32)
    };
    f64::from_bits(sign | magnitude)
}

/// significand / 2^shift, rounded to the nearest, of two equally near ones to the even one.
fn rounded(significand: u128, shift: u32) -> u64 {
    if shift > FRACTION + 1 {
        return 0;
    }
    let whole = (significand >> shift) as u64;
    let rest = significand & ((1 << shift) - 1);
    let half = 1 << (shift - 1);
    whole + u64::from(rest > half || rest == half && whole & 1 == 1)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn relibc_ldtod(value: *const u128) -> c_double {
    narrowed(unsafe { value.read() })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn relibc_dtold(value: c_double, out: *mut u128) {
    unsafe { out.write(widened(value)) }
}

unsafe extern "C" {
    fn strtod(s: *const c_char, end: *mut *mut c_char) -> c_double;
}

/// See <https://pubs.opengroup.org/onlinepubs/9799919799/functions/strtold.html>. As precise as `double`.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub unsafe extern "C" fn strtold(s: *const c_char, end: *mut *mut c_char) -> f128 {
    f128::from_bits(widened(unsafe { strtod(s, end) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Every kind of number, and its neighbours.
    fn values() -> impl Iterator<Item = f64> {
        let kinds = [
            0, 1, 2, 0x000f_ffff_ffff_ffff, 0x0010_0000_0000_0000, 0x3ff0_0000_0000_0000, 0x400921fb54442d18, 0x7fef_ffff_ffff_ffff, 0x7ff0_0000_0000_0000,
            0x7ff8_0000_0000_0000,
        ];
        let mut seed = 1u64;
        let random = core::iter::repeat_with(move || {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            seed ^ (seed >> 29)
        });
        kinds.into_iter().chain(random.take(100_000)).flat_map(|bits| [f64::from_bits(bits), -f64::from_bits(bits)])
    }

    fn same(a: f64, b: f64) -> bool {
        a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
    }

    #[test]
    fn a_double_comes_back() {
        for x in values() {
            assert!(same(narrowed(widened(x)), x), "{x:e}");
            assert!(x.is_nan() || widened(x) == (x as f128).to_bits(), "{x:e}");
        }
    }

    #[test]
    fn others_are_rounded_to_the_nearest() {
        for x in values() {
            for below in [0u128, 1, (1 << 59) - 1, 1 << 59, (1 << 59) + 1, (1 << 60) - 1] {
                let long = f128::from_bits(widened(x) | below);
                assert!(same(narrowed(long.to_bits()), long as f64), "{x:e} and {below:x}");
            }
            for far in [16000u128, -1074i32 as u128, -1023i32 as u128, -1076i32 as u128] {
                let bits = (widened(x) & !(0x7fff << FRACTION)) | ((far.wrapping_add(EXPONENT_BIAS as u128) & 0x7fff) << FRACTION);
                assert!(same(narrowed(bits), f128::from_bits(bits) as f64), "{bits:x}");
            }
        }
    }
}

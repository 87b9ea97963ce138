//! libm.a in Rust: the functions of <math.h> under their C names, over the crate libm.
//!
//! relibc takes them from openlibm, which is C. A toolchain without a C compiler needs them
//! all the same: the floating-point methods of std call most of them by these names.
#![no_std]

/// Nothing here panics with valid tables; the linker wants a handler all the same, and takes std's.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// One shape of function and all that have it.
macro_rules! c_names {
    ($arguments:tt -> $result:ty: $($name:ident)*) => { $(c_name!($name $arguments $result);)* };
}

macro_rules! c_name {
    ($name:ident ($($argument:ident: $kind:ty),*) $result:ty) => {
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($argument: $kind),*) -> $result {
            libm::$name($($argument),*)
        }
    };
}

c_names!((x: f64) -> f64:
    acos acosh asin asinh atan atanh cbrt ceil cos cosh erf erfc exp exp10 exp2 expm1 fabs floor
    j0 j1 lgamma log log10 log1p log2 rint round roundeven sin sinh sqrt tan tanh tgamma trunc y0 y1);
c_names!((x: f32) -> f32:
    acosf acoshf asinf asinhf atanf atanhf cbrtf ceilf cosf coshf erff erfcf expf exp10f exp2f expm1f fabsf floorf
    j0f j1f lgammaf logf log10f log1pf log2f rintf roundf roundevenf sinf sinhf sqrtf tanf tanhf tgammaf truncf y0f y1f);
c_names!((x: f64, y: f64) -> f64: atan2 copysign fdim fmax fmin fmod hypot nextafter pow remainder);
c_names!((x: f32, y: f32) -> f32: atan2f copysignf fdimf fmaxf fminf fmodf hypotf nextafterf powf remainderf);
c_names!((x: f64, y: f64, z: f64) -> f64: fma);
c_names!((x: f32, y: f32, z: f32) -> f32: fmaf);
c_names!((x: f64, n: i32) -> f64: ldexp scalbn);
c_names!((x: f32, n: i32) -> f32: ldexpf scalbnf);
c_names!((n: i32, x: f64) -> f64: jn yn);
c_names!((n: i32, x: f32) -> f32: jnf ynf);
c_names!((x: f64) -> i32: ilogb);
c_names!((x: f32) -> i32: ilogbf);

/// Functions with a second result, which C takes by pointer.
macro_rules! c_pairs {
    ($($name:ident: $kind:ty, $second:ty;)*) => {
        $(
            /// # Safety
            /// `second` must point to where the second result can be written.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(x: $kind, second: *mut $second) -> $kind {
                let (first, other) = libm::$name(x);
                unsafe { second.write(other) };
                first
            }
        )*
    };
}

c_pairs! {
    frexp: f64, i32;
    frexpf: f32, i32;
    modf: f64, f64;
    modff: f32, f32;
    lgamma_r: f64, i32;
    lgammaf_r: f32, i32;
}

/// # Safety
/// `sine` and `cosine` must point to where the results can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sincos(x: f64, sine: *mut f64, cosine: *mut f64) {
    let (s, c) = libm::sincos(x);
    unsafe {
        sine.write(s);
        cosine.write(c);
    }
}

/// # Safety
/// `sine` and `cosine` must point to where the results can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sincosf(x: f32, sine: *mut f32, cosine: *mut f32) {
    let (s, c) = libm::sincosf(x);
    unsafe {
        sine.write(s);
        cosine.write(c);
    }
}

/// # Safety
/// `quotient` must point to where the low bits of the quotient can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remquo(x: f64, y: f64, quotient: *mut i32) -> f64 {
    let (remainder, bits) = libm::remquo(x, y);
    unsafe { quotient.write(bits) };
    remainder
}

/// # Safety
/// `quotient` must point to where the low bits of the quotient can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn remquof(x: f32, y: f32, quotient: *mut i32) -> f32 {
    let (remainder, bits) = libm::remquof(x, y);
    unsafe { quotient.write(bits) };
    remainder
}

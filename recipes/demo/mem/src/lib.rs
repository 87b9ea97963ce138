//! The five functions rustc assumes to exist. compiler_builtins has them only when built with its `mem`
//! feature; with these, every artifact of the demo links no matter how the prepared std was built
//! (its copies are weak symbols, so the two never clash).
//!
//! `no_builtins` keeps the compiler from turning the loops below into calls of the functions they define.

#![no_std]
#![no_builtins]

type Word = u64;
const WORD: usize = size_of::<Word>();

/// Whether whole words can be moved: the targets are strictly aligned.
#[inline]
fn words(a: usize, b: usize, n: usize) -> bool {
    n >= WORD && (a | b).is_multiple_of(WORD)
}

/// # Safety
/// As in C: `n` bytes valid at both, not overlapping.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(dst: *mut u8, src: *const u8, n: usize) -> *mut u8 {
    unsafe { forward(dst, src, n) };
    dst
}

/// # Safety
/// As in C: `n` bytes valid at both.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(dst: *mut u8, src: *const u8, n: usize) -> *mut u8 {
    unsafe {
        if (dst as usize).wrapping_sub(src as usize) >= n {
            forward(dst, src, n);
        } else {
            let mut i = n;
            while i > 0 {
                i -= 1;
                *dst.add(i) = *src.add(i);
            }
        }
    }
    dst
}

/// # Safety
/// As in C: `n` bytes valid at `dst`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(dst: *mut u8, byte: i32, n: usize) -> *mut u8 {
    let mut i = 0;
    unsafe {
        if words(dst as usize, 0, n) {
            let word = (byte as u8) as Word * (Word::MAX / 0xff);
            while i + WORD <= n {
                *dst.add(i).cast::<Word>() = word;
                i += WORD;
            }
        }
        while i < n {
            *dst.add(i) = byte as u8;
            i += 1;
        }
    }
    dst
}

/// # Safety
/// As in C: `n` bytes valid at both.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    let mut i = 0;
    while i < n {
        let (x, y) = unsafe { (*a.add(i), *b.add(i)) };
        if x != y {
            return x as i32 - y as i32;
        }
        i += 1;
    }
    0
}

/// # Safety
/// As `memcmp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, n: usize) -> i32 {
    unsafe { memcmp(a, b, n) }
}

/// # Safety
/// As in C: a NUL must follow.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strlen(s: *const u8) -> usize {
    let mut n = 0;
    while unsafe { *s.add(n) } != 0 {
        n += 1;
    }
    n
}

/// Copies upwards: right for distinct ranges and for a destination below its source.
unsafe fn forward(dst: *mut u8, src: *const u8, n: usize) {
    let mut i = 0;
    unsafe {
        if words(dst as usize, src as usize, n) {
            while i + WORD <= n {
                *dst.add(i).cast::<Word>() = *src.add(i).cast::<Word>();
                i += WORD;
            }
        }
        while i < n {
            *dst.add(i) = *src.add(i);
            i += 1;
        }
    }
}

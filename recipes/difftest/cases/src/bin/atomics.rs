//! Atomic operations of every width up to 64 bits and every order. There is one thread: what is compared is what the
//! operations return and leave behind.

#![no_std]
#![no_main]

extern crate alloc;

use core::ffi::c_int;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use core::sync::atomic::{
    AtomicBool, AtomicI8, AtomicI16, AtomicI32, AtomicI64, AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, AtomicUsize,
    compiler_fence, fence,
};

use difftest_rt::{case, each, pairs, put};

macro_rules! atomic {
    ($module:ident, $a:ident, $t:ident) => {
        mod $module {
            use super::*;

            const GROUP: &str = concat!("atomic-", stringify!($t));
            const VALUES: [$t; 6] = [0, 1, 77, $t::MAX, $t::MIN, $t::MAX / 3];

            pub fn run() {
                let mut c = case(GROUP, "load-store");
                each(&VALUES, |v| {
                    let a = $a::new(0);
                    a.store(v, Relaxed);
                    put!(c, "{}", a.load(Relaxed));
                    a.store(!v, Release);
                    put!(c, "{}", a.load(Acquire));
                    a.store(v, SeqCst);
                    put!(c, "{}", a.load(SeqCst));
                });
                drop(c);
                let mut c = case(GROUP, "swap");
                pairs(&VALUES, |v, w| {
                    let a = $a::new(v);
                    for order in [Relaxed, Acquire, Release, AcqRel, SeqCst] {
                        put!(c, "{}", a.swap(w, order));
                    }
                });
                drop(c);
                let mut c = case(GROUP, "fetch-add-sub");
                pairs(&VALUES, |v, w| {
                    let a = $a::new(v);
                    put!(c, "{},{},{}", a.fetch_add(w, Relaxed), a.fetch_add(w, Acquire), a.fetch_add(w, SeqCst));
                    put!(c, "{},{},{}", a.fetch_sub(v, Release), a.fetch_sub(1, AcqRel), a.load(SeqCst));
                });
                drop(c);
                let mut c = case(GROUP, "fetch-bits");
                pairs(&VALUES, |v, w| {
                    let a = $a::new(v);
                    put!(c, "{},{}", a.fetch_and(w, SeqCst), a.fetch_or(v / 2, Relaxed));
                    put!(c, "{},{},{}", a.fetch_xor(w, AcqRel), a.fetch_nand(w, Release), a.load(Acquire));
                });
                drop(c);
                let mut c = case(GROUP, "fetch-min-max");
                pairs(&VALUES, |v, w| {
                    let a = $a::new(v);
                    put!(c, "{},{},{}", a.fetch_min(w, SeqCst), a.fetch_max(v, Relaxed), a.fetch_max(w, AcqRel));
                    put!(c, "{}", a.load(Relaxed));
                });
                drop(c);
                let mut c = case(GROUP, "compare-exchange");
                pairs(&VALUES, |v, w| {
                    let a = $a::new(v);
                    put!(c, "{:?}", a.compare_exchange(w, 5, SeqCst, SeqCst));
                    put!(c, "{:?}", a.compare_exchange(v, w, AcqRel, Relaxed));
                    put!(c, "{:?}", a.compare_exchange(w, 9, Release, Acquire));
                    put!(c, "{:?}{}", a.compare_exchange(1, 2, Relaxed, Relaxed), a.load(SeqCst));
                });
                drop(c);
                let mut c = case(GROUP, "update");
                each(&VALUES, |v| {
                    let a = $a::new(v);
                    put!(c, "{:?}", a.fetch_update(SeqCst, Relaxed, |x| x.checked_add(3)));
                    while a.compare_exchange_weak(a.load(Relaxed), v / 2, AcqRel, Acquire).is_err() {}
                    put!(c, "{}", a.into_inner());
                });
            }
        }
    };
}

atomic!(byte, AtomicU8, u8);
atomic!(short, AtomicU16, u16);
atomic!(word, AtomicU32, u32);
atomic!(long, AtomicU64, u64);
atomic!(size, AtomicUsize, usize);
atomic!(signed_byte, AtomicI8, i8);
atomic!(signed_short, AtomicI16, i16);
atomic!(signed_word, AtomicI32, i32);
atomic!(signed_long, AtomicI64, i64);

/// A narrow atomic must leave its neighbours alone.
fn neighbours() {
    let mut c = case("atomic", "neighbours");
    let bytes = [const { AtomicU8::new(0xa5) }; 16];
    for i in 0..16 {
        bytes[i].fetch_add(i as u8 * 17, SeqCst);
        bytes[15 - i].swap(i as u8, AcqRel);
    }
    for byte in &bytes {
        put!(c, "{:02x}", byte.load(Relaxed));
    }
}

fn bools_and_pointers() {
    let mut c = case("atomic", "bool");
    pairs(&[false, true], |v, w| {
        let a = AtomicBool::new(v);
        put!(c, "{}{}{}", a.fetch_and(w, SeqCst), a.fetch_nand(w, SeqCst), a.fetch_xor(true, Relaxed));
        put!(c, "{}{:?}{}", a.fetch_not(AcqRel), a.compare_exchange(w, v, SeqCst, Relaxed), a.swap(w, Acquire));
    });
    drop(c);
    let mut c = case("atomic", "pointer");
    let mut values = [1u32, 2, 3];
    let base = values.as_mut_ptr();
    let a = AtomicPtr::new(base);
    fence(SeqCst);
    compiler_fence(AcqRel);
    let second = unsafe { base.add(1) };
    put!(c, "{}", a.swap(second, AcqRel) == base);
    put!(c, "{}", a.compare_exchange(base, base, SeqCst, SeqCst) == Err(second));
    fence(Acquire);
    fence(Release);
    put!(c, "{}", unsafe { *a.load(Acquire) });
}

#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    byte::run();
    short::run();
    word::run();
    long::run();
    size::run();
    signed_byte::run();
    signed_short::run();
    signed_word::run();
    signed_long::run();
    neighbours();
    bools_and_pointers();
    0
}

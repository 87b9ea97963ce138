// Shifts the clock of whatever loads this (LD_PRELOAD) by SHIFT seconds: `mage repro` has one of its two
// builds run in another year. Files keep the kernel's times.

use std::ffi::{c_int, c_long, c_void};

const SHIFT: i64 = 10 * 365 * 24 * 60 * 60;

#[repr(C)]
pub struct Timespec {
    seconds: i64,
    nanoseconds: c_long,
}

// From <time.h>: CLOCK_REALTIME and CLOCK_REALTIME_COARSE.
const WALL_CLOCKS: [c_int; 2] = [0, 5];

#[cfg(target_arch = "x86_64")]
const CLOCK_GETTIME: c_long = 228;
#[cfg(target_arch = "aarch64")]
const CLOCK_GETTIME: c_long = 113;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, now: *mut Timespec) -> c_int {
    let result = unsafe { syscall(CLOCK_GETTIME, clock, now) };
    if result == 0 && WALL_CLOCKS.contains(&clock) {
        unsafe { (*now).seconds += SHIFT };
    }
    result as c_int
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn time(result: *mut i64) -> i64 {
    let mut now = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(0, &mut now) };
    if !result.is_null() {
        unsafe { *result = now.seconds };
    }
    now.seconds
}

#[repr(C)]
pub struct Timeval {
    seconds: i64,
    microseconds: c_long,
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn gettimeofday(result: *mut Timeval, _zone: *mut c_void) -> c_int {
    let mut now = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(0, &mut now) };
    if !result.is_null() {
        unsafe { *result = Timeval { seconds: now.seconds, microseconds: now.nanoseconds / 1000 } };
    }
    0
}

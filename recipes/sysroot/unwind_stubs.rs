//! The unwinder std asks for and never uses.
//!
//! std's `unwind` crate links `gcc_eh` even when panics abort, and its backtrace code refers to the Itanium
//! unwinder's entry points. Programs here are built with panic=abort and without unwind tables, so that there is
//! nothing to walk: a backtrace is empty, a position is unknown, and raising or resuming an exception ends the
//! program. This object is packed twice, as libgcc_eh.a and libunwind_stubs.a.

#![no_std]

use core::ffi::{c_int, c_void};

/// `_URC_END_OF_STACK` of `_Unwind_Reason_Code`.
const END_OF_STACK: c_int = 5;

unsafe extern "C" {
    fn abort() -> !;
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_Backtrace(_trace: *const c_void, _arg: *mut c_void) -> c_int {
    END_OF_STACK
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_RaiseException(_exception: *mut c_void) -> c_int {
    END_OF_STACK
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_ForcedUnwind(_exception: *mut c_void, _stop: *const c_void, _arg: *mut c_void) -> c_int {
    END_OF_STACK
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_Resume(_exception: *mut c_void) -> ! {
    unsafe { abort() }
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_Resume_or_Rethrow(_exception: *mut c_void) -> c_int {
    END_OF_STACK
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_DeleteException(_exception: *mut c_void) {}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_GetIP(_context: *mut c_void) -> usize {
    0
}

/// # Safety
/// `before` must be null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _Unwind_GetIPInfo(_context: *mut c_void, before: *mut c_int) -> usize {
    if !before.is_null() {
        unsafe { *before = 0 };
    }
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_GetCFA(_context: *mut c_void) -> usize {
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_GetGR(_context: *mut c_void, _register: c_int) -> usize {
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_SetGR(_context: *mut c_void, _register: c_int, _value: usize) {}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_SetIP(_context: *mut c_void, _value: usize) {}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_GetLanguageSpecificData(_context: *mut c_void) -> *const c_void {
    core::ptr::null()
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_GetRegionStart(_context: *mut c_void) -> usize {
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_GetTextRelBase(_context: *mut c_void) -> usize {
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_GetDataRelBase(_context: *mut c_void) -> usize {
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn _Unwind_FindEnclosingFunction(_pc: *mut c_void) -> *mut c_void {
    core::ptr::null_mut()
}

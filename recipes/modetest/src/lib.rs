//! Ways to create a file with a mode that have to come out at relibc's `__open_mode`. They are a library of their own so that a test can look at what they call
//! without anything to link them to.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Flags that create a file.
pub const CREATE: libc::c_int = libc::O_CREAT | libc::O_EXCL | libc::O_WRONLY | libc::O_CLOEXEC;

/// Creates a file by the crate libc.
pub fn by_libc(path: &Path, mode: u32) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the name ends in NUL, and the descriptor is nobody else's.
    unsafe {
        let fd = libc::open(name.as_ptr(), CREATE, mode as libc::c_uint);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        drop(OwnedFd::from_raw_fd(fd));
    }
    Ok(())
}

/// Creates a file by the standard library.
pub fn by_std(path: &Path, mode: u32) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map(drop)
}

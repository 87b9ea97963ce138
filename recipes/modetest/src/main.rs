//! Creates files with a mode and looks whether they have it. open(2) takes the mode as a variable argument: where the code
//! generators of the caller and of relibc disagree about those, it is lost or garbage.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use modetest::{CREATE, by_libc, by_std};

/// Modes that an umask of 022 leaves alone.
const MODES: [u32; 4] = [0o640, 0o600, 0o755, 0o504];

mod c {
    use std::ffi::{c_char, c_int};

    unsafe extern "C" {
        /// As <fcntl.h> has it. The crate libc calls another function where it is patched.
        pub fn open(path: *const c_char, flags: c_int, ...) -> c_int;
    }
}

fn by_variadic_open(path: &Path, mode: u32) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the name ends in NUL, and the descriptor is nobody else's.
    unsafe {
        let fd = c::open(name.as_ptr(), CREATE, mode as libc::c_uint);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        drop(OwnedFd::from_raw_fd(fd));
    }
    Ok(())
}

type Create = fn(&Path, u32) -> io::Result<()>;

const WAYS: [(&str, Create); 3] = [("open", by_variadic_open), ("libc::open", by_libc), ("OpenOptions", by_std)];

/// Says what mode a new file has got.
fn created(create: Create, path: &Path, mode: u32) -> io::Result<u32> {
    let _ = fs::remove_file(path);
    create(path, mode)?;
    // Without O_CREAT there is no mode, and whatever is in its place has to be left alone.
    drop(OpenOptions::new().read(true).open(path).or_else(|e| match e.kind() {
        io::ErrorKind::PermissionDenied => OpenOptions::new().write(true).open(path),
        _ => Err(e),
    })?);
    let got = fs::metadata(path)?.permissions().mode() & 0o7777;
    fs::remove_file(path)?;
    Ok(got)
}

fn main() -> ExitCode {
    let dir = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let path = dir.join(format!("modetest.{}", std::process::id()));
    let mut wrong = 0;
    for mode in MODES {
        let mut good = true;
        for (way, create) in WAYS {
            match created(create, &path, mode) {
                Ok(got) if got == mode => {}
                Ok(got) => {
                    println!("MODE wrong {way} {got:o} for {mode:o}");
                    good = false;
                }
                Err(e) => {
                    println!("MODE failed {way} {mode:o}: {e}");
                    good = false;
                }
            }
        }
        if good {
            println!("MODE ok {mode:o}");
        } else {
            wrong += 1;
        }
    }
    if wrong > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

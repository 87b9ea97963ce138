//! What can go wrong, in a form that another program can act on.

use std::fmt;
use std::sync::Mutex;

/// Kind is the part of an error that callers compare; its text is part of the tool's interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Usage,
    Io,
    NotFound,
    Exists,
    NotDirectory,
    IsDirectory,
    NotEmpty,
    Link,
    Name,
    Full,
    Truncated,
    NotRedoxFS,
    Version,
    Encrypted,
    Corrupt,
}

impl Kind {
    pub fn text(self) -> &'static str {
        match self {
            Kind::Usage => "usage",
            Kind::Io => "io",
            Kind::NotFound => "not-found",
            Kind::Exists => "exists",
            Kind::NotDirectory => "not-a-directory",
            Kind::IsDirectory => "is-a-directory",
            Kind::NotEmpty => "not-empty",
            Kind::Link => "link",
            Kind::Name => "name",
            Kind::Full => "full",
            Kind::Truncated => "truncated",
            Kind::NotRedoxFS => "not-redoxfs",
            Kind::Version => "version",
            Kind::Encrypted => "encrypted",
            Kind::Corrupt => "corrupt",
        }
    }
}

#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    /// The path inside the image, "" when it is about the image.
    pub path: String,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn new(kind: Kind, path: &str, message: impl Into<String>) -> Error {
        Error { kind, path: path.into(), message: message.into() }
    }

    pub fn usage(message: impl Into<String>) -> Error {
        Error::new(Kind::Usage, "", message)
    }

    /// About a file of the host.
    pub fn host(file: &std::path::Path, err: std::io::Error) -> Error {
        Error::new(Kind::Io, "", format!("{}: {}", file.display(), err))
    }

    /// From the file system crate, which knows error numbers only.
    pub fn fs(path: &str, err: syscall::Error) -> Error {
        use syscall::error::{EEXIST, EIO, EISDIR, EKEYREJECTED, ENOENT, ENOKEY, ENOSPC, ENOTDIR, ENOTEMPTY, EROFS};
        let Logged { host, text: detail } = LAST.lock().map(|mut l| std::mem::take(&mut *l)).unwrap_or_default();
        let (kind, text) = match err.errno {
            _ if host => (Kind::Io, format!("the image's file: {detail}")),
            ENOSPC => (Kind::Full, "no space left in the file system".into()),
            EEXIST => (Kind::Exists, "exists already".into()),
            ENOENT if detail.is_empty() => (Kind::NotFound, "does not exist".into()),
            ENOTDIR => (Kind::NotDirectory, "is no directory".into()),
            EISDIR => (Kind::IsDirectory, "is a directory".into()),
            ENOTEMPTY => (Kind::NotEmpty, "is not empty".into()),
            ENOKEY | EKEYREJECTED => (Kind::Encrypted, "the file system is encrypted".into()),
            EROFS => (Kind::Io, "the image was opened for reading only".into()),
            // EIO is how the crate reports a checksum that is wrong; what it logs says where.
            _ if !detail.is_empty() => (Kind::Corrupt, format!("the file system is damaged: {detail}")),
            EIO => (Kind::Corrupt, "the file system is damaged".into()),
            _ => (Kind::Io, err.to_string()),
        };
        Error::new(kind, path, text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// The target of what we log about the file that the image is, as opposed to what is in it.
pub const HOST: &str = "host";

#[derive(Default)]
struct Logged {
    host: bool,
    text: String,
}

/// LAST is the last error that was logged by the file system crate, or for it. One of the host is not replaced by what
/// the crate makes of it.
static LAST: Mutex<Logged> = Mutex::new(Logged { host: false, text: String::new() });

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, m: &log::Metadata) -> bool {
        m.level() <= log::Level::Error
    }
    fn log(&self, r: &log::Record) {
        if self.enabled(r.metadata()) {
            if let Ok(mut last) = LAST.lock() {
                let host = r.target() == HOST;
                if host || !last.host {
                    *last = Logged { host, text: r.args().to_string() };
                }
            }
        }
    }
    fn flush(&self) {}
}

/// Keeps what the file system crate logs for [`Error::fs`].
pub fn keep_log() {
    static LOGGER: Logger = Logger;
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(log::LevelFilter::Error);
}

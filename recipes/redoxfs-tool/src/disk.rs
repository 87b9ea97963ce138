//! A part of an image file as the disk of a file system.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use redoxfs::{Disk, BLOCK_SIZE, HEADER_RING};
use syscall::error::{Error as SysError, Result as SysResult, EIO, EROFS};

use crate::error::{Error, Kind, Result, HOST};

/// Where a file system lies in an image file, in bytes.
#[derive(Clone, Debug)]
pub struct Place {
    pub image: PathBuf,
    pub offset: u64,
    /// None: up to the end of the file.
    pub length: Option<u64>,
}

pub struct Part {
    file: File,
    path: PathBuf,
    offset: u64,
    length: u64,
    writable: bool,
    /// Data reaches the disk before the header that names it, and the header before we go on.
    durable: bool,
}

impl Part {
    pub fn open(place: &Place, writable: bool, durable: bool) -> Result<Part> {
        let file = OpenOptions::new()
            .read(true)
            .write(writable)
            .open(&place.image)
            .map_err(|e| Error::host(&place.image, e))?;
        let size = file.metadata().map_err(|e| Error::host(&place.image, e))?.len();
        let rest = size.checked_sub(place.offset).ok_or_else(|| short(&place.image, size, place.offset))?;
        let length = place.length.unwrap_or(rest);
        if length > rest {
            return Err(short(&place.image, size, place.offset.saturating_add(length)));
        }
        Ok(Part { file, path: place.image.clone(), offset: place.offset, length, writable, durable })
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    /// Brings everything to the disk, unless the caller does that.
    pub fn finish(&self) -> Result<()> {
        if !self.durable {
            return Ok(());
        }
        self.file.sync_all().map_err(|e| Error::host(&self.path, e))
    }

    fn at(&self, block: u64, len: usize) -> SysResult<u64> {
        let start = block.checked_mul(BLOCK_SIZE).ok_or(SysError::new(EIO))?;
        match start.checked_add(len as u64) {
            Some(end) if end <= self.length => Ok(self.offset + start),
            _ => {
                log::error!("block {block:#x} lies outside of the {} bytes of the file system", self.length);
                Err(SysError::new(EIO))
            }
        }
    }

    fn flush(&self) -> SysResult<()> {
        if self.durable {
            self.file.sync_data().map_err(failed)?;
        }
        Ok(())
    }
}

fn short(image: &Path, size: u64, want: u64) -> Error {
    let text = format!("{}: the image is truncated: {size} bytes, the file system needs {want}", image.display());
    Error::new(Kind::Truncated, "", text)
}

fn failed(err: std::io::Error) -> SysError {
    log::error!(target: HOST, "{err}");
    SysError::new(EIO)
}

impl Disk for Part {
    unsafe fn read_at(&mut self, block: u64, buffer: &mut [u8]) -> SysResult<usize> {
        let at = self.at(block, buffer.len())?;
        self.file.read_exact_at(buffer, at).map_err(failed)?;
        Ok(buffer.len())
    }

    unsafe fn write_at(&mut self, block: u64, buffer: &[u8]) -> SysResult<usize> {
        if !self.writable {
            return Err(SysError::new(EROFS));
        }
        let at = self.at(block, buffer.len())?;
        let header = block < HEADER_RING;
        if header {
            self.flush()?;
        }
        self.file.write_all_at(buffer, at).map_err(failed)?;
        if header {
            self.flush()?;
        }
        Ok(buffer.len())
    }

    fn size(&mut self) -> SysResult<u64> {
        Ok(self.length)
    }
}

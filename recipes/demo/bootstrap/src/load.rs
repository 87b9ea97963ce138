//! Puts the segments of a program where it was linked for.

use core::fmt;

use demo_abi as abi;
use demo_elf::{Elf, PT_LOAD, Segment};

/// Why a program was not loaded.
pub enum Error {
    NoSegments,
    /// Entry point outside of the executable segments.
    Entry,
    /// A segment that is writable and executable.
    WriteExecute(usize),
    /// The kernel would not map it: outside of user space, over the image, or over another segment.
    Map(usize, isize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoSegments => f.write_str("nothing to load"),
            Error::Entry => f.write_str("entry point outside of the code"),
            Error::WriteExecute(at) => write!(f, "segment at {at:#x} is writable and executable"),
            Error::Map(at, error) => write!(f, "segment at {at:#x} cannot be mapped (error {error})"),
        }
    }
}

/// Loads all segments and returns the address at which the program finds its own program headers, or 0.
pub fn load(elf: &Elf) -> Result<usize, Error> {
    let loads = || elf.segments().filter(|segment| segment.kind == PT_LOAD && segment.mem_size > 0);
    if loads().next().is_none() {
        return Err(Error::NoSegments);
    }
    let contains_entry = |s: &Segment| elf.entry >= s.vaddr && elf.entry - s.vaddr < s.file_size;
    if !loads().any(|segment| segment.flags as usize & abi::PROT_X != 0 && contains_entry(&segment)) {
        return Err(Error::Entry);
    }
    let mut headers = 0;
    for segment in loads() {
        load_segment(elf, &segment)?;
        if segment.offset <= elf.phoff && elf.phoff < segment.offset + segment.file_size {
            headers = segment.vaddr + (elf.phoff - segment.offset);
        }
    }
    Ok(headers)
}

fn load_segment(elf: &Elf, segment: &Segment) -> Result<(), Error> {
    let prot = segment.flags as usize & (abi::PROT_R | abi::PROT_W | abi::PROT_X);
    if prot & abi::PROT_W != 0 && prot & abi::PROT_X != 0 {
        return Err(Error::WriteExecute(segment.vaddr));
    }
    // What the kernel cannot map it refuses, so an overflow here only has to stay harmless.
    let start = segment.vaddr / abi::PAGE * abi::PAGE;
    let len = segment.vaddr.saturating_add(segment.mem_size).saturating_sub(start);
    let check = |result| if result < 0 { Err(Error::Map(segment.vaddr, result)) } else { Ok(()) };
    unsafe {
        check(abi::syscall(abi::SYS_MAP, start, len, abi::PROT_R | abi::PROT_W))?;
        let content = elf.content(segment);
        core::ptr::copy_nonoverlapping(content.as_ptr(), segment.vaddr as *mut u8, content.len());
        check(abi::syscall(abi::SYS_PROTECT, start, len, prot))
    }
}

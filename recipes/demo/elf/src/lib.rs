//! Reader of static aarch64 ELF files (System V gABI, ELF64, little-endian). Owns the header formats;
//! knows nothing of memory: who loads a segment decides where.

#![cfg_attr(not(test), no_std)]

pub const PT_LOAD: u32 = 1;
pub const PT_INTERP: u32 = 3;
pub const PT_TLS: u32 = 7;

const HEADER: usize = 64;
const PHENT: usize = 56;
const ET_EXEC: u16 = 2;
const EM_AARCH64: u16 = 183;

/// Why a file is not a static aarch64 program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    NotElf64Le,
    NotAarch64,
    /// Position-independent (ET_DYN), an object, or a core.
    NotExecutable,
    Interpreter,
    ProgramHeaders,
    Segment(usize),
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Error::NotElf64Le => f.write_str("not a little-endian ELF64 file"),
            Error::NotAarch64 => f.write_str("not for aarch64"),
            Error::NotExecutable => f.write_str("not a static executable (ET_EXEC)"),
            Error::Interpreter => f.write_str("asks for a dynamic linker"),
            Error::ProgramHeaders => f.write_str("program headers outside of the file"),
            Error::Segment(n) => write!(f, "segment {n} is damaged"),
        }
    }
}

/// One program header, with its file range known to be inside of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub kind: u32,
    pub flags: u32,
    pub offset: usize,
    pub vaddr: usize,
    pub file_size: usize,
    pub mem_size: usize,
    pub align: usize,
}

#[derive(Clone, Copy)]
pub struct Elf<'a> {
    data: &'a [u8],
    pub entry: usize,
    pub phoff: usize,
    pub phnum: usize,
}

impl<'a> Elf<'a> {
    /// `data` may be longer than the file.
    pub fn parse(data: &'a [u8]) -> Result<Self, Error> {
        if data.len() < HEADER || data[..7] != *b"\x7fELF\x02\x01\x01" {
            return Err(Error::NotElf64Le);
        }
        let elf = Elf {
            data,
            entry: u64_at(data, 24) as usize,
            phoff: u64_at(data, 32) as usize,
            phnum: u16_at(data, 56) as usize,
        };
        if u16_at(data, 18) != EM_AARCH64 {
            return Err(Error::NotAarch64);
        }
        if u16_at(data, 16) != ET_EXEC {
            return Err(Error::NotExecutable);
        }
        let end = elf.phoff.checked_add(elf.phnum * PHENT);
        if u16_at(data, 54) as usize != PHENT || end.is_none_or(|end| end > data.len()) {
            return Err(Error::ProgramHeaders);
        }
        for i in 0..elf.phnum {
            if elf.segment(i)?.kind == PT_INTERP {
                return Err(Error::Interpreter);
            }
        }
        Ok(elf)
    }

    /// All segments; those of `parse` were good, so are these.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        (0..self.phnum).filter_map(|i| self.segment(i).ok())
    }

    /// The bytes of a segment that are in the file.
    pub fn content(&self, segment: &Segment) -> &'a [u8] {
        &self.data[segment.offset..segment.offset + segment.file_size]
    }

    /// The length of the file by its own account: the end of the last thing a header points to. Whatever
    /// llvm-strip or a linker writes ends with the section header table.
    pub fn file_size(&self) -> usize {
        let (shoff, shent, shnum) =
            (u64_at(self.data, 40) as usize, u16_at(self.data, 58) as usize, u16_at(self.data, 60) as usize);
        let sections = shoff.saturating_add(shent * shnum);
        let headers = self.phoff + self.phnum * PHENT;
        self.segments().map(|s| s.offset + s.file_size).fold(sections.max(headers), usize::max)
    }

    fn segment(&self, i: usize) -> Result<Segment, Error> {
        let at = self.phoff + i * PHENT;
        let segment = Segment {
            kind: u32_at(self.data, at),
            flags: u32_at(self.data, at + 4),
            offset: u64_at(self.data, at + 8) as usize,
            vaddr: u64_at(self.data, at + 16) as usize,
            file_size: u64_at(self.data, at + 32) as usize,
            mem_size: u64_at(self.data, at + 40) as usize,
            align: u64_at(self.data, at + 48) as usize,
        };
        let in_file = segment.offset.checked_add(segment.file_size).is_some_and(|end| end <= self.data.len());
        let in_memory = segment.vaddr.checked_add(segment.mem_size).is_some();
        let loadable = segment.kind != PT_LOAD || segment.file_size <= segment.mem_size;
        if in_file && in_memory && loadable { Ok(segment) } else { Err(Error::Segment(i)) }
    }
}

fn array<const N: usize>(data: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&data[at..at + N]);
    out
}

fn u16_at(data: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(data, at))
}

fn u32_at(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(data, at))
}

fn u64_at(data: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(data, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut data = vec![0u8; 256];
        data[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        data[16] = 2;
        data[18] = 183;
        data[24..32].copy_from_slice(&0x2040u64.to_le_bytes());
        data[32] = 64; // phoff
        data[40] = 192; // shoff
        data[54] = 56;
        data[56] = 1; // phnum
        data[58] = 64;
        data[60] = 1; // shnum
        data[64] = 1; // PT_LOAD
        data[68] = 5;
        data[80..88].copy_from_slice(&0x2000u64.to_le_bytes());
        data[96] = 200;
        data[104] = 200;
        data
    }

    #[test]
    fn parses() {
        let mut data = sample();
        data.resize(300, 0);
        let elf = Elf::parse(&data).unwrap();
        assert_eq!((elf.entry, elf.file_size()), (0x2040, 256));
        let load = elf.segments().next().unwrap();
        assert_eq!((load.flags, load.vaddr, load.mem_size), (5, 0x2000, 200));
        assert_eq!(elf.content(&load).len(), 200);
    }

    #[test]
    fn refuses() {
        let cases: [(usize, u8, Error); 7] = [
            (4, 1, Error::NotElf64Le),
            (18, 62, Error::NotAarch64),
            (16, 3, Error::NotExecutable),
            (64, 3, Error::Interpreter),
            (33, 1, Error::ProgramHeaders),
            (104, 199, Error::Segment(0)),
            (97, 1, Error::Segment(0)),
        ];
        for (at, value, want) in cases {
            let mut data = sample();
            data[at] = value;
            assert_eq!(Elf::parse(&data).err(), Some(want), "byte {at} = {value}");
        }
        assert_eq!(Elf::parse(&sample()[..63]).err(), Some(Error::NotElf64Le));
    }

    #[test]
    fn never_panics() {
        for at in 0..256 {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut data = sample();
                data[at] = value;
                if let Ok(elf) = Elf::parse(&data) {
                    elf.segments().for_each(|s| assert!(elf.content(&s).len() <= 256));
                    elf.file_size();
                }
            }
            let _ = Elf::parse(&sample()[..at]);
        }
    }
}

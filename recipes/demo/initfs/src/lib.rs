//! Reader of the initfs image. Owns the layouts; knows nothing of who maps the image or runs its files.
//!
//! Everything is bounds-checked and nothing is allocated: an image is foreign input, and its reader is the first
//! code that runs in user space. Facts as in the tables the project's packer is written from:
//! two layouts share the magic, without a version field, so the length of the image decides.
//! All integers are little-endian, all structures packed.
//!
//! | off  | v1                                     | v2                                  |
//! |------|----------------------------------------|-------------------------------------|
//! | 0    | magic                                  | same                                |
//! | 8    | u32 inode_table_offset                 | same                                |
//! | 0x0c | u64 sec, u32 nsec                      | u64 size; u16 page_size; u16 root   |
//! | 0x18 | u16 inode_count                        | same                                |
//! | 0x1a | u64 bootstrap_entry                    | same; header ends                   |
//! | 0x22 | u64 size; u16 page_size; header ends   | -                                   |

#![cfg_attr(not(test), no_std)]

pub const MAGIC: &[u8; 8] = b"RedoxFtw";
pub const PAGE: u16 = 4096;
/// An image without bootstrap has this entry; whoever jumps there faults at FFFFFFFFFFFFFFFF.
pub const NO_ENTRY: u64 = u64::MAX;

const DIRENT: usize = 8;
/// Deep enough for any sane tree, small enough for the recursion of `walk`.
const MAX_DEPTH: usize = 8;
const MAX_PATH: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    V1,
    V2,
}

impl core::fmt::Display for Layout {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Layout::V1 => "v1",
            Layout::V2 => "v2",
        })
    }
}

/// Why an image cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    Magic,
    /// Neither layout has this image's length and page size 4096 in its header: truncated, padded or damaged.
    Size,
    InodeTable,
    Inode(u16),
    Directory(u16),
    Name(u16),
    Depth,
    NotFound,
    NotADirectory,
    NotAFile,
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Error::Magic => f.write_str("no initfs magic"),
            Error::Size => f.write_str("size in the header is not the size of the image (truncated?)"),
            Error::InodeTable => f.write_str("inode table outside of the image"),
            Error::Inode(n) => write!(f, "inode {n} is outside of the image or of unknown type"),
            Error::Directory(n) => write!(f, "directory of inode {n} is damaged"),
            Error::Name(n) => write!(f, "a name in the directory of inode {n} is damaged"),
            Error::Depth => f.write_str("directories too deep, or a loop"),
            Error::NotFound => f.write_str("not found"),
            Error::NotADirectory => f.write_str("not a directory"),
            Error::NotAFile => f.write_str("not a regular file"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Dir,
    Link,
}

/// One file, directory or link. `data` is the content, the directory table or the link's target.
#[derive(Clone, Copy, Debug)]
pub struct Inode<'a> {
    pub number: u16,
    pub kind: Kind,
    pub mode: u16,
    pub data: &'a [u8],
}

/// A whole image, header checked.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    data: &'a [u8],
    layout: Layout,
    inode_table: usize,
    inode_count: u16,
    root: u16,
    entry: u64,
}

impl<'a> Image<'a> {
    /// Reads the header. `data` must be exactly the image: its length tells the layouts apart.
    pub fn open(data: &'a [u8]) -> Result<Self, Error> {
        if data.get(..8) != Some(MAGIC) {
            return Err(Error::Magic);
        }
        let sized = |size_at, page_at| {
            get(data, size_at).map(u64::from_le_bytes) == Some(data.len() as u64)
                && get(data, page_at).map(u16::from_le_bytes) == Some(PAGE)
        };
        let layout = match (sized(0x22, 0x2a), sized(0x0c, 0x14)) {
            (_, true) => Layout::V2,
            (true, _) => Layout::V1,
            _ => return Err(Error::Size),
        };
        // Cannot fail any more: both headers reach further than offset 0x22.
        let word = |at| get(data, at).map(u16::from_le_bytes).ok_or(Error::Size);
        let image = Image {
            data,
            layout,
            inode_table: get(data, 8).map(u32::from_le_bytes).ok_or(Error::Size)? as usize,
            inode_count: word(0x18)?,
            root: if layout == Layout::V2 { word(0x16)? } else { 0 },
            entry: get(data, 0x1a).map(u64::from_le_bytes).ok_or(Error::Size)?,
        };
        let table = image.inode_count as usize * image.inode_size();
        if image.slice(image.inode_table, table).is_none() || image.root >= image.inode_count {
            return Err(Error::InodeTable);
        }
        Ok(image)
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    pub fn inode_count(&self) -> u16 {
        self.inode_count
    }

    /// The address the kernel jumps to, with the image mapped at 0x1000.
    pub fn entry(&self) -> u64 {
        self.entry
    }

    pub fn root(&self) -> Result<Inode<'a>, Error> {
        self.inode(self.root)
    }

    pub fn inode(&self, number: u16) -> Result<Inode<'a>, Error> {
        let bad = Error::Inode(number);
        if number >= self.inode_count {
            return Err(bad);
        }
        let at = self.inode_table + number as usize * self.inode_size();
        let word = |i: usize| get(self.data, at + i * 4).map(u32::from_le_bytes).ok_or(bad);
        let (tag, len, off) = (word(0)?, word(1)? as usize, word(2)? as usize);
        let (kind, mode) = match self.layout {
            Layout::V1 => {
                let mode = (tag & 0xfff) as u16;
                match tag >> 28 {
                    0 => (Kind::File, mode),
                    1 => (Kind::Dir, mode),
                    2 => (Kind::Link, mode),
                    _ => return Err(bad),
                }
            }
            Layout::V2 => match tag {
                0 => (Kind::File, 0o444),
                1 => (Kind::File, 0o555),
                2 => (Kind::Dir, 0o555),
                3 => (Kind::Link, 0o777),
                _ => return Err(bad),
            },
        };
        // Empty files may have any offset.
        let data = if len == 0 { &[][..] } else { self.slice(off, len).ok_or(bad)? };
        Ok(Inode { number, kind, mode, data })
    }

    /// The entries of a directory in the order of the image.
    pub fn entries(
        &self,
        dir: &Inode<'a>,
    ) -> Result<impl Iterator<Item = Result<(&'a [u8], u16), Error>> + use<'a>, Error> {
        if dir.kind != Kind::Dir {
            return Err(Error::NotADirectory);
        }
        if !dir.data.len().is_multiple_of(DIRENT) {
            return Err(Error::Directory(dir.number));
        }
        let (image, number) = (*self, dir.number);
        Ok(dir.data.chunks_exact(DIRENT).map(move |entry| {
            let inode = u16::from_le_bytes([entry[0], entry[1]]);
            let len = u16::from_le_bytes([entry[2], entry[3]]) as usize;
            let off = u32::from_le_bytes([entry[4], entry[5], entry[6], entry[7]]) as usize;
            let name = image.slice(off, len).ok_or(Error::Name(number))?;
            if name.is_empty() || name.contains(&0) || name.contains(&b'/') {
                return Err(Error::Name(number));
            }
            Ok((name, inode))
        }))
    }

    /// Looks up a path from the root; a leading slash is allowed, links are not followed.
    pub fn find(&self, path: &[u8]) -> Result<Inode<'a>, Error> {
        let mut node = self.root()?;
        for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty()) {
            let mut next = None;
            for entry in self.entries(&node)? {
                let (name, inode) = entry?;
                if name == part {
                    next = Some(inode);
                    break;
                }
            }
            node = self.inode(next.ok_or(Error::NotFound)?)?;
        }
        Ok(node)
    }

    /// The content of a regular file.
    pub fn read(&self, path: &[u8]) -> Result<&'a [u8], Error> {
        let node = self.find(path)?;
        if node.kind != Kind::File {
            return Err(Error::NotAFile);
        }
        Ok(node.data)
    }

    /// Calls `visit` with the path (no leading slash) of everything below the root, parents first.
    pub fn walk(&self, visit: &mut dyn FnMut(&[u8], &Inode<'a>)) -> Result<(), Error> {
        let mut path = [0; MAX_PATH];
        self.walk_dir(&self.root()?, &mut path, 0, 0, visit)
    }

    fn walk_dir(
        &self,
        dir: &Inode<'a>,
        path: &mut [u8; MAX_PATH],
        len: usize,
        depth: usize,
        visit: &mut dyn FnMut(&[u8], &Inode<'a>),
    ) -> Result<(), Error> {
        if depth == MAX_DEPTH {
            return Err(Error::Depth);
        }
        for entry in self.entries(dir)? {
            let (name, number) = entry?;
            let start = if len == 0 { 0 } else { len + 1 };
            let end = start + name.len();
            path.get_mut(start..end).ok_or(Error::Name(dir.number))?.copy_from_slice(name);
            if len != 0 {
                path[len] = b'/';
            }
            let node = self.inode(number)?;
            visit(&path[..end], &node);
            if node.kind == Kind::Dir {
                self.walk_dir(&node, path, end, depth + 1, visit)?;
            }
        }
        Ok(())
    }

    fn inode_size(&self) -> usize {
        match self.layout {
            Layout::V1 => 20,
            Layout::V2 => 12,
        }
    }

    fn slice(&self, off: usize, len: usize) -> Option<&'a [u8]> {
        self.data.get(off..off.checked_add(len)?)
    }
}

fn get<const N: usize>(data: &[u8], at: usize) -> Option<[u8; N]> {
    data.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// bin/{init: "hello"}, empty; inodes at 64, tables and names behind them.
    fn sample(layout: Layout) -> Vec<u8> {
        let mut data = vec![0u8; 4096];
        data[..8].copy_from_slice(MAGIC);
        data[8..12].copy_from_slice(&64u32.to_le_bytes());
        data[0x18..0x1a].copy_from_slice(&4u16.to_le_bytes());
        data[0x1a..0x22].copy_from_slice(&0x2100u64.to_le_bytes());
        let (size, page, inode) = match layout {
            Layout::V1 => (0x22, 0x2a, 20),
            Layout::V2 => (0x0c, 0x14, 12),
        };
        data[size..size + 8].copy_from_slice(&4096u64.to_le_bytes());
        data[page..page + 2].copy_from_slice(&4096u16.to_le_bytes());
        let (file, dir) = match layout {
            Layout::V1 => (0o755, 1 << 28 | 0o755),
            Layout::V2 => (1, 2),
        };
        let inodes = [(dir, 16u32, 256u32), (dir, 8, 272), (file, 5, 320), (file, 0, 0)];
        for (i, (tag, len, off)) in inodes.into_iter().enumerate() {
            let at = 64 + i * inode;
            data[at..at + 4].copy_from_slice(&u32::to_le_bytes(tag));
            data[at + 4..at + 8].copy_from_slice(&len.to_le_bytes());
            data[at + 8..at + 12].copy_from_slice(&off.to_le_bytes());
        }
        for (at, inode, len, off) in [(256, 1u16, 3u16, 300u32), (264, 3, 5, 308), (272, 2, 4, 303)] {
            data[at..at + 2].copy_from_slice(&inode.to_le_bytes());
            data[at + 2..at + 4].copy_from_slice(&len.to_le_bytes());
            data[at + 4..at + 8].copy_from_slice(&off.to_le_bytes());
        }
        data[300..313].copy_from_slice(b"bininit\0empty");
        data[320..325].copy_from_slice(b"hello");
        data
    }

    #[test]
    fn reads_both_layouts() {
        for layout in [Layout::V1, Layout::V2] {
            let data = sample(layout);
            let image = Image::open(&data).unwrap();
            assert_eq!((image.layout(), image.entry()), (layout, 0x2100));
            assert_eq!(image.read(b"/bin/init"), Ok(&b"hello"[..]));
            assert_eq!(image.read(b"empty"), Ok(&b""[..]));
            assert_eq!(image.read(b"bin"), Err(Error::NotAFile));
            assert_eq!(image.read(b"bin/nothing"), Err(Error::NotFound));
            assert_eq!(image.read(b"empty/x"), Err(Error::NotADirectory));
            let mut seen = Vec::new();
            image.walk(&mut |path, _| seen.push(String::from_utf8(path.to_vec()).unwrap())).unwrap();
            assert_eq!(seen, ["bin", "bin/init", "empty"]);
        }
    }

    #[test]
    fn refuses_what_is_damaged() {
        let good = sample(Layout::V1);
        let edit = |at: usize, with: &[u8]| {
            let mut data = good.clone();
            data[at..at + with.len()].copy_from_slice(with);
            data
        };
        let open = |data: &[u8]| Image::open(data).err();
        assert_eq!(open(&good[..4095]), Some(Error::Size));
        assert_eq!(open(&good[..7]), Some(Error::Magic));
        assert_eq!(open(&edit(0, b"X")), Some(Error::Magic));
        assert_eq!(open(&edit(0x2a, &[0, 8])), Some(Error::Size));
        assert_eq!(open(&edit(8, &[0xff; 4])), Some(Error::InodeTable));

        let read = |data: &[u8]| Image::open(data).unwrap().read(b"bin/init").err();
        assert_eq!(read(&edit(64 + 40 + 4, &[0xff; 4])), Some(Error::Inode(2)));
        assert_eq!(read(&edit(64 + 4, &[15])), Some(Error::Directory(0)));
        assert_eq!(read(&edit(260, &[0xff; 4])), Some(Error::Name(0)));
        // bin contains itself
        let looped = edit(272, &[1, 0]);
        assert_eq!(Image::open(&looped).unwrap().walk(&mut |_, _| ()), Err(Error::Depth));
    }

    /// Every single damaged byte and every truncation: an answer, never a panic.
    #[test]
    fn never_panics() {
        for layout in [Layout::V1, Layout::V2] {
            let good = sample(layout);
            for at in 0..330 {
                for value in [0, 1, 0x7f, 0xff] {
                    let mut data = good.clone();
                    data[at] = value;
                    if let Ok(image) = Image::open(&data) {
                        let _ = image.walk(&mut |path, _| {
                            let _ = image.find(path);
                        });
                    }
                }
                assert!(Image::open(&good[..at]).is_err());
            }
        }
    }
}

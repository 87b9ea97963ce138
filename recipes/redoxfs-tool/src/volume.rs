//! Opening, making and closing a file system.

use redoxfs::{
    BlockAddr, BlockMeta, Disk, FileSystem, Header, Node, Transaction, TreeData, TreePtr, ALLOC_GC_THRESHOLD,
    BLOCK_SIZE, HEADER_RING, SIGNATURE, VERSION,
};
use syscall::error::{Error as SysError, EIO};

use crate::disk::{Part, Place};
use crate::error::{Error, Kind, Result};

pub type Tx<'a> = Transaction<'a, Part>;

/// The longest name, in bytes.
pub const NAME_MAX: usize = redoxfs::DIR_ENTRY_MAX_LENGTH;

pub struct Volume {
    pub fs: FileSystem<Part>,
}

/// What the ring of headers shows.
pub struct Ring {
    /// Slot of the newest valid header.
    pub newest: u64,
    /// Slots that hold something which is no valid header.
    pub damaged: Vec<u64>,
}

impl Volume {
    pub fn open(place: &Place, writable: bool, durable: bool) -> Result<(Volume, Ring)> {
        let mut part = Part::open(place, writable, durable)?;
        let (header, ring) = read_ring(&mut part)?;
        if header.encrypted() {
            return Err(Error::new(Kind::Encrypted, "", "the file system is encrypted, which this tool does not read"));
        }
        if header.size() > part.length() {
            let text =
                format!("the image is truncated: {} bytes, the file system says {}", part.length(), header.size());
            return Err(Error::new(Kind::Truncated, "", text));
        }
        let fs = FileSystem::open(part, None, Some(ring.newest), false).map_err(|e| Error::fs("", e))?;
        Ok((Volume { fs }, ring))
    }

    /// Opens for writing. A damaged slot in the ring may have been the newest header, so
    /// that what is left is not what was written last: nothing is built on that.
    pub fn open_to_write(place: &Place, durable: bool) -> Result<Volume> {
        let (v, ring) = Volume::open(place, true, durable)?;
        match ring.damaged.first() {
            Some(slot) => Err(damaged_slot(*slot)),
            None => Ok(v),
        }
    }

    /// Makes an empty file system. `uuid` and `time` are all that would differ from one time to the next.
    pub fn create(place: &Place, uuid: [u8; 16], time: u64, durable: bool) -> Result<Volume> {
        let mut part = Part::open(place, true, durable)?;
        let blocks = part.length() / BLOCK_SIZE;
        if blocks < HEADER_RING + 8 {
            let text = format!(
                "{} bytes are too few for a file system: at least {}",
                part.length(),
                (HEADER_RING + 8) * BLOCK_SIZE
            );
            return Err(Error::new(Kind::Full, "", text));
        }
        clear_ring(&mut part, 0)?;
        let mut fs = FileSystem::create(part, None, time, 0).map_err(|e| Error::fs("", e))?;
        fs.header.uuid = uuid;
        let mut v = Volume { fs };
        v.seal()?;
        Ok(v)
    }

    /// Runs `f`, which only reads. Nothing is committed: at some generations the crate would
    /// take that as the occasion to compact its allocation log.
    pub fn look<T>(&mut self, f: impl FnOnce(&mut Tx) -> Result<T>) -> Result<T> {
        let mut out = None;
        let done = self.fs.tx(|tx| -> syscall::error::Result<()> {
            out = Some(f(tx));
            Err(SysError::new(EIO))
        });
        match (out, done) {
            (Some(result), _) => result,
            (None, _) => Err(Error::new(Kind::Io, "", "the transaction did not run")),
        }
    }

    /// Runs `f` as one transaction: all of it is written or, when it fails, nothing.
    pub fn tx<T>(&mut self, f: impl FnOnce(&mut Tx) -> Result<T>) -> Result<T> {
        let mut out = None;
        let done = self.fs.tx(|tx| match f(tx) {
            Ok(v) => {
                out = Some(Ok(v));
                Ok(())
            }
            Err(e) => {
                out = Some(Err(e));
                Err(SysError::new(EIO))
            }
        });
        match (out, done) {
            (Some(Err(e)), _) => Err(e),
            (Some(Ok(v)), Ok(())) => Ok(v),
            (_, Err(e)) => Err(Error::fs("", e)),
            (None, Ok(())) => Err(Error::new(Kind::Io, "", "the transaction did not run")),
        }
    }

    /// Makes the file system fill its place, which must not be smaller than it is.
    pub fn grow(&mut self) -> Result<()> {
        let old = self.fs.header.size() / BLOCK_SIZE;
        let new = self.fs.disk.length() / BLOCK_SIZE;
        if new <= old {
            return Err(Error::new(
                Kind::Full,
                "",
                format!("the file system has {old} blocks and its place has {new}"),
            ));
        }
        for block in old..new {
            // SAFETY: these blocks were not part of the file system until now.
            unsafe { self.fs.allocator_mut().deallocate(BlockAddr::new(block, BlockMeta::default())) };
        }
        self.tx(|tx| {
            tx.header.size = (new * BLOCK_SIZE).into();
            tx.header_changed = true;
            tx.sync(true).map_err(|e| Error::fs("", e)).map(|_| ())
        })
    }

    /// Compacts the allocation log and leaves one header, in slot 0: the boot loader probes
    /// only that slot, and with one header a damaged one cannot pass for an older state.
    pub fn finish(mut self) -> Result<()> {
        self.fs.cleanup().map_err(|e| Error::fs("", e))?;
        self.seal()?;
        self.fs.disk.finish()
    }

    fn seal(&mut self) -> Result<()> {
        let mut header = self.fs.header;
        while !boots(header.update(None)) {}
        // Should this write tear, the newest header is still in another slot.
        unsafe { self.fs.disk.write_at(self.fs.block, &header) }.map_err(|e| Error::fs("", e))?;
        self.fs.header = header;
        clear_ring(&mut self.fs.disk, 1)
    }
}

/// Whether a generation's header lies in slot 0 and does not make readers write: at multiples of the threshold the crate
/// compacts its allocation log in any transaction, and the boot loader, which cannot write, panics.
fn boots(generation: u64) -> bool {
    generation.is_multiple_of(HEADER_RING) && !generation.is_multiple_of(ALLOC_GC_THRESHOLD)
}

/// Zeroes the header slots from `first` on that are not zero yet, so that a sparse file stays sparse.
fn clear_ring(part: &mut Part, first: u64) -> Result<()> {
    let zero = [0u8; BLOCK_SIZE as usize];
    for slot in first..HEADER_RING {
        let mut block = zero;
        unsafe { part.read_at(slot, &mut block) }.map_err(|e| Error::fs("", e))?;
        if block != zero {
            unsafe { part.write_at(slot, &zero) }.map_err(|e| Error::fs("", e))?;
        }
    }
    Ok(())
}

fn read_ring(part: &mut Part) -> Result<(Header, Ring)> {
    if part.length() < HEADER_RING * BLOCK_SIZE {
        let text = format!("the image is truncated: {} bytes do not hold the headers of a file system", part.length());
        return Err(Error::new(Kind::Truncated, "", text));
    }
    let mut newest: Option<(u64, Header)> = None;
    let mut damaged = Vec::new();
    let mut version = None;
    for slot in 0..HEADER_RING {
        let mut header = Header::default();
        unsafe { part.read_at(slot, &mut header) }.map_err(|e| Error::fs("", e))?;
        if header.valid() && header.generation() % HEADER_RING == slot {
            if newest.as_ref().is_none_or(|(_, n)| header.generation() > n.generation()) {
                newest = Some((slot, header));
            }
        } else if &{ header.signature } == SIGNATURE && { header.version }.to_ne() != VERSION {
            version = Some({ header.version }.to_ne());
        } else if header.iter().any(|b| *b != 0) {
            damaged.push(slot);
        }
    }
    match (newest, version) {
        (Some((slot, header)), _) => Ok((header, Ring { newest: slot, damaged })),
        (None, Some(v)) => {
            let text = format!("the file system has version {v}, this tool knows version {VERSION}");
            Err(Error::new(Kind::Version, "", text))
        }
        (None, None) => match damaged.first() {
            Some(slot) if has_signature(part, *slot) => Err(damaged_slot(*slot)),
            _ => Err(Error::new(Kind::NotRedoxFS, "", "there is no RedoxFS at this place of the image")),
        },
    }
}

fn has_signature(part: &mut Part, slot: u64) -> bool {
    let mut header = Header::default();
    unsafe { part.read_at(slot, &mut header) }.is_ok() && &{ header.signature } == SIGNATURE
}

pub fn damaged_slot(slot: u64) -> Error {
    Error::new(
        Kind::Corrupt,
        "",
        format!("the file system is damaged: slot {slot} of the header ring holds no valid header"),
    )
}

/// The parts of a path. Every one is a name that RedoxFS can hold.
pub fn parts(path: &str) -> Result<Vec<&str>> {
    let inner = path.trim_matches('/');
    if inner.is_empty() {
        return Ok(Vec::new());
    }
    inner.split('/').map(|name| check_name(path, name).map(|_| name)).collect()
}

fn check_name(path: &str, name: &str) -> Result<()> {
    let fail = |text: String| Err(Error::new(Kind::Name, path, text));
    match name {
        "" | "." | ".." => fail(format!("{name:?} is no name in a path of an image")),
        _ if name.len() > NAME_MAX => fail(format!("a name of {} bytes: RedoxFS has room for {NAME_MAX}", name.len())),
        _ if name.contains(':') => fail(format!("{name:?} has a colon, which separates the scheme in Redox")),
        _ if name.contains('\0') => fail("a name with a NUL byte".into()),
        _ => Ok(()),
    }
}

/// Finds the node of a path. The last part may be a link, a part before it may not: what a
/// link leads to is decided by the guest's name space.
pub fn find(tx: &mut Tx, path: &str) -> Result<TreeData<Node>> {
    let names = parts(path)?;
    walk(tx, path, &names)
}

/// Finds the directory that a path ends in, and the last name.
pub fn find_parent<'p>(tx: &mut Tx, path: &'p str) -> Result<(TreeData<Node>, &'p str)> {
    let names = parts(path)?;
    match names.split_last() {
        None => Err(Error::new(Kind::Name, path, "the root directory cannot be made, replaced or removed")),
        Some((last, above)) => {
            let dir = walk(tx, path, above)?;
            require_dir(path, above, &dir)?;
            Ok((dir, last))
        }
    }
}

pub fn walk(tx: &mut Tx, path: &str, names: &[&str]) -> Result<TreeData<Node>> {
    let mut node = tx.read_tree(TreePtr::<Node>::root()).map_err(|e| Error::fs(path, e))?;
    for (i, name) in names.iter().enumerate() {
        require_dir(path, &names[..i], &node)?;
        node = tx.find_node(node.ptr(), name).map_err(|e| Error::fs(&join(&names[..=i]), e))?;
    }
    Ok(node)
}

fn require_dir(path: &str, names: &[&str], node: &TreeData<Node>) -> Result<()> {
    if node.data().is_dir() {
        return Ok(());
    }
    let at = join(names);
    if node.data().is_symlink() {
        return Err(Error::new(Kind::Link, path, format!("{at} is a symbolic link; a path through a link is refused")));
    }
    Err(Error::new(Kind::NotDirectory, path, format!("{at} is no directory")))
}

pub fn join(names: &[&str]) -> String {
    format!("/{}", names.join("/"))
}

//! What RedoxFS asks of its disk, and what survives when the power goes.
//!
//! The disk of these tests has a cache like a real one: what is written goes to the cache, a flush
//! moves the cache to the medium, and a power failure leaves any part of the cache behind. It
//! remembers the order of everything.

use redoxfs::{Disk, DiskCache, FileSystem, Node, TreePtr, BLOCK_SIZE};
use std::cell::RefCell;
use std::rc::Rc;
use syscall::error::{Error, Result, EIO};

const BLOCK: usize = BLOCK_SIZE as usize;
const SIZE: usize = 4 * 1024 * 1024;
/// The headers' blocks; everything behind them is data to these tests.
const HEADERS: u64 = 256;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    Header,
    Data,
    Flush,
}

#[derive(Default)]
struct State {
    medium: Vec<u8>,
    /// Written and not flushed, in order: first block and bytes.
    cache: Vec<(u64, Vec<u8>)>,
    events: Vec<Event>,
    /// The medium as a power failure at each flush would leave it at worst: with
    /// the headers of the cache and nothing else of it.
    worst: Vec<Vec<u8>>,
    failing: bool,
}

impl State {
    fn put(medium: &mut [u8], block: u64, bytes: &[u8]) {
        let at = block as usize * BLOCK;
        medium[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// A power failure now; keep says which of the cached writes made it.
    fn after_power_failure(&self, keep: impl Fn(u64) -> bool) -> Vec<u8> {
        let mut medium = self.medium.clone();
        for (block, bytes) in &self.cache {
            if keep(*block) {
                Self::put(&mut medium, *block, bytes);
            }
        }
        medium
    }
}

#[derive(Clone)]
struct Recorder(Rc<RefCell<State>>);

impl Recorder {
    fn new(medium: Vec<u8>) -> Self {
        Self(Rc::new(RefCell::new(State {
            medium,
            ..State::default()
        })))
    }
}

impl Disk for Recorder {
    unsafe fn read_at(&mut self, block: u64, buffer: &mut [u8]) -> Result<usize> {
        let state = self.0.borrow();
        let at = block as usize * BLOCK;
        let seen = state.after_power_failure(|_| true);
        let bytes = seen.get(at..at + buffer.len()).ok_or(Error::new(EIO))?;
        buffer.copy_from_slice(bytes);
        Ok(buffer.len())
    }

    unsafe fn write_at(&mut self, block: u64, buffer: &[u8]) -> Result<usize> {
        let mut state = self.0.borrow_mut();
        if (block as usize * BLOCK) + buffer.len() > SIZE {
            return Err(Error::new(EIO));
        }
        state.events.push(if block < HEADERS { Event::Header } else { Event::Data });
        state.cache.push((block, buffer.to_vec()));
        Ok(buffer.len())
    }

    fn size(&mut self) -> Result<u64> {
        Ok(SIZE as u64)
    }

    fn flush(&mut self) -> Result<()> {
        let mut state = self.0.borrow_mut();
        if state.failing {
            return Err(Error::new(EIO));
        }
        let worst = state.after_power_failure(|block| block < HEADERS);
        state.worst.push(worst);
        state.events.push(Event::Flush);
        state.medium = state.after_power_failure(|_| true);
        state.cache.clear();
        Ok(())
    }
}

fn fresh() -> (FileSystem<Recorder>, Recorder) {
    let disk = Recorder::new(vec![0; SIZE]);
    let fs = FileSystem::create(disk.clone(), None, 1, 0).unwrap();
    disk.0.borrow_mut().events.clear();
    disk.0.borrow_mut().worst.clear();
    (fs, disk)
}

fn write<D: Disk>(fs: &mut FileSystem<D>, name: &str, content: &[u8]) -> Result<()> {
    fs.tx(|tx| {
        let node = tx.create_node(TreePtr::<Node>::root(), name, Node::MODE_FILE | 0o644, 1, 0)?;
        tx.write_node(node.ptr(), 0, content, 1, 0)?;
        Ok(())
    })
}

/// The content of a file on a medium, None when there is no such file. Panics when the file system is broken.
fn content(medium: Vec<u8>, name: &str) -> Option<Vec<u8>> {
    let mut fs = FileSystem::open(Recorder::new(medium), None, None, false).expect("no file system any more");
    fs.tx(|tx| {
        let node = match tx.find_node(TreePtr::root(), name) {
            Ok(node) => node,
            Err(err) if err.errno == syscall::error::ENOENT => return Ok(None),
            Err(err) => panic!("the folder cannot be read: {err}"),
        };
        let mut bytes = vec![0; node.data().size() as usize];
        let count = tx.read_node(node.ptr(), 0, &mut bytes, 1, 0).expect("the file cannot be read");
        bytes.truncate(count);
        Ok(Some(bytes))
    })
    .unwrap()
}

#[test]
fn blocks_then_flush_then_header_then_flush() {
    let (mut fs, disk) = fresh();
    write(&mut fs, "a", &[7; 3 * BLOCK]).unwrap();
    let events = disk.0.borrow().events.clone();
    let headers: Vec<usize> = (0..events.len()).filter(|&i| events[i] == Event::Header).collect();
    assert!(!headers.is_empty(), "no header was written: {events:?}");
    for i in headers {
        assert!(events[..i].contains(&Event::Data), "a header without blocks: {events:?}");
        assert_eq!(events[i - 1], Event::Flush, "the blocks are not flushed before the header: {events:?}");
        assert_eq!(events.get(i + 1), Some(&Event::Flush), "the header is not flushed: {events:?}");
    }
}

#[test]
fn what_was_committed_survives_a_power_failure() {
    let (mut fs, disk) = fresh();
    write(&mut fs, "a", b"kept").unwrap();
    let medium = disk.0.borrow().after_power_failure(|_| false);
    assert_eq!(content(medium, "a").as_deref(), Some(&b"kept"[..]));
}

#[test]
fn a_header_that_overtakes_its_blocks_breaks_nothing() {
    let (mut fs, disk) = fresh();
    let old = vec![1u8; 2 * BLOCK];
    write(&mut fs, "old", &old).unwrap();
    for i in 0..20u8 {
        write(&mut fs, &format!("new{i}"), &vec![i; 2 * BLOCK]).unwrap();
    }
    let worst = disk.0.borrow().worst.clone();
    assert!(worst.len() >= 21, "only {} flushes for 21 transactions", worst.len());
    for (n, medium) in worst.into_iter().enumerate().skip(2) {
        assert_eq!(content(medium.clone(), "old"), Some(old.clone()), "power failure at flush {n}");
        for i in 0..20u8 {
            let new = content(medium.clone(), &format!("new{i}"));
            assert!(new.is_none() || new == Some(vec![i; 2 * BLOCK]), "power failure at flush {n}: new{i} is half there");
        }
    }
}

#[test]
fn a_failed_flush_fails_the_transaction() {
    let (mut fs, disk) = fresh();
    disk.0.borrow_mut().failing = true;
    assert_eq!(write(&mut fs, "a", b"lost").unwrap_err().errno, EIO);
}

#[test]
fn the_cache_passes_the_flush_on() {
    let recorder = Recorder::new(vec![0; SIZE]);
    DiskCache::new(recorder.clone()).flush().unwrap();
    assert_eq!(recorder.0.borrow().events, [Event::Flush]);
}

#[test]
fn a_flush_without_writing_writes_nothing() {
    let (mut fs, disk) = fresh();
    fs.tx(|_| Ok(())).unwrap();
    assert_eq!(disk.0.borrow().events, []);
}

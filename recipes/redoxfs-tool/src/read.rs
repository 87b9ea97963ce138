//! Commands that look: ls, stat, cat, get, df.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{symlink, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use redoxfs::{Node, TreeData, TreePtr, BLOCK_SIZE};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use crate::error::{Error, Kind, Result};
use crate::volume::{find, Tx, Volume};

/// Data is read in pieces of whole records.
const PIECE: usize = 1 << 20;

/// Deeper trees are refused. A path of 4096 bytes, the most that host and guest take, has fewer parts.
pub const DEPTH: usize = 2048;

/// What ls and stat tell of a node.
pub fn describe(tx: &mut Tx, path: &str, node: &TreeData<Node>, digest: bool) -> Result<Value> {
    let n = node.data();
    let (mtime, nsec) = n.mtime();
    let mut v = json!({
        "path": path, "type": type_of(n), "mode": n.mode() & Node::MODE_PERM, "uid": n.uid(), "gid": n.gid(),
        "links": n.links(), "blocks": n.blocks(), "mtime": mtime, "mtime_nsec": nsec,
    });
    if !n.is_dir() {
        v["size"] = json!(n.size());
    }
    if n.is_symlink() {
        v["target"] = json!(link_target(tx, path, node)?);
    } else if digest && n.is_file() {
        let mut h = Sha256::new();
        read_all(tx, path, node, |b| {
            h.update(b);
            Ok(())
        })?;
        v["sha256"] = json!(h.finalize().iter().map(|b| format!("{b:02x}")).collect::<String>());
    }
    Ok(v)
}

pub fn type_of(n: &Node) -> &'static str {
    match n.mode() & Node::MODE_TYPE {
        Node::MODE_FILE => "file",
        Node::MODE_DIR => "dir",
        Node::MODE_SYMLINK => "link",
        _ => "other",
    }
}

pub fn link_target(tx: &mut Tx, path: &str, node: &TreeData<Node>) -> Result<String> {
    let mut text = Vec::new();
    if node.data().size() > 4096 {
        return Err(Error::new(Kind::Corrupt, path, "a link's target of more than 4096 bytes"));
    }
    read_all(tx, path, node, |b| {
        text.extend_from_slice(b);
        Ok(())
    })?;
    String::from_utf8(text).map_err(|_| Error::new(Kind::Corrupt, path, "a link's target that is not UTF-8"))
}

/// Hands the content of a file or link over, piece by piece.
pub fn read_all(tx: &mut Tx, path: &str, node: &TreeData<Node>, mut to: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let size = node.data().size();
    let mut buf = vec![0; PIECE.min(usize::try_from(size).unwrap_or(PIECE)).max(1)];
    let mut at = 0;
    while at < size {
        let n = tx.read_node_inner(node, at, &mut buf).map_err(|e| Error::fs(path, e))?;
        if n == 0 {
            return Err(Error::new(Kind::Corrupt, path, format!("the data ends at {at} of {size} bytes")));
        }
        to(&buf[..n])?;
        at += n as u64;
    }
    Ok(())
}

/// The entries of a directory, by name.
pub fn children(tx: &mut Tx, path: &str, dir: TreePtr<Node>) -> Result<Vec<(String, TreePtr<Node>)>> {
    let mut entries = Vec::new();
    tx.child_nodes(dir, &mut entries).map_err(|e| Error::fs(path, e))?;
    let mut out = Vec::with_capacity(entries.len());
    for e in entries {
        let name = e.name().ok_or_else(|| Error::new(Kind::Corrupt, path, "a name that is not UTF-8"))?;
        if name.is_empty() || name.contains('/') || name == "." || name == ".." {
            return Err(Error::new(Kind::Corrupt, path, format!("the directory has an entry named {name:?}")));
        }
        out.push((name.to_string(), e.node_ptr()));
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(out)
}

/// What visit calls.
pub type Visitor<'a> = dyn FnMut(&mut Tx, &str, &TreeData<Node>) -> Result<()> + 'a;

/// Visits a node and everything below it, parents first.
pub fn visit(tx: &mut Tx, path: &str, node: &TreeData<Node>, f: &mut Visitor) -> Result<()> {
    Walk { f, seen: BTreeSet::new() }.node(tx, path, node, 0)
}

struct Walk<'a, 'b> {
    f: &'a mut Visitor<'b>,
    /// Directories. A damaged image can hold one that contains itself, even twice.
    seen: BTreeSet<u32>,
}

impl Walk<'_, '_> {
    fn node(&mut self, tx: &mut Tx, path: &str, node: &TreeData<Node>, depth: usize) -> Result<()> {
        (self.f)(tx, path, node)?;
        if !node.data().is_dir() {
            return Ok(());
        }
        if !self.seen.insert(node.id()) {
            return Err(Error::new(Kind::Corrupt, path, "a second name of what is no file"));
        }
        if depth == DEPTH {
            return Err(Error::new(Kind::Corrupt, path, format!("directories nested more than {DEPTH} deep")));
        }
        for (name, ptr) in children(tx, path, node.ptr())? {
            let below = format!("{}/{name}", path.trim_end_matches('/'));
            let child = tx.read_tree(ptr).map_err(|e| Error::fs(&below, e))?;
            self.node(tx, &below, &child, depth + 1)?;
        }
        Ok(())
    }
}

pub fn clean(path: &str) -> String {
    format!("/{}", path.trim_matches('/'))
}

pub fn ls(v: &mut Volume, path: &str, recursive: bool, digest: bool) -> Result<Value> {
    v.look(|tx| {
        let node = find(tx, path)?;
        let top = clean(path);
        let mut nodes = Vec::new();
        if recursive {
            visit(tx, &top, &node, &mut |tx, p, n| {
                nodes.push(describe(tx, p, n, digest)?);
                Ok(())
            })?;
        } else if node.data().is_dir() {
            for (name, ptr) in children(tx, path, node.ptr())? {
                let below = format!("{}/{name}", top.trim_end_matches('/'));
                let child = tx.read_tree(ptr).map_err(|e| Error::fs(&below, e))?;
                nodes.push(describe(tx, &below, &child, digest)?);
            }
        } else {
            nodes.push(describe(tx, &top, &node, digest)?);
        }
        Ok(json!({ "nodes": nodes }))
    })
}

pub fn stat(v: &mut Volume, path: &str, digest: bool) -> Result<Value> {
    v.look(|tx| {
        let node = find(tx, path)?;
        describe(tx, &clean(path), &node, digest)
    })
}

pub fn cat(v: &mut Volume, path: &str, out: &mut dyn Write) -> Result<()> {
    v.look(|tx| {
        let node = find(tx, path)?;
        if node.data().is_dir() {
            return Err(Error::new(Kind::IsDirectory, path, "is a directory"));
        }
        if !node.data().is_file() {
            return Err(Error::new(Kind::Link, path, "is no regular file; stat shows where a link leads"));
        }
        read_all(tx, path, &node, |b| out.write_all(b).map_err(|e| Error::host(Path::new("output"), e)))
    })?;
    out.flush().map_err(|e| Error::host(Path::new("output"), e))
}

/// Copies a file or tree to the host. `to` must not be there yet.
pub fn get(v: &mut Volume, path: &str, to: &Path) -> Result<Value> {
    v.look(|tx| {
        let node = find(tx, path)?;
        let top = clean(path);
        let mut nodes = Vec::new();
        let mut dirs = Vec::new();
        visit(tx, &top, &node, &mut |tx, p, n| {
            let below = p.strip_prefix(top.as_str()).unwrap_or("").trim_start_matches('/');
            let host = if below.is_empty() { to.to_path_buf() } else { to.join(below) };
            get_one(tx, p, n, &host)?;
            if n.data().is_dir() {
                dirs.push((host, n.data().mode(), n.data().mtime()));
            }
            nodes.push(describe(tx, p, n, false)?);
            Ok(())
        })?;
        // Last, for a directory may be read-only and gets a new time with every entry.
        for (host, mode, mtime) in dirs.iter().rev() {
            set_meta(host, *mode | 0o700, *mtime)?;
        }
        Ok(json!({ "nodes": nodes }))
    })
}

fn get_one(tx: &mut Tx, path: &str, node: &TreeData<Node>, host: &Path) -> Result<()> {
    let n = node.data();
    let fail = |e| Error::host(host, e);
    if n.is_dir() {
        return fs::create_dir(host).map_err(fail);
    }
    if n.is_symlink() {
        return symlink(link_target(tx, path, node)?, host).map_err(fail);
    }
    if !n.is_file() {
        return Ok(()); // sockets live as long as the guest
    }
    let out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(host).map_err(fail)?;
    // First, so that a size that the host cannot hold is refused before it is gone through.
    out.set_len(n.size()).map_err(fail)?;
    let mut at = 0;
    read_all(tx, path, node, |b| {
        write_sparse(&out, b, at).map_err(|e| Error::host(host, e))?;
        at += b.len() as u64;
        Ok(())
    })?;
    drop(out);
    set_meta(host, n.mode() | 0o600, n.mtime())
}

/// Writes what is not zero: a file of the guest may be larger than the host's disk and hold little.
fn write_sparse(out: &fs::File, b: &[u8], at: u64) -> std::io::Result<()> {
    const STEP: usize = 64 << 10;
    for (i, step) in b.chunks(STEP).enumerate() {
        if step.iter().any(|b| *b != 0) {
            out.write_all_at(step, at + (i * STEP) as u64)?;
        }
    }
    Ok(())
}

/// Owners are not set: they are the guest's, and setting them takes root. Callers add what our user needs to read and remove
/// the copy.
fn set_meta(host: &Path, mode: u16, (sec, nsec): (u64, u32)) -> Result<()> {
    let fail = |e| Error::host(host, e);
    let file = fs::File::open(host).map_err(fail)?;
    if let Some(t) = SystemTime::UNIX_EPOCH.checked_add(Duration::new(sec, nsec.min(999_999_999))) {
        let _ = file.set_modified(t); // a time the host cannot hold is no reason to fail
    }
    // No set-uid bits on the host: the owner is another there.
    fs::set_permissions(host, fs::Permissions::from_mode(u32::from(mode & 0o777))).map_err(fail)
}

pub fn df(v: &Volume) -> Value {
    let h = v.fs.header;
    let (size, free) = (h.size() / BLOCK_SIZE, v.fs.allocator().free());
    let uuid: String = h.uuid().iter().map(|b| format!("{b:02x}")).collect();
    json!({
        "version": redoxfs::VERSION, "uuid": uuid, "generation": h.generation(), "block_size": BLOCK_SIZE,
        "blocks": size, "free_blocks": free, "size": size * BLOCK_SIZE, "free": free * BLOCK_SIZE,
    })
}

//! Commands that change something. Each is a list of operations, applied as one transaction.

use std::fs::File;
use std::io::{BufRead, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::slice::from_ref;

use redoxfs::{Node, TreeData, TreePtr, RECORD_SIZE};
use serde_json::{json, Value};

use crate::error::{Error, Kind, Result};
use crate::read::{children, DEPTH};
use crate::volume::{find, find_parent, join, parts, Tx, Volume};

/// Mode, owner and times of a node. What is None stays, or becomes the default for a new node.
#[derive(Clone, Copy, Default)]
pub struct Meta {
    pub mode: Option<u16>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Seconds and nanoseconds since 1970; creation and access time follow it.
    pub mtime: Option<(u64, u32)>,
}

pub enum Content {
    File(PathBuf),
    Text(String),
}

pub enum Op {
    Dir { path: String, meta: Meta },
    File { path: String, content: Content, meta: Meta },
    Link { path: String, target: String, meta: Meta },
    Meta { path: String, meta: Meta },
    Remove { path: String, recursive: bool, may_lack: bool },
}

/// How a list of operations is carried out.
#[derive(Clone, Copy, Default)]
pub struct How {
    /// Makes missing parent directories, 0755 root.
    pub parents: bool,
    /// Bytes after which data is written although the transaction is not over, 0 for never. It bounds
    /// memory, and a failure then leaves the part that was written.
    pub flush_every: u64,
    pub progress: bool,
}

#[derive(Default)]
struct Done {
    entries: u64,
    bytes: u64,
    unflushed: u64,
}

pub fn apply(v: &mut Volume, ops: impl Iterator<Item = Result<Op>>, how: How) -> Result<Value> {
    v.tx(|tx| {
        let mut done = Done::default();
        for op in ops {
            one(tx, &op?, how, &mut done)?;
            done.entries += 1;
            done.unflushed += 3 * redoxfs::BLOCK_SIZE; // about what the metadata of one entry takes
            flush(tx, how, &mut done)?;
            if how.progress && done.entries % 256 == 0 {
                eprintln!("{}", json!({"progress": {"entries": done.entries, "bytes": done.bytes}}));
            }
        }
        Ok(json!({"entries": done.entries, "bytes": done.bytes}))
    })
}

fn flush(tx: &mut Tx, how: How, done: &mut Done) -> Result<()> {
    if how.flush_every > 0 && done.unflushed >= how.flush_every {
        tx.sync(false).map_err(|e| Error::fs("", e))?;
        done.unflushed = 0;
    }
    Ok(())
}

fn one(tx: &mut Tx, op: &Op, how: How, done: &mut Done) -> Result<()> {
    match op {
        Op::Dir { path, meta } => dir(tx, path, *meta, how),
        Op::File { path, content, meta } => file(tx, path, content, *meta, how, done),
        Op::Link { path, target, meta } => link(tx, path, target, *meta, how),
        Op::Meta { path, meta } => {
            let node = find(tx, path)?;
            set(tx, path, node, *meta)
        }
        Op::Remove { path, recursive, may_lack } => match remove(tx, path, *recursive) {
            Err(e) if e.kind == Kind::NotFound && *may_lack => Ok(()),
            other => other,
        },
    }
}

/// The directory a path ends in, made when it may be.
fn parent<'p>(tx: &mut Tx, path: &'p str, how: How) -> Result<(TreeData<Node>, &'p str)> {
    let there = find_parent(tx, path);
    if how.parents && matches!(&there, Err(e) if e.kind == Kind::NotFound) {
        let names = parts(path)?;
        for i in 1..names.len() {
            let at = join(&names[..i]);
            match find(tx, &at) {
                Err(e) if e.kind == Kind::NotFound => {
                    let (up, name) = find_parent(tx, &at)?;
                    create(tx, &at, &up, name, Node::MODE_DIR, Meta::default())?;
                }
                Err(e) => return Err(e),
                Ok(_) => {}
            }
        }
        return find_parent(tx, path);
    }
    there
}

fn lookup(tx: &mut Tx, path: &str, dir: &TreeData<Node>, name: &str) -> Result<Option<TreeData<Node>>> {
    match tx.find_node(dir.ptr(), name).map_err(|e| Error::fs(path, e)) {
        Ok(n) => Ok(Some(n)),
        Err(e) if e.kind == Kind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn create(tx: &mut Tx, path: &str, dir: &TreeData<Node>, name: &str, kind: u16, meta: Meta) -> Result<TreeData<Node>> {
    let usual = if kind == Node::MODE_FILE {
        0o644
    } else if kind == Node::MODE_DIR {
        0o755
    } else {
        0o777
    };
    let (sec, nsec) = meta.mtime.unwrap_or_default();
    let mode = kind | meta.mode.unwrap_or(usual) & Node::MODE_PERM;
    let mut node = tx.create_node(dir.ptr(), name, mode, sec, nsec).map_err(|e| Error::fs(path, e))?;
    // The file system crate gives a new node its parent's owner.
    let (uid, gid) = (meta.uid.unwrap_or(0), meta.gid.unwrap_or(0));
    if node.data().uid() != uid || node.data().gid() != gid {
        node.data_mut().set_uid(uid);
        node.data_mut().set_gid(gid);
        tx.sync_trees(from_ref(&node)).map_err(|e| Error::fs(path, e))?;
    }
    Ok(node)
}

fn set(tx: &mut Tx, path: &str, mut node: TreeData<Node>, meta: Meta) -> Result<()> {
    let n = node.data_mut();
    if let Some(mode) = meta.mode {
        n.set_mode(n.mode() & Node::MODE_TYPE | mode & Node::MODE_PERM);
    }
    if let Some(uid) = meta.uid {
        n.set_uid(uid);
    }
    if let Some(gid) = meta.gid {
        n.set_gid(gid);
    }
    if let Some((sec, nsec)) = meta.mtime {
        n.set_mtime(sec, nsec);
        n.set_atime(sec, nsec);
        n.ctime = sec.into();
        n.ctime_nsec = nsec.into();
    }
    tx.sync_trees(from_ref(&node)).map_err(|e| Error::fs(path, e))
}

fn dir(tx: &mut Tx, path: &str, meta: Meta, how: How) -> Result<()> {
    if parts(path)?.is_empty() {
        let root = find(tx, path)?;
        return set(tx, path, root, meta);
    }
    let (up, name) = parent(tx, path, how)?;
    match lookup(tx, path, &up, name)? {
        None => create(tx, path, &up, name, Node::MODE_DIR, meta).map(|_| ()),
        Some(n) if n.data().is_dir() => set(tx, path, n, meta),
        Some(n) => Err(in_the_way(path, &n)),
    }
}

fn in_the_way(path: &str, n: &TreeData<Node>) -> Error {
    if n.data().is_dir() {
        Error::new(Kind::IsDirectory, path, "is a directory")
    } else if n.data().is_symlink() {
        Error::new(Kind::Link, path, "is a symbolic link, which is not written through; remove it first")
    } else {
        Error::new(Kind::Exists, path, "exists and is something else")
    }
}

fn link(tx: &mut Tx, path: &str, target: &str, meta: Meta, how: How) -> Result<()> {
    if target.is_empty() || target.len() > 4095 || target.contains('\0') {
        return Err(Error::new(Kind::Name, path, "a link's target has 1 to 4095 bytes and no NUL"));
    }
    let (up, name) = parent(tx, path, how)?;
    match lookup(tx, path, &up, name)? {
        Some(n) if n.data().is_symlink() => remove(tx, path, false)?,
        Some(n) => return Err(in_the_way(path, &n)),
        None => {}
    }
    let up = tx.read_tree(up.ptr()).map_err(|e| Error::fs(path, e))?;
    let mut node = create(tx, path, &up, name, Node::MODE_SYMLINK, meta)?;
    tx.write_node_inner(&mut node, &mut 0, target.as_bytes()).map_err(|e| Error::fs(path, e))?;
    tx.sync_trees(from_ref(&node)).map_err(|e| Error::fs(path, e))
}

/// Writes a file, in place of the old content if there is one: other names of the file keep
/// leading to it.
fn file(tx: &mut Tx, path: &str, content: &Content, meta: Meta, how: How, done: &mut Done) -> Result<()> {
    let (up, name) = parent(tx, path, how)?;
    let node = match lookup(tx, path, &up, name)? {
        None => create(tx, path, &up, name, Node::MODE_FILE, meta)?,
        Some(mut n) if n.data().is_file() => {
            empty(tx, path, &mut n)?;
            let ptr = n.ptr();
            set(tx, path, n, meta)?;
            tx.read_tree(ptr).map_err(|e| Error::fs(path, e))?
        }
        Some(n) => return Err(in_the_way(path, &n)),
    };
    match content {
        Content::Text(t) => write(tx, path, node, &mut t.as_bytes(), Path::new("text"), how, done),
        Content::File(host) => {
            let mut f = File::open(host).map_err(|e| Error::host(host, e))?;
            write(tx, path, node, &mut f, host, how, done)
        }
    }
}

fn write(
    tx: &mut Tx,
    path: &str,
    mut node: TreeData<Node>,
    from: &mut dyn Read,
    host: &Path,
    how: How,
    done: &mut Done,
) -> Result<()> {
    // Whole records: a record written in two pieces would be written twice.
    let mut buf = vec![0; 8 * RECORD_SIZE as usize];
    let mut at = 0;
    loop {
        let n = fill(from, &mut buf).map_err(|e| Error::host(host, e))?;
        if n == 0 {
            break;
        }
        tx.write_node_inner(&mut node, &mut at, &buf[..n]).map_err(|e| Error::fs(path, e))?;
        done.bytes += n as u64;
        done.unflushed += n as u64;
        if how.flush_every > 0 && done.unflushed >= how.flush_every {
            let ptr = node.ptr();
            tx.sync_trees(from_ref(&node)).map_err(|e| Error::fs(path, e))?;
            flush(tx, how, done)?;
            node = tx.read_tree(ptr).map_err(|e| Error::fs(path, e))?;
        }
        if n < buf.len() {
            break;
        }
    }
    tx.sync_trees(from_ref(&node)).map_err(|e| Error::fs(path, e))
}

fn fill(from: &mut dyn Read, buf: &mut [u8]) -> std::io::Result<usize> {
    let mut n = 0;
    while n < buf.len() {
        match from.read(&mut buf[n..])? {
            0 => break,
            k => n += k,
        }
    }
    Ok(n)
}

/// Gives a file's data back. The crate's own truncation forgets the last record when that is
/// not a whole one, so the size is rounded up first.
fn empty(tx: &mut Tx, path: &str, node: &mut TreeData<Node>) -> Result<()> {
    round_up(node);
    tx.truncate_node_inner(node, 0).map_err(|e| Error::fs(path, e))?;
    Ok(())
}

fn round_up(node: &mut TreeData<Node>) {
    let n = node.data_mut();
    if !n.has_inline_data() && !n.is_dir() {
        let record = n.record_level().bytes();
        n.set_size(n.size().div_ceil(record) * record);
    }
}

fn remove(tx: &mut Tx, path: &str, recursive: bool) -> Result<()> {
    let (up, name) = find_parent(tx, path)?;
    let node = tx.find_node(up.ptr(), name).map_err(|e| Error::fs(path, e))?;
    remove_node(tx, path, up.ptr(), name, node, recursive, 0)
}

fn remove_node(
    tx: &mut Tx,
    path: &str,
    up: TreePtr<Node>,
    name: &str,
    mut node: TreeData<Node>,
    recursive: bool,
    depth: usize,
) -> Result<()> {
    if depth > DEPTH {
        return Err(Error::new(Kind::Corrupt, path, format!("directories nested more than {DEPTH} deep")));
    }
    if node.data().is_dir() {
        let below = children(tx, path, node.ptr())?;
        if !below.is_empty() && !recursive {
            return Err(Error::new(Kind::NotEmpty, path, "is a directory that is not empty"));
        }
        for (child, ptr) in below {
            let at = format!("{}/{child}", path.trim_end_matches('/'));
            let n = tx.read_tree(ptr).map_err(|e| Error::fs(&at, e))?;
            remove_node(tx, &at, node.ptr(), &child, n, recursive, depth + 1)?;
        }
    } else if node.data().links() <= 1 && !node.data().has_inline_data() {
        round_up(&mut node);
        tx.sync_trees(from_ref(&node)).map_err(|e| Error::fs(path, e))?;
    }
    tx.remove_node(up, name, node.data().mode()).map_err(|e| Error::fs(path, e))?;
    Ok(())
}

/// Reads operations, one JSON object per line.
pub fn parse(input: impl BufRead) -> impl Iterator<Item = Result<Op>> {
    input.lines().enumerate().filter_map(|(i, line)| match line {
        Err(e) => Some(Err(Error::host(Path::new("operations"), e))),
        Ok(line) if line.trim().is_empty() => None,
        Ok(line) => Some(parse_line(&line).map_err(|e| Error::usage(format!("operation in line {}: {e}", i + 1)))),
    })
}

const KEYS: [&str; 12] =
    ["op", "path", "from", "text", "target", "mode", "uid", "gid", "mtime", "mtime_nsec", "recursive", "may_lack"];

fn parse_line(line: &str) -> std::result::Result<Op, String> {
    let v: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let map = v.as_object().ok_or("no object")?;
    if let Some(k) = map.keys().find(|k| !KEYS.contains(&k.as_str())) {
        return Err(format!("unknown key {k:?}"));
    }
    let text = |k: &str| match map.get(k) {
        None => Ok(None),
        Some(Value::String(s)) => Ok(Some(s.clone())),
        Some(_) => Err(format!("{k} is no text")),
    };
    let flag = |k: &str| map.get(k).and_then(Value::as_bool).unwrap_or(false);
    let path = text("path")?.ok_or("no path")?;
    let meta = Meta {
        mode: number(map.get("mode"), "mode", 0o7777)?.map(|n| n as u16),
        uid: number(map.get("uid"), "uid", u32::MAX.into())?.map(|n| n as u32),
        gid: number(map.get("gid"), "gid", u32::MAX.into())?.map(|n| n as u32),
        mtime: number(map.get("mtime"), "mtime", u64::MAX)?
            .map(|s| {
                Ok::<_, String>((s, number(map.get("mtime_nsec"), "mtime_nsec", 999_999_999)?.unwrap_or(0) as u32))
            })
            .transpose()?,
    };
    Ok(match text("op")?.as_deref() {
        Some("dir") => Op::Dir { path, meta },
        Some("file") => {
            let content = match (text("from")?, text("text")?) {
                (Some(f), None) => Content::File(f.into()),
                (None, Some(t)) => Content::Text(t),
                _ => return Err("a file wants either from or text".into()),
            };
            Op::File { path, content, meta }
        }
        Some("link") => Op::Link { path, target: text("target")?.ok_or("no target")?, meta },
        Some("meta") => Op::Meta { path, meta },
        Some("remove") => Op::Remove { path, recursive: flag("recursive"), may_lack: flag("may_lack") },
        other => return Err(format!("unknown op {other:?}")),
    })
}

fn number(v: Option<&Value>, key: &str, max: u64) -> std::result::Result<Option<u64>, String> {
    match v {
        None | Some(Value::Null) => Ok(None),
        Some(v) => match v.as_u64() {
            Some(n) if n <= max => Ok(Some(n)),
            _ => Err(format!("{key} is no number from 0 to {max}")),
        },
    }
}

/// The operations that copy a file or tree of the host, in the order of names. Modes are the
/// host's unless given; owner and time are only those given, so that the result is the same everywhere.
pub fn copy_of(host: &Path, path: &str, given: Meta) -> Result<Vec<Op>> {
    let mut ops = Vec::new();
    add_copy(host, path, given, &mut ops)?;
    Ok(ops)
}

fn add_copy(host: &Path, path: &str, given: Meta, ops: &mut Vec<Op>) -> Result<()> {
    let fail = |e| Error::host(host, e);
    let info = std::fs::symlink_metadata(host).map_err(fail)?;
    let mut meta = given;
    let host_mode = (info.permissions().mode() & 0o7777) as u16;
    let path = path.to_string();
    if info.is_dir() {
        meta.mode = Some(host_mode);
        ops.push(Op::Dir { path: path.clone(), meta });
        let mut names = Vec::new();
        for e in std::fs::read_dir(host).map_err(fail)? {
            let name = e.map_err(fail)?.file_name();
            names.push(
                name.into_string()
                    .map_err(|n| Error::new(Kind::Name, "", format!("{}: {n:?} is not UTF-8", host.display())))?,
            );
        }
        names.sort();
        for n in names {
            add_copy(&host.join(&n), &format!("{}/{n}", path.trim_end_matches('/')), given, ops)?;
        }
    } else if info.is_symlink() {
        let target = std::fs::read_link(host).map_err(fail)?;
        let target =
            target.to_str().ok_or_else(|| Error::new(Kind::Name, &path, "a link's target that is not UTF-8"))?.into();
        ops.push(Op::Link { path, target, meta: Meta { mode: None, ..given } });
    } else if info.is_file() {
        meta.mode = given.mode.or(Some(host_mode));
        ops.push(Op::File { path, content: Content::File(host.into()), meta });
    } else {
        return Err(Error::new(
            Kind::Io,
            &path,
            format!("{} (mode {:o}) is neither file, directory nor link", host.display(), info.mode()),
        ));
    }
    Ok(())
}

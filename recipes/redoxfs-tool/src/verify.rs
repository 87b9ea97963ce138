//! verify: reads every block that anything refers to, which checks its checksum, and holds the result
//! against the allocation table.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::DerefMut;

use redoxfs::{BlockAddr, BlockList, BlockPtr, BlockTrait, DirList, Node, RecordRaw, TreePtr, BLOCK_SIZE, HEADER_RING};
use serde_json::{json, Value};

use crate::error::{Error, Kind, Result};
use crate::read::{children, read_all, DEPTH};
use crate::volume::{damaged_slot, Ring, Tx, Volume};

/// Findings listed; more are counted.
const LISTED: usize = 20;

#[derive(Default)]
struct Check {
    /// First block of everything in use -> number of blocks.
    used: BTreeMap<u64, u64>,
    findings: Vec<String>,
    count: u64,
    /// Of each node in a directory: names seen, and how many it says it has.
    nodes: BTreeMap<u32, (u32, u32)>,
    files: u64,
    bytes: u64,
    blocks: u64,
}

impl Check {
    fn find(&mut self, text: String) {
        self.count += 1;
        if self.findings.len() < LISTED {
            self.findings.push(text);
        }
    }

    fn take(&mut self, what: &str, addr: BlockAddr) {
        let (start, n) = (addr.index(), addr.level().blocks::<u64>());
        self.blocks += n;
        let before = self.used.range(..start + n).next_back().map(|(s, l)| (*s, *l));
        if before.is_some_and(|(s, l)| s + l > start) {
            self.find(format!("{what}: block {start:#x} is used twice"));
            return;
        }
        self.used.insert(start, n);
    }

    /// Reads a block. What cannot be read is a finding and None.
    fn block<T: BlockTrait + DerefMut<Target = [u8]>>(
        &mut self,
        tx: &mut Tx,
        what: &str,
        ptr: BlockPtr<T>,
    ) -> Option<redoxfs::BlockData<T>> {
        self.take(what, ptr.addr());
        match tx.read_block(ptr) {
            Ok(b) => Some(b),
            Err(e) => {
                self.find(Error::fs(what, e).to_string());
                None
            }
        }
    }
}

pub fn verify(v: &mut Volume, ring: &Ring) -> Result<Value> {
    let mut c = Check::default();
    for slot in &ring.damaged {
        c.find(damaged_slot(*slot).message);
    }
    let free = free_blocks(v);
    let size = v.fs.header.size() / BLOCK_SIZE;
    v.look(|tx| {
        let ids = c.tree(tx);
        c.allocations(tx);
        c.releases(tx);
        c.directory(tx, "/", TreePtr::root(), 0)?;
        c.links();
        for id in &ids {
            if *id != 1 && !c.nodes.contains_key(id) {
                c.find(format!("node {id} is in no directory"));
            }
        }
        Ok(())
    })?;
    let leaked = c.account(&free, size);
    if c.count > 0 {
        let more =
            if c.count > LISTED as u64 { format!("\nand {} more", c.count - LISTED as u64) } else { String::new() };
        return Err(Error::new(Kind::Corrupt, "", format!("{}{more}", c.findings.join("\n"))));
    }
    Ok(
        json!({ "nodes": c.nodes.len() + 1, "files": c.files, "bytes": c.bytes, "blocks": c.blocks, "leaked_blocks": leaked }),
    )
}

/// Free ranges, first block -> number.
fn free_blocks(v: &Volume) -> BTreeSet<(u64, u64)> {
    let levels = v.fs.allocator().levels();
    levels.iter().enumerate().flat_map(|(l, set)| set.iter().map(move |i| (*i, 1u64 << l))).collect()
}

impl Check {
    /// Walks the table of nodes and the data of each, and returns the numbers of the nodes.
    fn tree(&mut self, tx: &mut Tx) -> Vec<u32> {
        let mut ids = Vec::new();
        let what = "node table";
        let Some(l3) = self.block(tx, what, tx.header.tree) else { return ids };
        for (i3, p2) in live(&{ l3.data().ptrs }) {
            let Some(l2) = self.block(tx, what, p2) else { continue };
            for (i2, p1) in live(&{ l2.data().ptrs }) {
                let Some(l1) = self.block(tx, what, p1) else { continue };
                for (i1, p0) in live(&{ l1.data().ptrs }) {
                    let Some(l0) = self.block(tx, what, p0) else { continue };
                    for (i0, p) in live(&{ l0.data().ptrs }) {
                        let id = TreePtr::<Node>::from_indexes((i3, i2, i1, i0)).id();
                        ids.push(id);
                        let node_ptr: BlockPtr<Node> = unsafe { p.cast() };
                        if let Some(node) = self.block(tx, &format!("node {id}"), node_ptr) {
                            self.node(tx, &format!("node {id}"), node.data());
                        }
                    }
                }
            }
        }
        ids
    }

    fn node(&mut self, tx: &mut Tx, what: &str, node: &Node) {
        let Some(levels) = node.level_data() else { return };
        if node.is_dir() {
            let [marker, root] = [levels.level0[0], levels.level0[1]];
            if marker.is_marker() {
                self.names(tx, what, root, marker.addr().level().blocks::<u64>().trailing_zeros());
            }
            return;
        }
        for p in levels.level0 {
            self.record(tx, what, p);
        }
        for p in levels.level1 {
            self.list(tx, what, p, &mut |c, tx, p| c.record(tx, what, p));
        }
        for p in levels.level2 {
            self.list(tx, what, p, &mut |c, tx, p| c.list(tx, what, p, &mut |c, tx, p| c.record(tx, what, p)));
        }
        let (three, four) = ({ levels.level3 }, { levels.level4 });
        if three.iter().any(|p| !p.is_null()) || four.iter().any(|p| !p.is_null()) {
            self.find(format!("{what}: a file of more than 256 GiB, which is not verified"));
        }
    }

    fn record(&mut self, tx: &mut Tx, what: &str, ptr: BlockPtr<RecordRaw>) {
        if !ptr.is_null() {
            self.block(tx, what, ptr);
        }
    }

    fn list<T>(
        &mut self,
        tx: &mut Tx,
        what: &str,
        ptr: BlockPtr<BlockList<T>>,
        each: &mut dyn FnMut(&mut Check, &mut Tx, BlockPtr<T>),
    ) {
        if ptr.is_null() {
            return;
        }
        if let Some(list) = self.block(tx, what, ptr) {
            for (_, p) in live(&{ list.data().ptrs }) {
                each(self, tx, p);
            }
        }
    }

    /// A directory's names: `levels` of hash tree blocks over blocks of entries.
    fn names(&mut self, tx: &mut Tx, what: &str, ptr: BlockPtr<RecordRaw>, levels: u32) {
        if levels == 0 {
            let dir: BlockPtr<DirList> = unsafe { ptr.cast() };
            self.block(tx, what, dir);
            return;
        }
        // The type of these blocks is private to the crate, but not its layout: 204 times a hash
        // of 4 bytes and a pointer of 16.
        let Some(raw) = self.block(tx, what, ptr) else { return };
        let raw: &[u8] = raw.data();
        for entry in raw.chunks_exact(20).take(raw.len() / 20) {
            let mut p = BlockPtr::<RecordRaw>::default();
            let bytes: [u8; 16] = entry[4..20].try_into().unwrap_or_default();
            // SAFETY: BlockPtr is two little-endian words, repr(C, packed), without invalid values.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), (&mut p as *mut BlockPtr<RecordRaw>).cast(), 16) };
            if !p.is_null() {
                self.names(tx, what, p, levels - 1);
            }
        }
    }

    fn allocations(&mut self, tx: &mut Tx) {
        let mut ptr = tx.header.alloc;
        while !ptr.is_null() {
            let Some(list) = self.block(tx, "allocation table", ptr) else { return };
            ptr = list.data().prev;
        }
    }

    fn releases(&mut self, tx: &mut Tx) {
        let mut ptr = tx.header.release;
        while !ptr.is_null() {
            let Some(list) = self.block(tx, "release list", ptr) else { return };
            ptr = list.data().prev;
        }
    }

    /// Follows the names, reads every file as a program would and counts the links of each node.
    fn directory(&mut self, tx: &mut Tx, path: &str, dir: TreePtr<Node>, depth: usize) -> Result<()> {
        if depth > DEPTH {
            self.find(format!("{path}: directories nested more than {DEPTH} deep"));
            return Ok(());
        }
        let entries = match children(tx, path, dir) {
            Ok(e) => e,
            Err(e) => {
                self.find(e.to_string());
                return Ok(());
            }
        };
        for (name, ptr) in entries {
            let at = format!("{}/{name}", path.trim_end_matches('/'));
            let node = match tx.read_tree(ptr) {
                Ok(n) => n,
                Err(e) => {
                    self.find(Error::fs(&at, e).to_string());
                    continue;
                }
            };
            let names = self.nodes.entry(ptr.id()).or_insert((0, node.data().links()));
            names.0 += 1;
            if names.0 > 1 && !node.data().is_file() {
                self.find(format!("{at}: a second name of what is no file"));
                continue;
            }
            if let Err(e) = tx.find_node(dir, &name).map_err(|e| Error::fs(&at, e)) {
                self.find(format!("{e} when looked up by its name"));
            }
            if node.data().is_dir() {
                self.directory(tx, &at, ptr, depth + 1)?;
                continue;
            }
            self.files += 1;
            self.bytes += node.data().size();
            if let Err(e) = read_all(tx, &at, &node, |_| Ok(())) {
                self.find(e.to_string());
            }
        }
        Ok(())
    }

    fn links(&mut self) {
        let wrong: Vec<_> =
            self.nodes.iter().filter(|(_, (seen, says))| seen != says).map(|(id, n)| (*id, *n)).collect();
        for (id, (seen, says)) in wrong {
            self.find(format!("node {id} has {seen} names and says that it has {says}"));
        }
    }

    /// Compares what is in use with the allocation table; returns the blocks that are neither used nor free.
    fn account(&mut self, free: &BTreeSet<(u64, u64)>, size: u64) -> u64 {
        let mut free_count = 0;
        for (start, n) in free {
            free_count += n;
            let clash = self.used.range(..start + n).next_back().map(|(s, l)| (*s, *l));
            if let Some((s, _)) = clash.filter(|(s, l)| s + l > *start) {
                self.find(format!("block {s:#x} is in use and marked as free"));
            }
        }
        if let Some((s, l)) = self.used.iter().next_back().filter(|(s, l)| *s + *l > size) {
            let text = format!("block {:#x} lies outside of the file system", s + l);
            self.find(text);
        }
        // The block after the headers is one that the crate never uses.
        size.saturating_sub(HEADER_RING + 1 + self.blocks + free_count)
    }
}

fn live<T>(ptrs: &[BlockPtr<T>]) -> Vec<(usize, BlockPtr<T>)> {
    ptrs.iter().copied().enumerate().filter(|(_, p)| !p.is_null()).collect()
}

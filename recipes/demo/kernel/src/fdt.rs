//! The flattened device tree (Devicetree Specification 0.4, chapter 5): found where QEMU puts it, and read for one
//! property, /chosen/bootargs. All integers big-endian.

use crate::layout::DEVICE_TREE;

const MAGIC: u32 = 0xd00d_feed;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROP: u32 = 3;
const NOP: u32 = 4;

pub struct Tree {
    data: &'static [u8],
}

/// The tree at the start of RAM.
pub fn find() -> Result<Tree, &'static str> {
    let header = unsafe { core::slice::from_raw_parts(DEVICE_TREE as *const u8, 40) };
    if word(header, 0) != Some(MAGIC) {
        return Err("none at the start of RAM (kernel not started by QEMU's -kernel?)");
    }
    let size = word(header, 4).unwrap_or(0) as usize;
    if !(40..=2 << 20).contains(&size) {
        return Err("impossible size");
    }
    Ok(Tree { data: unsafe { core::slice::from_raw_parts(DEVICE_TREE as *const u8, size) } })
}

impl Tree {
    pub fn base(&self) -> usize {
        self.data.as_ptr() as usize
    }

    pub fn size(&self) -> usize {
        self.data.len()
    }

    /// The text of `-append`.
    pub fn bootargs(&self) -> Result<&'static str, &'static str> {
        let damaged = "damaged";
        let strings = word(self.data, 12).ok_or(damaged)? as usize;
        let mut at = word(self.data, 8).ok_or(damaged)? as usize;
        let (mut depth, mut chosen) = (0, false);
        loop {
            let token = word(self.data, at).ok_or(damaged)?;
            at += 4;
            match token {
                BEGIN_NODE => {
                    let name = self.string(at).ok_or(damaged)?;
                    at = (at + name.len() + 1).next_multiple_of(4);
                    depth += 1;
                    chosen = depth == 2 && name == b"chosen";
                }
                END_NODE => {
                    depth -= 1;
                    chosen = false;
                    if depth <= 0 {
                        return Err("no /chosen/bootargs (QEMU started without -append?)");
                    }
                }
                PROP => {
                    let len = word(self.data, at).ok_or(damaged)? as usize;
                    let name = word(self.data, at + 4).ok_or(damaged)? as usize;
                    let value = self.data.get(at + 8..at + 8 + len).ok_or(damaged)?;
                    if chosen && self.string(strings + name) == Some(b"bootargs") {
                        let text = value.strip_suffix(&[0]).unwrap_or(value);
                        return core::str::from_utf8(text).map_err(|_| "bootargs are not text");
                    }
                    at = (at + 8 + len).next_multiple_of(4);
                }
                NOP => {}
                _ => return Err(damaged),
            }
        }
    }

    fn string(&self, at: usize) -> Option<&'static [u8]> {
        let rest = self.data.get(at..)?;
        Some(&rest[..rest.iter().position(|&byte| byte == 0)?])
    }
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

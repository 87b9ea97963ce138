//! Address spaces: the tables of user space (0 to 1 GiB), and the way from user addresses to memory. Owns the format
//! of translation tables (Arm ARM, VMSAv8-64, 4 KiB granule).

use core::arch::asm;

use demo_abi::{EEXIST, EFAULT, EINVAL, ENOMEM, PAGE, PROT_W, PROT_X, USER_END};

use crate::frames;

const VALID: u64 = 1;
/// A table above the last level, a page in the last level.
const TABLE_OR_PAGE: u64 = 1 << 1;
const EL0: u64 = 1 << 6;
const READ_ONLY: u64 = 1 << 7;
const INNER_SHAREABLE: u64 = 3 << 8;
const ACCESSED: u64 = 1 << 10;
const NOT_GLOBAL: u64 = 1 << 11;
const EL1_NO_EXECUTE: u64 = 1 << 53;
const EL0_NO_EXECUTE: u64 = 1 << 54;
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

const ENTRIES: usize = PAGE / 8;

unsafe extern "C" {
    static boot_table: [u64; ENTRIES];
}

/// The tables of one process. Their frames belong to the process like all its memory.
#[derive(Clone, Copy)]
pub struct Space {
    root: usize,
    level2: usize,
}

impl Space {
    pub fn new() -> Option<Self> {
        let space = Space { root: frames::allocate()?, level2: frames::allocate()? };
        unsafe {
            let root = space.root as *mut u64;
            root.write(space.level2 as u64 | TABLE_OR_PAGE | VALID);
            for i in 1..ENTRIES {
                root.add(i).write(boot_table[i]);
            }
        }
        Some(space)
    }

    /// Makes this the address space of EL0.
    pub fn activate(&self) {
        unsafe { asm!("dsb ishst", "msr ttbr0_el1, {}", "isb", in(reg) self.root, options(nostack)) };
        flush();
    }

    /// Maps fresh zeroed pages; `address` must be a page's, `len` is rounded up. On an error what was mapped so far
    /// stays: the process is not expected to live on.
    pub fn map(&self, address: usize, len: usize, prot: usize) -> Result<(), isize> {
        for page in pages(address, len)? {
            let entry = self.entry(page)?;
            if unsafe { *entry } != 0 {
                return Err(EEXIST);
            }
            let frame = frames::allocate().ok_or(ENOMEM)?;
            unsafe { entry.write(frame as u64 | attributes(prot)) };
        }
        flush();
        Ok(())
    }

    /// Changes the protection of mapped pages.
    pub fn protect(&self, address: usize, len: usize, prot: usize) -> Result<(), isize> {
        for page in pages(address, len)? {
            let entry = self.entry(page)?;
            let frame = unsafe { *entry } & ADDRESS;
            if frame == 0 {
                return Err(EFAULT);
            }
            unsafe { entry.write(frame | attributes(prot)) };
            if prot & PROT_X != 0 {
                clean(frame as usize);
            }
        }
        flush();
        if prot & PROT_X != 0 {
            unsafe { asm!("dsb ish", "ic iallu", "dsb ish", "isb", options(nostack)) };
        }
        Ok(())
    }

    /// Copies into mapped pages, whatever their protection: for the kernel's own set-up of a process.
    pub fn fill(&self, address: usize, bytes: &[u8]) -> Result<(), isize> {
        let mut rest = bytes;
        self.each(address, bytes.len(), &mut |memory| {
            let (now, later) = rest.split_at(memory.len());
            memory.copy_from_slice(now);
            rest = later;
        })
    }

    /// Calls `f` with the memory behind a range of user addresses, in pieces. The kernel never dereferences a user
    /// address: what is not mapped is an error, not a fault.
    pub fn each(&self, address: usize, len: usize, f: &mut dyn FnMut(&mut [u8])) -> Result<(), isize> {
        let end = address.checked_add(len).filter(|&end| end <= USER_END).ok_or(EFAULT)?;
        let mut at = address;
        while at < end {
            let page = at / PAGE * PAGE;
            let stop = end.min(page + PAGE);
            let frame = unsafe { *self.entry(page)? } & ADDRESS;
            if frame == 0 {
                return Err(EFAULT);
            }
            let start = frame as usize + (at - page);
            f(unsafe { core::slice::from_raw_parts_mut(start as *mut u8, stop - at) });
            at = stop;
        }
        Ok(())
    }

    /// The last-level entry of a page, with the table made if there is none.
    fn entry(&self, page: usize) -> Result<*mut u64, isize> {
        if page >= USER_END {
            return Err(EFAULT);
        }
        unsafe {
            let slot = (self.level2 as *mut u64).add(page >> 21);
            if *slot == 0 {
                slot.write(frames::allocate().ok_or(ENOMEM)? as u64 | TABLE_OR_PAGE | VALID);
            }
            Ok(((*slot & ADDRESS) as *mut u64).add(page >> 12 & (ENTRIES - 1)))
        }
    }
}

fn pages(address: usize, len: usize) -> Result<impl Iterator<Item = usize>, isize> {
    let end = address.checked_add(len).filter(|&end| end <= USER_END).ok_or(EINVAL)?;
    // Page 0 stays unmapped, so that a null pointer faults.
    if address % PAGE != 0 || address == 0 || len == 0 {
        return Err(EINVAL);
    }
    Ok((address..end).step_by(PAGE))
}

fn attributes(prot: usize) -> u64 {
    let mut bits = VALID | TABLE_OR_PAGE | EL0 | INNER_SHAREABLE | ACCESSED | NOT_GLOBAL | EL1_NO_EXECUTE;
    if prot & PROT_W == 0 {
        bits |= READ_ONLY;
    }
    if prot & PROT_X == 0 {
        bits |= EL0_NO_EXECUTE;
    }
    bits
}

fn flush() {
    unsafe { asm!("dsb ishst", "tlbi vmalle1", "dsb ish", "isb", options(nostack)) };
}

/// Writes a frame back to where instructions are fetched from. 64 bytes is the line of a Cortex-A72.
fn clean(frame: usize) {
    for line in (frame..frame + PAGE).step_by(64) {
        unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack)) };
    }
}

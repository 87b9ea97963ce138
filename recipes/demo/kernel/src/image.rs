//! Whether the image in memory is the one the host means, and whether it keeps the contract. Every refusal is a kernel
//! panic before EL0 was entered.

use demo_abi::{BOOTSTRAP_BIAS, BOOTSTRAP_OFFSET, IMAGE_BASE, PROT_X};
use demo_elf::{Elf, PT_LOAD};
use demo_initfs::{Image, NO_ENTRY};
use demo_sha256::{Hex, digest};

use crate::bootargs::{Arguments, Identity};
use crate::layout;
use crate::serial::println;

/// The image, measured.
#[derive(Clone, Copy)]
pub struct Verified {
    pub data: &'static [u8],
    pub entry: usize,
}

pub fn verify(arguments: &Arguments) -> Verified {
    let size = arguments.initfs.size;
    assert!((BOOTSTRAP_OFFSET..=layout::IMAGE_MAX).contains(&size), "an image of {size} bytes cannot be an initfs");
    let data = unsafe { core::slice::from_raw_parts(layout::IMAGE as *const u8, size) };
    let image = Image::open(data).unwrap_or_else(|error| panic!("initfs: {error}"));
    let entry = check_bootstrap(&data[BOOTSTRAP_OFFSET..], image.entry());

    measure("image", data, &arguments.initfs);
    println!("smoke: image layout={} inodes={} entry={entry:#x}", image.layout(), image.inode_count());
    // The header does not say where bootstrap ends; its own ELF header does, and the packer must agree.
    let bootstrap = &data[BOOTSTRAP_OFFSET..];
    let bootstrap = &bootstrap[..Elf::parse(bootstrap).map_or(0, |elf| elf.file_size()).min(bootstrap.len())];
    measure("bootstrap", bootstrap, &arguments.bootstrap);
    Verified { data, entry }
}

fn measure(name: &str, data: &[u8], want: &Identity) {
    let got = digest(data);
    println!("smoke: {name} size={} sha256={}", data.len(), Hex(got));
    if data.len() != want.size || got != want.sha256 {
        panic!("{name} is not the one of the manifest: size={} sha256={}", want.size, Hex(want.sha256));
    }
}

/// The rules for an ELF that nobody relocates or loads: where it lies is where it runs.
fn check_bootstrap(area: &[u8], entry: u64) -> usize {
    assert!(entry != NO_ENTRY, "the image has no bootstrap: entry point {entry:X}");
    let elf = Elf::parse(area).unwrap_or_else(|error| panic!("bootstrap: {error}"));
    assert!(elf.entry as u64 == entry, "entry {entry:#x} in the image, {:#x} in bootstrap", elf.entry);
    let mut executable = false;
    for segment in elf.segments().filter(|segment| segment.kind == PT_LOAD) {
        assert!(
            segment.vaddr.wrapping_sub(segment.offset) == BOOTSTRAP_BIAS,
            "bootstrap: segment at {:#x} is not where the image is mapped",
            segment.vaddr
        );
        assert!(
            segment.file_size == segment.mem_size,
            "bootstrap: segment at {:#x} is longer in memory than in the file",
            segment.vaddr
        );
        executable |= segment.flags as usize & PROT_X != 0
            && (segment.vaddr..segment.vaddr + segment.mem_size).contains(&elf.entry);
    }
    assert!(executable, "entry {entry:#x} is not in the code of bootstrap");
    assert!(elf.entry - IMAGE_BASE < area.len() + BOOTSTRAP_OFFSET, "entry outside of the image");
    elf.entry
}

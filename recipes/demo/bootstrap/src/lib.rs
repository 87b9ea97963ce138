//! Bootstrap: the first code of every process. It is part of the initfs image (raw ELF at offset 4096), the
//! kernel jumps to it, and it loads one program of the image in EL0: `bin/init`, or what `SYS_SPAWN` asked
//! for. Owns program loading; the kernel knows nothing of it.
//!
//! It runs where it lies: see bootstrap.ld. A failure is one line and an exit status
//! (`EXIT_*` of demo-abi); the kernel turns a failure of the first process into a panic.
//!
//! # Why a changed bootstrap does not boot
//!
//! An image cannot vouch for itself: whoever changes a byte can change a checksum stored beside it. So the manifest
//! written by the packer goes around the image: the host gives size and SHA-256 of image and bootstrap to the kernel
//! as boot arguments, and the kernel measures both before the first instruction of EL0 and refuses
//! anything else. That covers every byte, also those no instruction ever touches (padding, section headers). It does
//! not replace running it: the transcript, with a nonce the host chose for this boot, only comes about when
//! bootstrap loaded init from the image.

#![no_std]

use core::fmt::{self, Write};

use demo_abi as abi;
use demo_abi::KernelArgs;
use demo_elf::Elf;
use demo_initfs::Image;
use demo_mem as _;

mod load;
mod stack;

const INIT: &[u8] = b"/bin/init\0";

/// The address at 0x1a of the image. The kernel sets the stack pointer; x0 is `KernelArgs`, x1 and x2 the argument block
/// of `SYS_SPAWN`, or 0 in the first process.
#[unsafe(no_mangle)]
unsafe extern "C" fn _start(args: *const KernelArgs, block: *const u8, len: usize) -> ! {
    let args = unsafe { &*args };
    let image = unsafe { bytes(abi::IMAGE_BASE, args.bootstrap_size as usize) };
    let env = unsafe { bytes(args.env_base as usize, args.env_size as usize) };
    let (first, block) = match block.is_null() {
        true => (true, INIT),
        false => (false, unsafe { bytes(block as usize, len) }),
    };

    let initfs = Image::open(image).unwrap_or_else(|error| fail(abi::EXIT_BAD_IMAGE, b"initfs", &error));
    protect_self(image);
    let path = block.split(|&byte| byte == 0).next().unwrap_or(b"");
    let file = initfs.read(path).unwrap_or_else(|error| fail(abi::EXIT_NOT_FOUND, path, &error));
    let elf = Elf::parse(file).unwrap_or_else(|error| fail(abi::EXIT_NOT_LOADABLE, path, &error));
    if first {
        say(format_args!(
            "bootstrap: initfs {} at {:#x}, {} bytes, {} inodes\n",
            initfs.layout(),
            abi::IMAGE_BASE,
            image.len(),
            initfs.inode_count(),
        ));
    }
    say(format_args!("bootstrap: exec {} size={} entry={:#x}\n", Text(path), file.len(), elf.entry));

    let headers = load::load(&elf).unwrap_or_else(|error| fail(abi::EXIT_NOT_LOADABLE, path, &error));
    let stack = stack::build(block, env, &elf, headers)
        .unwrap_or_else(|| fail(abi::EXIT_NOT_LOADABLE, path, &"arguments too long"));
    unsafe { enter(elf.entry, stack) }
}

/// The kernel maps the image writable and executable, as the real one does. From here on its bytes can only be read,
/// except for bootstrap's own segments, which get what their headers say.
fn protect_self(image: &[u8]) {
    let own = image
        .get(abi::BOOTSTRAP_OFFSET..)
        .and_then(|bytes| Elf::parse(bytes).ok())
        .unwrap_or_else(|| fail(abi::EXIT_BAD_IMAGE, b"bootstrap", &"own ELF header is damaged"));
    let protect = |from: usize, to: usize, prot: usize| {
        if to > from && unsafe { abi::syscall(abi::SYS_PROTECT, from, to - from, prot) } < 0 {
            fail(abi::EXIT_BAD_IMAGE, b"bootstrap", &"cannot protect the image");
        }
    };
    let mut at = abi::IMAGE_BASE;
    for segment in own.segments().filter(|segment| segment.kind == demo_elf::PT_LOAD) {
        let start = segment.vaddr / abi::PAGE * abi::PAGE;
        let end = (segment.vaddr + segment.mem_size).next_multiple_of(abi::PAGE);
        protect(at, start, abi::PROT_R);
        protect(start, end, segment.flags as usize);
        at = end;
    }
    protect(at, (abi::IMAGE_BASE + image.len()).next_multiple_of(abi::PAGE), abi::PROT_R);
}

/// Leaves bootstrap for good: nothing of it is on the program's stack.
unsafe fn enter(entry: usize, stack: usize) -> ! {
    unsafe {
        core::arch::asm!(
            "mov sp, {stack}",
            "mov x0, xzr",
            "mov x29, xzr",
            "mov x30, xzr",
            "br {entry}",
            stack = in(reg) stack,
            entry = in(reg) entry,
            options(noreturn),
        )
    }
}

unsafe fn bytes(base: usize, len: usize) -> &'static [u8] {
    unsafe { core::slice::from_raw_parts(base as *const u8, len) }
}

/// Bytes that should be text, as text.
struct Text<'a>(&'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| f.write_char(if byte.is_ascii_graphic() { byte as char } else { '?' }))
    }
}

struct Serial;

impl Write for Serial {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        unsafe { abi::syscall(abi::SYS_WRITE, s.as_ptr() as usize, s.len(), 0) };
        Ok(())
    }
}

fn say(line: fmt::Arguments) {
    let _ = Serial.write_fmt(line);
}

fn fail(status: usize, what: &[u8], why: &dyn fmt::Display) -> ! {
    say(format_args!("bootstrap: {}: {why} (exit {status})\n", Text(what)));
    exit(status)
}

fn exit(status: usize) -> ! {
    unsafe {
        abi::syscall(abi::SYS_EXIT, status, 0, 0);
        core::arch::asm!("brk #3", options(noreturn))
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    say(format_args!("PANIC: bootstrap: {info}\n"));
    exit(abi::EXIT_PANIC)
}

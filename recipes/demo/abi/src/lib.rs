//! What the smoke kernel and its user space have to agree on: the layout of a process, the arguments the
//! kernel hands to bootstrap, and the system calls. Owns numbers only; it must not know how either side
//! works.
//!
//! The parts a real Redox kernel shares are the image at virtual 0x1000, the entry address at offset 0x1a of
//! the image, and the twelve words of `KernelArgs`. The system calls are the demo's own: they exist so
//! that the user space above them can be built and linked exactly like a Redox program.

#![no_std]

pub const PAGE: usize = 4096;

/// Virtual address of byte 0 of the initfs image in every process. Page 0 stays unmapped.
pub const IMAGE_BASE: usize = 0x1000;
/// Where the bootstrap ELF starts in the image: one page of header before it.
pub const BOOTSTRAP_OFFSET: usize = 0x1000;
/// `p_vaddr - p_offset` of every loadable segment of bootstrap follows from the two above.
pub const BOOTSTRAP_BIAS: usize = IMAGE_BASE + BOOTSTRAP_OFFSET;
/// Offset in the image header of the u64 entry address, the same in both layouts.
pub const ENTRY_OFFSET: usize = 0x1a;

/// User addresses are below 1 GiB; everything above belongs to the kernel.
pub const USER_END: usize = 0x4000_0000;
/// The libc heap grows upwards from here.
pub const HEAP_BASE: usize = 0x2000_0000;
/// One page: `KernelArgs`, then the environment. Read-only for the process.
pub const ARGS_PAGE: usize = 0x3f00_0000;
/// One page: the argument block of `SYS_SPAWN`. Read-only, and mapped only if there is one.
pub const BLOCK_PAGE: usize = 0x3f00_1000;
/// The stack lies below `STACK_TOP`, with nothing mapped under it.
pub const STACK_TOP: usize = 0x3fff_0000;
pub const STACK_SIZE: usize = 1 << 20;
/// The topmost part of the stack is bootstrap's own; the loaded program starts below it.
pub const BOOTSTRAP_STACK: usize = 64 << 10;

/// The record a Redox bootloader passes to the kernel in x0: six (base, size) pairs.
///
/// The smoke kernel has no bootloader in front of it, so it fills the record itself and passes it on: x0 of
/// bootstrap holds the address of this structure in `ARGS_PAGE`. All bases are physical addresses except
/// `env_base`, which bootstrap has to read and which is therefore an address in `ARGS_PAGE`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct KernelArgs {
    pub kernel_base: u64,
    pub kernel_size: u64,
    pub stack_base: u64,
    pub stack_size: u64,
    /// Lines `KEY=value\n`, numbers as 16 hexadecimal digits, less than 4096 bytes.
    pub env_base: u64,
    pub env_size: u64,
    /// The flattened device tree.
    pub hwdesc_base: u64,
    pub hwdesc_size: u64,
    /// The memory map; the smoke kernel has none to give: 0, 0.
    pub areas_base: u64,
    pub areas_size: u64,
    /// The initfs image. Mapped at `IMAGE_BASE`; the size is in bytes, unpadded.
    pub bootstrap_base: u64,
    pub bootstrap_size: u64,
}

/// System calls: number in x8, arguments in x0..x2, result in x0 (negative: one of the errors below).
/// All other registers are preserved.
pub const SYS_EXIT: usize = 1; // (status) -> !
pub const SYS_WRITE: usize = 2; // (ptr, len) -> len; to the serial line
pub const SYS_MAP: usize = 3; // (addr, len, prot) -> 0; zeroed pages at exactly addr
pub const SYS_PROTECT: usize = 4; // (addr, len, prot) -> 0; makes new code visible to the processor too
pub const SYS_SPAWN: usize = 5; // (block, len) -> exit status; block = NUL-terminated argv, argv[0] the path
pub const SYS_TIME: usize = 6; // () -> nanoseconds since power-on

/// Protections: the ELF segment flags. Writable and executable together are refused.
pub const PROT_X: usize = 1;
pub const PROT_W: usize = 2;
pub const PROT_R: usize = 4;

pub const ENOMEM: isize = -12;
pub const EFAULT: isize = -14;
pub const EEXIST: isize = -17;
pub const EINVAL: isize = -22;
pub const ENOSYS: isize = -38;

/// Exit statuses of a process that never reached its program.
pub const EXIT_BAD_IMAGE: usize = 125;
pub const EXIT_NOT_LOADABLE: usize = 126;
pub const EXIT_NOT_FOUND: usize = 127;
/// Exit status of a Rust panic.
pub const EXIT_PANIC: usize = 101;

/// One system call. The only place in the demo where the trap instruction of user space is written.
///
/// # Safety
/// As the system call demands: addresses must be what the call expects.
#[cfg(target_arch = "aarch64")]
#[inline]
pub unsafe fn syscall(number: usize, a: usize, b: usize, c: usize) -> isize {
    let result: isize;
    unsafe {
        core::arch::asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") a => result,
            in("x1") b,
            in("x2") c,
            options(nostack),
        );
    }
    result
}

//! Physical memory of QEMU virt with at least 256 MiB (`-m 256M`).

/// Start of RAM, where QEMU puts the device tree for an ELF kernel.
pub const DEVICE_TREE: usize = 0x4000_0000;
/// The kernel and its stack end before this; page frames begin.
pub const FRAMES: usize = 0x4100_0000;
/// The initfs image, put here by `-device loader`; page frames end.
pub const IMAGE: usize = 0x4800_0000;
/// The largest image: the upstream packer allows as much.
pub const IMAGE_MAX: usize = 64 << 20;

/// The kernel's address of physical address 0: all devices, see the tables in `boot`.
pub const DEVICES: usize = 0x8000_0000;
pub const UART: usize = DEVICES + 0x0900_0000;
pub const GIC_DISTRIBUTOR: usize = DEVICES + 0x0800_0000;
pub const GIC_CPU: usize = DEVICES + 0x0801_0000;

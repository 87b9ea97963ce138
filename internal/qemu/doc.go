// Package qemu starts a virtual machine, watches its serial line and says
// whether the guest did what a script asked for.
//
// It owns QEMU's command line (Machine), the process and everything it starts
// (Run), the matching of serial output (Script) and where distributions keep
// QEMU's firmware. It must not know what an initfs, a kernel or Redox is:
// callers pass files, addresses and patterns. It reads no environment; the
// binary's path, the firmware's file system and the child's environment are
// given.
//
// # Defaults, and where they come from
//
// VirtAArch64 is the line that boots Redox with QEMU 7.2: machine virt with
// ACPI off (with ACPI on, a kernel of January 2026 printed nothing), cpu
// cortex-a72, TCG. Firmware is two pflash drives, the code read-only, the
// variables a private copy, because the firmware writes to them. Disks are
// opened with snapshot=on, so a test cannot change an image.
package qemu

// Package smoke is the protocol of the demo's smoke kernel: where it looks for an image, what it is told, and what a right boot
// prints.
//
// It owns the addresses, the machine and the lines that recipes/demo/kernel has too. It must not know how the demo is built or
// QEMU started.
package smoke

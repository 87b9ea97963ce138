// Package disk is what is done with a disk image that exists: `mage image:ls`, image:inject and their like, and `mage run`.
//
// It owns the flags' meaning and the words. It must not change an image but by package disk's editor, nor know
// QEMU's command line.
package disk

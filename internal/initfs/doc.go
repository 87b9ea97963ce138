// Package initfs reads, verifies, writes and edits Redox initfs images: the
// archive the bootloader puts in memory and the kernel starts user space from.
//
// It owns the two layouts that exist under the magic "RedoxFtw" (see Version)
// and the tree held in them. It must not know about ELF rules, recipes, the
// cache or QEMU: the caller checks programs and hands over the bootstrap's
// entry address. All integers are little-endian, all structures are packed.
//
// # Layout
//
// The layouts carry no version number. They were established by reading the
// upstream archiver and the bootstrap's reader, and by booting images written
// from this table under the real bootloader and kernel.
//
//	offset  V1 (upstream base until 2026-02)      V2 (upstream base from 2026-04-26)
//	0x00    magic "RedoxFtw"                      same
//	0x08    u32 inode_table_offset                same
//	0x0c    u64 sec, u32 nsec of the build        u64 initfs_size, u16 page_size, u16 root_inode
//	0x18    u16 inode_count                       same
//	0x1a    u64 bootstrap_entry                   same; the header ends at 0x22
//	0x22    u64 initfs_size, u16 page_size; the header ends at 0x2c
//	inode   20 B: u32 type<<28|mode, u32 len,     12 B: u32 type, u32 len, u32 off
//	        u32 off, u32 uid, u32 gid
//	types   0 file, 1 directory, 2 link           0 file, 1 executable, 2 directory, 3 link
//	root    inode 0                               header.root_inode
//	dirent  8 B: u16 inode, u16 name_len, u32 name_off (both)
//
// A directory's data is its dirents, a link's data its target. Link targets
// are relative to the image's root in V1 and to the link's directory in V2; a
// Node always holds the latter and the package converts.
//
// # What this writer does with the freedom the layout leaves
//
// One header page; the bootstrap at offset 4096 (its linker script counts on
// that: the kernel maps the image at 0x1000 and the header page is the first);
// every file's data on a page of its own, because the initfs scheme hands those
// pages out by mmap, with zeros up to the page's end; then the inode table, the
// dirents, the names and the link targets, packed. The tables come last so that
// the zeros after the last file are inside the image. initfs_size is the file's
// length, not rounded up: the bootloader rounds up itself. Names are sorted
// bytewise, numbers are given in that order (V2 numbers the root last, as
// upstream does), times are zero unless asked for: equal trees give equal bytes.
//
// # Bootstrap
//
// No field tells the bootstrap's length. It begins at 4096 and ends before the
// next structure; within that, it is what its ELF headers say (header, program
// and section tables and what they refer to), or up to the last byte that is
// not zero when that is further. The rest is padding.
//
// # Files that share data
//
// Both layouts refer to data by offset and length and the readers look at
// nothing else: the scheme copies from the range, or lends its pages without
// write permission (mmap with PROT_WRITE is refused with EPERM). Two files with
// the same bytes may therefore have the same range. Spec.Share asks for it; it
// is off by default so that every file is where `ls -l` order suggests. Verify
// accepts equal ranges and reports ranges that overlap otherwise.
package initfs

import "fmt"

// Version is one of the two layouts.
type Version int

// The layouts. There is no version field in an image; see the package comment.
const (
	V1 Version = 1 // upstream base until 2026-02 and the trees of January 2026
	V2 Version = 2 // upstream base from 2026-04-26 (cdf45983)
)

func (v Version) String() string { return fmt.Sprintf("v%d", int(v)) }

// Limits of the format and of its readers.
const (
	PageSize            = 4096             // the only page size the bootstrap accepts
	BootstrapOffset     = PageSize         // where the bootstrap's ELF begins in the file
	ImageBase           = 0x1000           // virtual address the kernel maps the image at
	NoEntry             = ^uint64(0)       // bootstrap_entry of an image without a bootstrap: the kernel faults there
	MaxNameLen          = 255              // bytes; the field is a u16, POSIX's NAME_MAX is what everything else holds
	MaxPathLen          = 4096             // bytes of a path from the root
	MaxInodes           = 1<<16 - 1        // inode_count is a u16
	MaxImageSize        = int64(1)<<32 - 1 // offsets are u32
	DefaultMaxSize      = int64(64) << 20  // upstream's cap for release images
	DefaultMaxSizeDebug = int64(128) << 20 // upstream's cap for debug images
)

const (
	magic      = "RedoxFtw"
	direntSize = 8
)

// geometry is what differs between the layouts, in bytes from the file's start.
type geometry struct {
	headerSize  int64
	inodeSize   int64
	sizeAt      int64
	pageAt      int64
	fileType    uint32
	execType    uint32
	dirType     uint32
	linkType    uint32
	targetsRoot bool // link targets are relative to the root
}

func (v Version) geometry() geometry {
	if v == V2 {
		return geometry{headerSize: 0x22, inodeSize: 12, sizeAt: 0x0c, pageAt: 0x14, fileType: 0, execType: 1, dirType: 2, linkType: 3}
	}
	// V1 has no executable type: the mode tells.
	return geometry{headerSize: 0x2c, inodeSize: 20, sizeAt: 0x22, pageAt: 0x2a, fileType: 0, execType: 0, dirType: 1, linkType: 2, targetsRoot: true}
}

// Offsets of header fields both layouts share.
const (
	atInodeTable = 0x08
	atV1Sec      = 0x0c
	atV1Nsec     = 0x14
	atV2Root     = 0x16
	atInodeCount = 0x18
	atEntry      = 0x1a
)

// FormatError is something in an image that breaks the layout.
type FormatError struct {
	Offset int64  // bytes from the image's start
	Field  string // the field's name in the package comment, with the path it belongs to
	Msg    string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("offset %#x, %s: %s", e.Offset, e.Field, e.Msg)
}

func bad(offset int64, field, format string, args ...any) *FormatError {
	return &FormatError{Offset: offset, Field: field, Msg: fmt.Sprintf(format, args...)}
}

func pageUp(n int64) int64 { return (n + PageSize - 1) &^ (PageSize - 1) }

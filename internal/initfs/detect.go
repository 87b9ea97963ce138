package initfs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// RevisionError says that an image has one of the layouts that lived for a few
// weeks in the upstream tree. None of them is read: which of them a bootstrap
// expects cannot be told from the image, and nothing but the very bootstrap of
// that week can use it.
type RevisionError struct {
	Revision string // what upstream changed and when
}

func (e *RevisionError) Error() string {
	return "this is an initfs of a short-lived upstream revision: " + e.Revision + "; only " + V1.String() + " (until 2026-02) and " + V2.String() + " (from 2026-04-26) are read"
}

// Short-lived revisions, told apart from V1 by what must be true of V1.
var (
	revisionNoPageSize = "before 2025-12-12, without a page_size"
	revisionSmallInode = "12-byte inodes under the V1 header, 2026-02-17 to 2026-04-25"
	revisionRootInode  = "12-byte inodes and root_inode appended to the V1 header, 2026-04-25"
)

// header is the part of an image that has a fixed place.
type header struct {
	version    Version
	inodeTable int64
	inodeCount int
	root       int
	entry      uint64
	time       Time
}

// readHeader finds the layout and reads the header. size is the file's length.
func readHeader(r io.ReaderAt, size int64) (header, error) {
	if size < V2.geometry().headerSize {
		return header{}, bad(0, "header", "the file has %d bytes, a header takes at least %d", size, V2.geometry().headerSize)
	}
	if size > MaxImageSize {
		return header{}, bad(0, "header", "the file has %d bytes, offsets reach %d", size, MaxImageSize)
	}
	// One field past the longest header, for the revision that has one.
	h := make([]byte, 0x30)
	if _, err := r.ReadAt(h[:min(size, int64(len(h)))], 0); err != nil && err != io.EOF {
		return header{}, fmt.Errorf("header: %w", err)
	}
	if !bytes.HasPrefix(h, []byte(magic)) {
		return header{}, bad(0, "magic", "%q, want %q", h[:len(magic)], magic)
	}
	version, err := detect(h, size)
	if err != nil {
		return header{}, err
	}
	le := binary.LittleEndian
	out := header{
		version:    version,
		inodeTable: int64(le.Uint32(h[atInodeTable:])),
		inodeCount: int(le.Uint16(h[atInodeCount:])),
		entry:      le.Uint64(h[atEntry:]),
	}
	if version == V1 {
		out.time = Time{le.Uint64(h[atV1Sec:]), le.Uint32(h[atV1Nsec:])}
	} else {
		out.root = int(le.Uint16(h[atV2Root:]))
	}
	if err := out.check(size); err != nil {
		return header{}, err
	}
	if version == V1 {
		if err := refuseSmallInodes(r, out, le.Uint16(h[0x2c:])); err != nil {
			return header{}, err
		}
	}
	return out, nil
}

// detect tells the layouts apart by the only two fields both have in different
// places whose value is known: the file's length and the page size.
func detect(h []byte, size int64) (Version, error) {
	le := binary.LittleEndian
	size1, page1 := le.Uint64(h[V1.geometry().sizeAt:]), le.Uint16(h[V1.geometry().pageAt:])
	size2, page2 := le.Uint64(h[V2.geometry().sizeAt:]), le.Uint16(h[V2.geometry().pageAt:])
	is1 := size1 == uint64(size) && page1 == PageSize && size >= V1.geometry().headerSize
	is2 := size2 == uint64(size) && page2 == PageSize
	switch {
	case is1 && is2:
		return 0, bad(V1.geometry().sizeAt, "initfs_size", "both layouts fit this header")
	case is1:
		return V1, nil
	case is2:
		return V2, nil
	case size1 == uint64(size) && page1 == 0:
		return 0, &RevisionError{revisionNoPageSize}
	case size1 == uint64(size):
		return 0, bad(V1.geometry().pageAt, "page_size", "%d, the bootstrap accepts %d only", page1, PageSize)
	case size2 == uint64(size):
		return 0, bad(V2.geometry().pageAt, "page_size", "%d, the bootstrap accepts %d only", page2, PageSize)
	case page1 == PageSize:
		return 0, bad(V1.geometry().sizeAt, "initfs_size", "%d, but the file has %d bytes: truncated or extended", size1, size)
	case page2 == PageSize:
		return 0, bad(V2.geometry().sizeAt, "initfs_size", "%d, but the file has %d bytes: truncated or extended", size2, size)
	}
	return 0, bad(V1.geometry().sizeAt, "initfs_size", "neither layout's size field holds the file's length, %d", size)
}

func (h header) check(size int64) error {
	g := h.version.geometry()
	if h.inodeCount == 0 {
		return bad(atInodeCount, "inode_count", "0: there is not even a root")
	}
	if h.root >= h.inodeCount {
		return bad(atV2Root, "root_inode", "%d of %d inodes", h.root, h.inodeCount)
	}
	if h.inodeTable < g.headerSize {
		return bad(atInodeTable, "inode_table_offset", "%#x is inside the header", h.inodeTable)
	}
	if end := h.inodeTable + int64(h.inodeCount)*g.inodeSize; end > size {
		return bad(atInodeTable, "inode_table_offset", "the table of %d inodes would end at %#x, the file at %#x", h.inodeCount, end, size)
	}
	return nil
}

// refuseSmallInodes recognises the two revisions that kept the V1 header but
// had V2's inodes: inode 0 of V1 is the root, whose first word is 1<<28|mode,
// while a V2 inode's first word is its type, at most 3.
func refuseSmallInodes(r io.ReaderAt, h header, afterHeader uint16) error {
	var word [4]byte
	if _, err := r.ReadAt(word[:], h.inodeTable); err != nil {
		return bad(h.inodeTable, "inode 0", "%v", err)
	}
	switch w := binary.LittleEndian.Uint32(word[:]); {
	case w>>28 == V1.geometry().dirType:
		return nil
	case w == V2.geometry().dirType && afterHeader == 0:
		return &RevisionError{revisionSmallInode}
	case w <= V2.geometry().linkType:
		return &RevisionError{revisionRootInode}
	default:
		return bad(h.inodeTable, "inode 0", "the root has type %d, want a directory", w>>28)
	}
}

package initfs

import (
	"encoding/binary"
	"fmt"
	"io"
)

// findBootstrap sets Bootstrap; the package comment says by which rule.
func (img *Image) findBootstrap() error {
	if img.Entry == NoEntry || img.Size <= BootstrapOffset {
		return nil
	}
	region := img.bootstrapRegion()
	if region == 0 {
		return nil
	}
	sr := io.NewSectionReader(img.r, BootstrapOffset, region)
	length := min(elfLength(sr, region), region)
	last, err := lastNonZero(sr, length, region)
	if err != nil {
		return fmt.Errorf("offset %#x, bootstrap: %w", int64(BootstrapOffset), err)
	}
	if length = max(length, last); length > 0 {
		img.Bootstrap = section{img.r, BootstrapOffset, length}
		img.use(BootstrapOffset, length, "bootstrap", nil)
	}
	return nil
}

// bootstrapRegion is the room between the header page and the next structure.
func (img *Image) bootstrapRegion() int64 {
	end := img.Size
	for _, e := range img.extents {
		if e.off+e.len > BootstrapOffset && e.off < end && e.what != "header" {
			end = max(e.off, BootstrapOffset)
		}
	}
	return end - BootstrapOffset
}

// elfLength is where the last thing an ELF64's headers refer to ends; 0 when it
// is no ELF64, size when its headers make no sense.
func elfLength(r io.ReaderAt, size int64) int64 {
	const headerLen, progLen, sectLen = 64, 56, 64
	h := make([]byte, headerLen)
	if _, err := r.ReadAt(h, 0); err != nil || string(h[:6]) != "\x7fELF\x02\x01" {
		return 0
	}
	le := binary.LittleEndian
	end := int64(headerLen)
	tables := []struct {
		off           uint64
		entry, num    int64
		fileOff, size int    // where a record holds its own extent
		skip          uint32 // record type without bytes in the file, at byte 4
	}{
		{le.Uint64(h[0x20:]), progLen, int64(le.Uint16(h[0x38:])), 8, 32, 0},
		{le.Uint64(h[0x28:]), sectLen, int64(le.Uint16(h[0x3c:])), 24, 32, 8}, // SHT_NOBITS
	}
	for _, t := range tables {
		if t.num == 0 {
			continue
		}
		if t.off > uint64(size) || int64(t.off)+t.num*t.entry > size {
			return size
		}
		table := make([]byte, t.num*t.entry)
		if _, err := r.ReadAt(table, int64(t.off)); err != nil && err != io.EOF {
			return size
		}
		end = max(end, int64(t.off)+int64(len(table)))
		for ; len(table) > 0; table = table[t.entry:] {
			if t.skip != 0 && le.Uint32(table[4:]) == t.skip {
				continue
			}
			off, n := le.Uint64(table[t.fileOff:]), le.Uint64(table[t.size:])
			if off > uint64(size) || n > uint64(size)-off {
				return size
			}
			end = max(end, int64(off+n))
		}
	}
	return end
}

// lastNonZero is the end of the last byte in from..to that is not zero, or
// from. It reads backwards, so that a file of padding costs one pass and a
// well-packed one nothing.
func lastNonZero(r io.ReaderAt, from, to int64) (int64, error) {
	buf := make([]byte, min(to-from, 64<<10))
	for to > from {
		b := buf[:min(to-from, int64(len(buf)))]
		if n, err := r.ReadAt(b, to-int64(len(b))); n < len(b) {
			return 0, err
		}
		for i := len(b) - 1; i >= 0; i-- {
			if b[i] != 0 {
				return to - int64(len(b)) + int64(i) + 1, nil
			}
		}
		to -= int64(len(b))
	}
	return from, nil
}

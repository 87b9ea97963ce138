package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/diskfs/go-diskfs/partition/gpt"
)

// sectorSizes are what partition tables count in, in bytes. Nothing in a table says which; its place does.
var sectorSizes = [...]int{512, 4096}

var errNoTable = errors.New("there is none")

// readTable reads a partition table of whatever tool: the second copy, at the end, when the first is damaged.
func readTable(f *os.File) (*gpt.Table, error) {
	size, err := f.Seek(0, 2)
	if err != nil {
		return nil, err
	}
	failure := errNoTable
	for _, sector := range sectorSizes {
		seen := false
		for _, at := range []int64{int64(sector), size/int64(sector)*int64(sector) - int64(sector)} {
			is, err := checkHeader(f, at)
			if err != nil {
				return nil, err
			}
			seen = seen || is
		}
		if !seen {
			continue
		}
		table, err := gpt.Read(f, sector, sector)
		if err == nil {
			return table, nil
		}
		failure = err
	}
	return nil, failure
}

// checkHeader reports whether the header of a table is at an offset, and refuses numbers for which the library would ask for all
// memory: they are covered by a checksum, which anybody can compute.
func checkHeader(f *os.File, at int64) (bool, error) {
	var h [92]byte
	if _, err := f.ReadAt(h[:], at); err != nil || !bytes.HasPrefix(h[:], []byte("EFI PART")) {
		return false, nil // too short for one
	}
	count, size := binary.LittleEndian.Uint32(h[80:]), binary.LittleEndian.Uint32(h[84:])
	if count > 4096 || size < 128 || size > 4096 {
		return true, fmt.Errorf("%d entries of %d bytes, at most 4096 of 128 to 4096 are read", count, size)
	}
	return true, nil
}

// partOf is where a partition lies. One that no file can hold is empty.
func partOf(t *gpt.Table, p *gpt.Partition) Part {
	sector := uint64(t.LogicalSectorSize)
	if p.End < p.Start || p.End >= math.MaxInt64/sector {
		return Part{}
	}
	return Part{int64(p.Start * sector), int64((p.End - p.Start + 1) * sector)}
}

// rootPartition is the one with RedoxFS in it, by preference of the name that installers give it; or one that has only the name.
func rootPartition(f *os.File, t *gpt.Table) *gpt.Partition {
	var best *gpt.Partition
	points := 0
	for _, p := range t.Partitions {
		n := 0
		if p.Name == rootName {
			n = 1
		}
		if part := partOf(t, p); part.Length > 0 && has(f, redoxfsMagic, part.Offset) {
			n += 2
		}
		if n > points {
			best, points = p, n
		}
	}
	return best
}

// ErrNoRoot says that a file has no place for a RedoxFS that we know.
var ErrNoRoot = errors.New("no partition named REDOX")

// fallbackRoot is where the boot loader looks on a disk whose table it cannot read.
const fallbackRoot = 2 * mib

// FindRoot says where RedoxFS lies in an image: in a partition of its table; for an image without one the whole file, or from where
// the boot loader looks then.
func FindRoot(path string) (Part, error) {
	f, err := openRegular(path)
	if err != nil {
		return Part{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Part{}, err
	}
	part, err := findRoot(f, info.Size())
	if err != nil {
		return Part{}, fmt.Errorf("%s: %w", path, err)
	}
	return part, nil
}

// openRegular opens a file for reading; what is no file may block or never end.
func openRegular(path string) (*os.File, error) {
	if err := regular(path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

func regular(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	return err
}

func findRoot(f *os.File, size int64) (Part, error) {
	if has(f, redoxfsMagic, 0) {
		return Part{0, size}, nil
	}
	table, err := readTable(f)
	switch {
	case err == nil:
		return rootOf(f, table, size)
	case has(f, redoxfsMagic, fallbackRoot):
		return Part{fallbackRoot, size - fallbackRoot}, nil
	case errors.Is(err, errNoTable):
		return Part{}, fmt.Errorf("neither a partition table nor RedoxFS: %w", ErrNoRoot)
	}
	return Part{}, fmt.Errorf("partition table: %w", err)
}

func rootOf(f *os.File, table *gpt.Table, size int64) (Part, error) {
	p := rootPartition(f, table)
	if p == nil {
		return Part{}, ErrNoRoot
	}
	part := partOf(table, p)
	switch {
	case part.Length == 0:
		return Part{}, fmt.Errorf("partition table: %s has the sectors %d to %d", p.Name, p.Start, p.End)
	case part.Offset+part.Length > size:
		return Part{}, fmt.Errorf("the image is truncated: %d bytes, its table says at least %d", size, part.Offset+part.Length)
	}
	return part, nil
}

package image

import (
	"context"
	"fmt"
	"os"

	"github.com/diskfs/go-diskfs/partition/gpt"

	"github.com/pannous/redox-clif/internal/redoxfs"
)

// Grow makes the image larger, to a whole number of MiB, and RedoxFS with it. The image before is kept as a snapshot.
func (e *Editor) Grow(ctx context.Context, sizeMiB int64) error {
	info, err := os.Stat(e.Path)
	if err != nil {
		return err
	}
	size := sizeMiB * mib
	if size <= info.Size() {
		return fmt.Errorf("%s has %d MiB already; images only grow", e.Path, info.Size()/mib)
	}
	return e.replace(ctx, func(tmp string) error {
		if err := clone(ctx, e.Path, tmp, info.Mode().Perm()); err != nil {
			return err
		}
		if err := growTable(tmp, info.Size(), size); err != nil {
			return err
		}
		v, err := volume(e.Tool, tmp)
		if err != nil {
			return err
		}
		if err := v.Grow(ctx); err != nil {
			return err
		}
		if _, err := v.Verify(ctx); err != nil {
			return fmt.Errorf("verifying the larger image: %w", err)
		}
		return e.snapshot()
	})
}

// growTable lets the partition of RedoxFS, which has to be the last, reach to the new end, and moves the second copy of the table there.
func growTable(path string, old, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		return err
	}
	if has(f, redoxfsMagic, 0) {
		return nil // no table
	}
	table, err := gpt.Read(f, sector, sector)
	if err != nil {
		return fmt.Errorf("partition table: %w", err)
	}
	last := table.Partitions[0]
	for _, p := range table.Partitions {
		if p.Start > last.Start {
			last = p
		}
	}
	if last.Name != rootName {
		return &redoxfs.Error{Kind: redoxfs.Full, Message: fmt.Sprintf("the last partition is %q, so %s cannot grow", last.Name, rootName)}
	}
	end := (size - reserved*sector) / mib * mib
	last.Size = uint64(end) - last.Start*sector
	last.End = uint64(end)/sector - 1
	table.Resize(uint64(size))
	// The old second copy lies inside of the partition now.
	if _, err := f.WriteAt(make([]byte, 33*sector), old-33*sector); err != nil {
		return err
	}
	return table.Write(f, size)
}

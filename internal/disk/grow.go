package disk

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pannous/redox-clif/internal/redoxfs"
)

// Grow makes the image larger, to a whole number of MiB, and RedoxFS with it. The image before is kept as a snapshot.
func (e *Editor) Grow(ctx context.Context, sizeMiB int64) error {
	info, err := os.Stat(e.Path)
	if err != nil {
		return err
	}
	if sizeMiB > maxMiB {
		return fmt.Errorf("%d MiB are more than the %d of the largest file", sizeMiB, int64(maxMiB))
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
func growTable(path string, old, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if has(f, redoxfsMagic, 0) {
		return f.Truncate(size) // no table
	}
	table, err := readTable(f) // perhaps from the end
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		return fmt.Errorf("partition table: %w", err)
	}
	root := rootPartition(f, table)
	if root == nil {
		return ErrNoRoot
	}
	for _, p := range table.Partitions {
		if p.Start > root.Start {
			return &redoxfs.Error{Kind: redoxfs.Full, Message: fmt.Sprintf("the last partition is %q, so %q cannot grow", p.Name, root.Name)}
		}
	}
	before := partOf(table, root)
	unit := int64(table.LogicalSectorSize)
	end := (size - reserved*unit) / mib * mib
	root.Size = uint64(end - before.Offset)
	root.End = uint64(end/unit) - 1
	table.Resize(uint64(size))
	// The old second copy lies inside of the partition now.
	if from := max(old-reserved*unit, before.Offset+before.Length); from < old {
		if _, err := f.WriteAt(make([]byte, old-from), from); err != nil {
			return err
		}
	}
	return table.Write(f, size)
}

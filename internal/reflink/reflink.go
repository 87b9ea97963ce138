// Package reflink copies a file so that the copy shares the blocks of the original until one of the two is written to: in no time and
// at the cost of no space.
//
// It owns the system calls for that. It must not know what the files are for, nor copy where the file system cannot share: the caller
// has a way of its own.
package reflink

import (
	"io/fs"
	"os"
)

// File makes dst, where nothing may be, share the blocks of src, from its beginning to its end, with permission bits of its own. After an
// error nothing is there; most errors say that the file system cannot (Btrfs, XFS, bcachefs and APFS can), or that dst is on another one.
func File(src *os.File, dst string, perm fs.FileMode) error {
	if err := clone(src, dst); err != nil {
		return err
	}
	if err := os.Chmod(dst, perm); err != nil {
		_ = os.Remove(dst) // it is ours, and of no use
		return err
	}
	return nil
}

// Package atomicfile replaces small files as a whole without forcing them to stable storage.
//
// It is for files that are checked when they are read and that can be done without: entries of caches, what is
// remembered to explain a build. A reader sees the old file or the new one, also while the writer is
// killed. After a power failure it may see an empty or a torn one, and has to take that for none. An fsync costs
// more than all else of writing such a file, and a build of one changed line writes two dozen. What cannot be made
// again is written by renameio, which waits for the disk.
//
// It owns the order of writing and renaming. It must not know what is in a file.
package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Write puts data beside path, under a name that starts with "." and the file's own, and renames it.
func Write(path string, data []byte, perm fs.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := f.Chmod(perm); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

//go:build !linux

package pkgar

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// syncFiles writes every file and folder below dir to the disk.
func syncFiles(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !(d.IsDir() || d.Type().IsRegular()) {
			return err
		}
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrPermission) {
			return nil // a file that its owner may not read cannot be synced by name
		}
		if err != nil {
			return err
		}
		return errors.Join(f.Sync(), f.Close())
	})
}

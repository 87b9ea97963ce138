package rustbuild

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// forgetting makes cargo compile a vendored crate again. Cargo takes the checksum of a vendored package, which
// the lock file fixes, for all that could change about it: it never looks at the files' times. What it knows of
// the crate is removed before a file of it is changed, so that a killed run leaves nothing stale.
type forgetting struct {
	build string // x.py's folder, with cargo's target folders in it
	done  map[string]bool
}

func newForgetting(build string) *forgetting {
	return &forgetting{build: build, done: map[string]bool{}}
}

var (
	vendored = regexp.MustCompile(`^vendor/([^/]+?)(-\d+\.\d+\.[^/]*)?/`)
	// The names of a fingerprint's folder end with the crate's hash.
	fingerprint = regexp.MustCompile(`^(.+)-[0-9a-f]{16}$`)
)

// file is for a slash path in the source. Nothing happens where it is no vendored crate's.
func (f *forgetting) file(name string) error {
	match := vendored.FindStringSubmatch(name)
	if match == nil || f.done[match[1]] {
		return nil
	}
	f.done[match[1]] = true
	return filepath.WalkDir(f.build, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !d.IsDir():
			return nil
		case d.Name() == ".fingerprint":
			return f.crate(path, match[1])
		case d.Name() == "deps" || strings.HasSuffix(d.Name(), "sysroot") || d.Name() == "stage1":
			return filepath.SkipDir // large, and no target folders
		}
		return nil
	})
}

func (f *forgetting) crate(folder, crate string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if match := fingerprint.FindStringSubmatch(entry.Name()); match != nil && match[1] == crate {
			if err := os.RemoveAll(filepath.Join(folder, entry.Name())); err != nil {
				return err
			}
		}
	}
	return filepath.SkipDir
}

package pkgar

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// pending is a file on its way to its name, locked for as long as it is open: the lock tells it from one that a killed process
// left.
type pending struct{ *os.File }

// newPending removes what killed processes left for the same name, and makes a new file beside it.
func newPending(name string) (*pending, error) {
	dir, prefix := filepath.Dir(name), "."+filepath.Base(name)+"-"
	if err := sweepPending(dir, prefix); err != nil {
		return nil, err
	}
	// Another process may sweep the file between its making and its locking.
	for range 100 {
		p, err := tryPending(dir, prefix)
		if p != nil || err != nil {
			return p, err
		}
	}
	return nil, fmt.Errorf("cannot make a file %s* in %s: something keeps removing it", prefix, dir)
}

// tryPending is nil if the file was swept.
func tryPending(dir, prefix string) (*pending, error) {
	f, err := os.CreateTemp(dir, prefix+"*")
	if err != nil {
		return nil, err
	}
	free, err := lockFolder(f)
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	opened, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if named, err := os.Stat(f.Name()); !free || err != nil || !os.SameFile(opened, named) {
		return nil, f.Close()
	}
	return &pending{f}, nil
}

// sweepPending removes the files that nobody holds.
func sweepPending(dir, prefix string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range names {
		number, ours := strings.CutPrefix(d.Name(), prefix)
		if !ours || !d.Type().IsRegular() || strings.Trim(number, "0123456789") != "" {
			continue
		}
		if err := removeFree(filepath.Join(dir, d.Name()), os.Remove); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what a killed run left: %w", err)
		}
	}
	return nil
}

// commit gives the file its name, after it has been written to the disk unless told not to wait for that.
func (p *pending) commit(name string, noSync bool) error {
	if err := p.Chmod(0o644); err != nil {
		return err
	}
	if !noSync {
		if err := p.Sync(); err != nil {
			return err
		}
	}
	if err := os.Rename(p.Name(), name); err != nil {
		return err
	}
	return p.Close()
}

// discard removes the file.
func (p *pending) discard() error {
	err := os.Remove(p.Name())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it has its name already
	}
	_ = p.Close() // nothing of it is needed
	return err
}

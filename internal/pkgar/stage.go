package pkgar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// stage is a locked folder beside a destination. Its folder "tree" becomes, or is exchanged with, the destination. The lock
// tells a folder in use from one that a killed process left.
type stage struct {
	dir  string
	tree string
	lock *os.File
}

// newStage removes what killed processes left beside dir, and makes a new stage.
func newStage(dir string) (*stage, error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, dirMode); err != nil {
		return nil, err
	}
	prefix := stagePrefix + filepath.Base(dir) + "-"
	if err := sweepStages(parent, prefix); err != nil {
		return nil, err
	}
	// Another process may sweep the folder between its making and its locking.
	for range 100 {
		s, err := tryStage(parent, prefix)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
	}
	return nil, fmt.Errorf("cannot make a folder %s* in %s: something keeps removing it", prefix, parent)
}

func tryStage(parent, prefix string) (*stage, error) {
	dir, err := os.MkdirTemp(parent, prefix+"*")
	if err != nil {
		return nil, err
	}
	lock, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	s := &stage{dir: dir, tree: filepath.Join(dir, "tree"), lock: lock}
	if _, err = lockFolder(lock); err == nil {
		err = os.Mkdir(s.tree, dirMode)
	}
	if err == nil {
		err = os.Chmod(s.tree, dirMode)
	}
	if err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// sweepStages removes the stages that nobody holds.
func sweepStages(parent, prefix string) error {
	names, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, d := range names {
		if !d.IsDir() || !strings.HasPrefix(d.Name(), prefix) {
			continue
		}
		if err := removeFree(filepath.Join(parent, d.Name()), removeTree); err != nil {
			return fmt.Errorf("remove what a killed extraction left: %w", err)
		}
	}
	return nil
}

// removeFree removes a file or folder unless somebody holds its lock. One that is gone already is no error.
func removeFree(name string, remove func(name string) error) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	free, err := lockFolder(f)
	if err == nil && free {
		err = remove(name)
	}
	return errors.Join(err, f.Close())
}

// finish writes the tree to the disk, unless told not to, and makes it visible as dir.
func (s *stage) finish(ctx context.Context, dir string, fresh, noSync bool) error {
	if !noSync {
		if err := syncTree(s.tree); err != nil {
			return fmt.Errorf("write to disk: %w", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.commit(dir, fresh)
}

// commit makes the tree visible as dir.
func (s *stage) commit(dir string, fresh bool) error {
	if !fresh {
		if err := exchange(s.tree, dir); err != nil {
			return fmt.Errorf("exchange the new %s with the old one: %w", dir, err)
		}
		return nil
	}
	// An empty folder may be in the way; a folder that is not empty any more makes the rename fail, as it should.
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(s.tree, dir)
}

// remove removes what is left of the stage: everything after a failure, the old tree after an exchange.
func (s *stage) remove() error {
	return errors.Join(removeTree(s.dir), s.lock.Close())
}

// removeTree is os.RemoveAll for trees with folders that have no write permission.
func removeTree(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(name, 0o700)
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(dir))
}

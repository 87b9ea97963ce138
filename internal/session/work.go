package session

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/lockfile"
)

// Scratch makes a folder in out/ for one run, and removes what killed runs have left beside it. The name is locked until done is
// called, which removes the folder.
func (s *Session) Scratch(kind, name string) (dir string, done func(), err error) {
	top := filepath.Join(s.Config.Out(), kind)
	if err := sweep(top); err != nil {
		return "", nil, err
	}
	lock, err := lockfile.Try(filepath.Join(top, name+lockSuffix))
	if err != nil {
		return "", nil, err
	}
	if lock == nil {
		return "", nil, errors.New("another run of mage has it under way")
	}
	dir = filepath.Join(top, name)
	done = func() {
		_ = os.RemoveAll(dir) // what stays, the next run sweeps
		lock.ReleaseAndRemove()
	}
	// Not removed by sweep: a run may have ended between the two.
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		done()
		return "", nil, err
	}
	return dir, done, nil
}

const lockSuffix = ".lock"

// sweep removes the folders whose locks nobody holds.
func sweep(top string) error {
	locks, err := globdir.In(top, "*"+lockSuffix)
	if err != nil {
		return err
	}
	for _, path := range locks {
		lock, err := lockfile.Try(path)
		if err != nil {
			return err
		}
		if lock == nil {
			continue
		}
		err = os.RemoveAll(strings.TrimSuffix(path, lockSuffix))
		lock.ReleaseAndRemove()
		if err != nil {
			return err
		}
	}
	return nil
}

// Roots is the exec roots as far as nothing has to run in them.
func (s *Session) Roots() *execroot.Runner {
	return &execroot.Runner{Store: s.Store, Dir: s.Config.Work()}
}

// InWork is a path relative to the folder of the exec roots.
func (s *Session) InWork(path string) string { return strings.TrimPrefix(path, s.Config.Work()+"/") }

// Sweep removes what killed runs left half-made, here and in the cache. Nothing depends on that, so it
// is no error when it cannot.
func (s *Session) Sweep() {
	now := time.Now()
	if _, err := s.Store.Sweep(now); err != nil {
		s.Say("could not sweep the cache: %v", err)
	}
	if err := s.Roots().Sweep(now); err != nil {
		s.Say("could not sweep the work folders: %v", err)
	}
	// This checkout is locked: whatever is being placed there is placed by nobody.
	left, _ := globdir.In(s.Config.Out(), cas.PlacingPrefix+"*")
	for _, path := range left {
		_ = os.Remove(path)
	}
}

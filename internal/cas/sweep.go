package cas

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/cachefile"
)

// youngest is the age below which Sweep leaves a file alone: a file that has just been made
// may not be locked yet.
const youngest = 10 * time.Second

// newTemp makes a file to write a blob into, locked (flock) for as long as it is open, so that
// Sweep can tell it from what a killed run left.
func (s *Store) newTemp() (*os.File, error) {
	tmp, err := os.CreateTemp(s.tmpDir(), "put-*")
	if err != nil {
		// The folder went away under a running build; nothing that matters was in it.
		if err := cachefile.MakeFolder(s.dir, tmpName); err != nil {
			return nil, err
		}
		tmp, err = os.CreateTemp(s.tmpDir(), "put-*")
	}
	if err != nil {
		return nil, err
	}
	// Without the lock a file of an hour-long write could be swept; that is no reason to fail.
	_ = unix.Flock(int(tmp.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return tmp, nil
}

// Sweep removes the half-written files that killed runs left behind and returns how many bytes
// they took. Files that a running process writes stay. A store that cannot be written to
// has nothing to sweep.
func (s *Store) Sweep(now time.Time) (int64, error) {
	entries, err := os.ReadDir(s.tmpDir())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var freed int64
	for _, e := range entries {
		n, err := s.sweepOne(filepath.Join(s.tmpDir(), e.Name()), now)
		if isReadOnly(err) || errors.Is(err, fs.ErrPermission) {
			return freed, nil
		}
		if err != nil {
			return freed, err
		}
		freed += n
	}
	return freed, nil
}

func (s *Store) sweepOne(path string, now time.Time) (int64, error) {
	f, err := cachefile.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return 0, nil
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if now.Sub(Stored(info)) < youngest {
		return 0, nil
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return info.Size(), err
}

// Stored is when a blob got into the store. Its modification time is set by hand (see the package
// comment), so it is the change time that tells.
func Stored(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(0, changeTime(st))
	}
	return info.ModTime()
}

// generationPath is the file that names this very store since the last time that blobs were taken out of it on
// purpose. Who keeps a list of what is in the store keeps the name with it.
func (s *Store) generationPath() string { return filepath.Join(s.dir, "generation") }

// generation is the store's present name, and gives it one on first use. It is "" where that cannot be written. Of two
// processes that do so at once one may remember the other name: its list is then worth nothing, which is no harm.
func (s *Store) generation() string {
	text, err := cachefile.Read(s.generationPath())
	if err != nil || len(text) == 0 {
		if s.Renew() != nil {
			return ""
		}
		text, _ = cachefile.Read(s.generationPath())
	}
	return strings.TrimSpace(string(text))
}

// Renew makes worthless what stat caches say of the store: blobs were removed that are not damaged.
func (s *Store) Renew() error {
	return atomicfile.Write(s.generationPath(), []byte(rand.Text()+"\n"), 0o644)
}

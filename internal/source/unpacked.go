package source

import (
	"os"
	"path/filepath"
	"time"

	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/lockfile"
)

// Unpacked is a crate, or a commit of a repository, as a cargo that fetched has unpacked it in its home. No build reads it: crates are taken
// from the archives that cargo fetched. Cargo unpacks it again when it wants to.
type Unpacked struct {
	Path string
	Made time.Time
	home string
}

// UnpackedIn are those of a home of cargo's.
func UnpackedIn(home string) ([]Unpacked, error) {
	var all []Unpacked
	for _, pattern := range []string{"registry/src/*/*", "git/checkouts/*/*"} {
		found, err := globdir.In(home, pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			if info, err := os.Lstat(path); err == nil && info.IsDir() {
				all = append(all, Unpacked{path, info.ModTime(), home})
			}
		}
	}
	return all, nil
}

// Remove removes it, unless a cargo works in its home: then it says no.
func (u Unpacked) Remove() (removed bool, err error) {
	lock, err := lockfile.Try(filepath.Join(u.home, ".package-cache"))
	if err != nil || lock == nil {
		return false, err
	}
	defer lock.Release()
	return true, os.RemoveAll(u.Path)
}

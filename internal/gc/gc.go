// Package gc looks after the cache: what is in it, whether it is whole, and what may go when it is too large or too old.
//
// It owns what keeps a result alive (the last builds of a checkout, a lock that somebody holds, use within the hour) and the
// order in which the rest goes. It must not know how any part of the cache lays its entries out, nor print.
package gc

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/rustbuild"
)

// Cache is a cache's parts.
type Cache struct {
	Dir        string // that all parts lie in
	Locks      string // the folder of the locks of steps
	Store      *cas.Store
	Actions    *action.Cache
	Work       *execroot.Runner
	Archives   pkgrepo.Archives
	Toolchains rustbuild.Store
	CargoHome  string // in which crates are fetched
	// Checkout is the folder whose last builds, of all targets and profiles, keep what they consist of.
	Checkout string
}

// FolderSize counts the files below a folder and their bytes. What vanishes meanwhile does not count.
func FolderSize(ctx context.Context, dir string) (files int, bytes int64, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		files++
		bytes += info.Size()
		return nil
	})
	return files, bytes, err
}

// sweep removes what killed runs have left: locks of steps, pairs of builds, half-made toolchains.
func (c *Cache) sweep() error {
	return errors.Join(c.sweepLocks(), c.sweepRepros(), c.Toolchains.Sweep())
}

func (c *Cache) sweepLocks() error {
	entries, err := os.ReadDir(c.Locks)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue // no lock, and a link may lead anywhere
		}
		lock, err := lockfile.Try(filepath.Join(c.Locks, e.Name()))
		if err != nil {
			return err
		}
		if lock != nil {
			lock.ReleaseAndRemove()
		}
	}
	return nil
}

// sweepRepros removes the folders that `mage repro` left, killed or on purpose for a look at a difference.
func (c *Cache) sweepRepros() error {
	left, err := globdir.In(c.Dir, config.ReproPrefix+"*")
	if err != nil {
		return err
	}
	for _, dir := range left {
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue // a link may lead anywhere
		}
		lock, err := lockfile.Try(filepath.Join(dir, ".lock"))
		if err != nil {
			return err
		}
		if lock == nil {
			continue // its builds run
		}
		err = os.RemoveAll(dir)
		lock.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// freshTime is how long ago something must have been stored or used before it may go: a build that runs
// just now may have looked it up and not used it yet. (Were it to lose it all the same, it would build it
// again.)
const freshTime = time.Hour

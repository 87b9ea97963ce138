package rustbuild

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/lockfile"
)

// Store is the folder of the cache that has the built toolchains:
//
//	<name>-<identity>/    a toolchain; appears by rename and never changes, but for the time of its manifest: its last use
//	<name>                a link to the newest toolchain of that name
//	work/<name>/          the lasting folder it is built in, work/<name>.llvm/ if LLVM is built too
//	work/<name>.lock      held while something is built there
//	.partial-*            what a killed run left half-made
type Store struct{ Dir string }

const (
	workFolder    = "work"
	partialPrefix = ".partial-"
	// idDigits of the identity are in the folder's name.
	idDigits = 12
)

// Path is where the toolchain of an identity is or will be.
func (s Store) Path(name, identity string) string {
	return filepath.Join(s.Dir, name+"-"+identity[:idDigits])
}

// Link is the path that leads to the newest toolchain of a name.
func (s Store) Link(name string) string { return filepath.Join(s.Dir, name) }

// Work is the lasting folder in which a name is built, by the name of that folder.
func (s Store) Work(name string) string { return filepath.Join(s.Dir, workFolder, name) }

// Resolve is the folder that a name stands for just now: a later build of the same name does not change it.
func (s Store) Resolve(name string) (string, error) {
	if !validName.MatchString(name) {
		return "", fmt.Errorf("%q is no name of a toolchain; a folder is written with a slash: ./%s", name, name)
	}
	target, err := filepath.EvalSymlinks(s.Link(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("no toolchain called %s was built here: `mage toolchain:build %s` builds it, `mage toolchain:unpack FILE` takes a packed one; a folder is written with a slash: ./%s", name, name, name)
	}
	return target, err
}

// Has tells whether path is a toolchain of this store.
func (s Store) Has(path string) bool {
	return filepath.Dir(path) == filepath.Clean(s.Dir) && exists(filepath.Join(path, ManifestName))
}

// Lock makes runs that build, unpack or collect a name wait for each other.
func (s Store) Lock(ctx context.Context, name string, waiting func()) (*lockfile.Lock, error) {
	return lockfile.Wait(ctx, s.lockPath(name), waiting)
}

func (s Store) lockPath(name string) string { return s.Work(name) + ".lock" }

// Point makes the link of a name lead to a toolchain.
func (s Store) Point(name, dir string) error {
	link := s.Link(name)
	if old, err := os.Readlink(link); err == nil && old == filepath.Base(dir) {
		return nil
	}
	return renameio.Symlink(filepath.Base(dir), link)
}

// partial makes a folder for something half-made. The caller holds the name's lock.
func (s Store) partial(name string) (string, error) {
	dir := filepath.Join(s.Dir, partialPrefix+name)
	if err := removeAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// publish gives a finished toolchain its name and makes it the newest of its name. One that is there
// already stays as it is: it may be in use.
func (s Store) publish(partial string, m *Manifest) (string, error) {
	unix.Sync() // two thousand files; they are on disk before the name is
	dir := s.Path(m.Name, m.Identity)
	if exists(dir) {
		if err := removeAll(partial); err != nil {
			return "", err
		}
	} else if err := os.Rename(partial, dir); err != nil {
		return "", err
	}
	return dir, s.Point(m.Name, dir)
}

// Installed is a toolchain of the store.
type Installed struct {
	*Manifest
	Dir     string    `json:"dir"`
	Current bool      `json:"current"` // the name leads here
	Used    time.Time `json:"used"`
}

// List is the toolchains of the store, by name, the newest of each first. One whose manifest cannot be read is left out.
func (s Store) List() ([]Installed, error) {
	found, err := globdir.In(s.Dir, "*/"+ManifestName)
	if err != nil {
		return nil, err
	}
	var all []Installed
	for _, path := range found {
		dir := filepath.Dir(path)
		if info, err := os.Lstat(dir); err != nil || !info.IsDir() {
			continue // the link of a name
		}
		one, err := s.installed(dir)
		if err == nil {
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all, func(a, b Installed) int {
		if a.Name != b.Name {
			return strings.Compare(a.Name, b.Name)
		}
		return b.Used.Compare(a.Used)
	})
	return all, nil
}

func (s Store) installed(dir string) (Installed, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return Installed{}, err
	}
	info, err := os.Stat(filepath.Join(dir, ManifestName))
	if err != nil {
		return Installed{}, err
	}
	target, _ := os.Readlink(s.Link(m.Name)) // "" leads nowhere
	return Installed{Manifest: m, Dir: dir, Current: target == filepath.Base(dir), Used: info.ModTime()}, nil
}

// Use notes that a toolchain of the store is used now, and keeps it from being collected until the
// returned file is closed or this process ends.
func (s Store) Use(dir string) (*os.File, error) {
	path := filepath.Join(dir, ManifestName)
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s is just being removed: %w", dir, err)
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // a cache that is only read has nothing to collect
	return f, nil
}

// Item is something of the store that can be collected.
type Item struct {
	Path string
	Used time.Time
	name string // of the lock
	work bool
}

// Items are what may go: folders that were built in, and toolchains that are not the newest of their name.
func (s Store) Items() ([]Item, error) {
	var items []Item
	entries, err := os.ReadDir(filepath.Join(s.Dir, workFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() {
			continue
		}
		items = append(items, Item{Path: filepath.Join(s.Dir, workFolder, e.Name()), Used: info.ModTime(), name: strings.TrimSuffix(e.Name(), ownLLVMSuffix), work: true})
	}
	all, err := s.List()
	for _, one := range all {
		if !one.Current {
			items = append(items, Item{Path: one.Dir, Used: one.Used, name: one.Name})
		}
	}
	return items, err
}

// Remove removes an item unless it is in use.
func (s Store) Remove(it Item) (removed bool, err error) {
	lock, err := lockfile.Try(s.lockPath(it.name))
	if lock == nil || err != nil {
		return false, err
	}
	defer lock.Release()
	if it.work {
		return true, removeAll(it.Path)
	}
	f, err := os.Open(filepath.Join(it.Path, ManifestName))
	if err != nil {
		return false, err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false, nil
	}
	// Away first, so that nobody finds half of it.
	gone := filepath.Join(s.Dir, partialPrefix+"gone-"+filepath.Base(it.Path))
	if err := os.Rename(it.Path, gone); err != nil {
		return false, err
	}
	return true, removeAll(gone)
}

// Sweep removes what killed runs left half-made, as far as nobody works on it.
func (s Store) Sweep() error {
	left, err := globdir.In(s.Dir, partialPrefix+"*")
	for _, path := range left {
		name := strings.TrimPrefix(filepath.Base(path), partialPrefix)
		lock, lockErr := lockfile.Try(s.lockPath(name))
		if lock == nil || lockErr != nil {
			err = errors.Join(err, lockErr)
			continue
		}
		err = errors.Join(err, removeAll(path))
		lock.ReleaseAndRemove()
	}
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// removeAll removes a tree, folders that may not be written to included.
func removeAll(path string) error {
	if err := os.RemoveAll(path); err == nil {
		return nil
	}
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(p, 0o755)
		}
		return nil
	})
	return os.RemoveAll(path)
}

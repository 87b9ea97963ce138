package execroot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/lockfile"
)

// Names below Runner.Dir that are not keys of lasting folders.
const (
	// runPrefix starts the folder of one process's temporary folders. It is locked while the process,
	// or a command that outlived it, is there.
	runPrefix = "run-"
	// newPrefix starts such a folder before it is locked, or one on its way out.
	newPrefix = ".new-"
	// failedName holds the temporary folders of commands that failed, by log name.
	failedName = "failed"
)

// abandoned is the age at which a folder with newPrefix belongs to nobody any more: it has the
// name only for the moment between two system calls, or while it is being removed.
const abandoned = time.Hour

// tempFolder is the locked folder of this process's temporary folders.
type tempFolder struct {
	dir  string
	lock *lockfile.Lock
}

// temporary returns this process's folder and makes it on first use. It gets its name when it is
// locked, so that a sweep by another process never sees it without a lock.
func (r *Runner) temporary() (*tempFolder, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.temp != nil {
		return r.temp, nil
	}
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		return nil, err
	}
	made, err := os.MkdirTemp(r.Dir, newPrefix+"*")
	if err != nil {
		return nil, err
	}
	lock, err := lockfile.Try(filepath.Join(made, lockName))
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(r.Dir, runPrefix+strings.TrimPrefix(filepath.Base(made), newPrefix))
	if err := os.Rename(made, dir); err != nil {
		lock.Release()
		return nil, err
	}
	if dir, err = r.real(dir); err != nil {
		lock.Release()
		return nil, err
	}
	r.temp = &tempFolder{dir, lock}
	return r.temp, nil
}

// TempDir makes an empty folder for work that needs no command of an action. The caller removes it; when
// it cannot (kill -9), a later Sweep does.
func (r *Runner) TempDir(purpose string) (string, error) {
	temp, err := r.temporary()
	if err != nil {
		return "", err
	}
	return os.MkdirTemp(temp.dir, purpose+"-*")
}

// Close removes this process's temporary folders. The Runner can be used again after it.
func (r *Runner) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.temp == nil {
		return nil
	}
	defer r.temp.lock.Release()
	dir := r.temp.dir
	r.temp = nil
	return os.RemoveAll(dir)
}

// Sweep removes temporary folders that killed processes left behind, unless something of theirs still
// runs there. What cannot be removed stays for another time.
func (r *Runner) Sweep(now time.Time) error {
	entries, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(r.Dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), runPrefix):
			_, _ = r.removeUnused(path)
		case strings.HasPrefix(e.Name(), newPrefix):
			if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > abandoned {
				_ = os.RemoveAll(path)
			}
		}
	}
	return nil
}

// Lasting is a lasting folder, or the kept folder of a failed command.
type Lasting struct {
	Path string
	Used time.Time // when a command last ran there
}

// Folders lists the lasting folders and the kept folders of failed commands, the least
// recently used first.
func (r *Runner) Folders() ([]Lasting, error) {
	steps, err := os.ReadDir(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Lasting
	for _, step := range steps {
		if !step.IsDir() || strings.HasPrefix(step.Name(), runPrefix) || strings.HasPrefix(step.Name(), newPrefix) {
			continue
		}
		folders, err := r.foldersOf(step.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, folders...)
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Used.Before(all[j].Used) })
	return all, nil
}

// foldersOf lists the folders with one first part of the key.
func (r *Runner) foldersOf(prefix string) ([]Lasting, error) {
	dir := filepath.Join(r.Dir, filepath.FromSlash(prefix))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Lasting
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() {
			all = append(all, Lasting{filepath.Join(dir, e.Name()), info.ModTime()})
		}
	}
	return all, nil
}

// Keep removes all but the newest n lasting folders with the given first part of the
// key, leaving alone those in use.
func (r *Runner) Keep(prefix string, n int) error {
	all, err := r.foldersOf(prefix)
	if err != nil {
		return err
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].Used.After(all[j].Used) })
	for _, old := range all[min(n, len(all)):] {
		if _, err := r.Remove(old); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes a folder of Folders. It returns false when something runs there.
func (r *Runner) Remove(l Lasting) (bool, error) {
	if filepath.Base(filepath.Dir(l.Path)) == failedName {
		return true, os.RemoveAll(l.Path)
	}
	removed, err := r.removeUnused(l.Path)
	_ = os.Remove(filepath.Dir(l.Path)) // the step's folder, when that was its last one
	return removed, err
}

// removeUnused removes a folder unless somebody holds its lock. It is renamed first, so that a
// build that comes for it in the meantime makes a new one and never meets half of the old.
func (r *Runner) removeUnused(dir string) (bool, error) {
	lock, err := lockfile.Try(filepath.Join(dir, lockName))
	if lock == nil {
		return false, err
	}
	defer lock.Release()
	trash, err := os.MkdirTemp(r.Dir, newPrefix+"*")
	if err != nil {
		return false, err
	}
	if err := os.Rename(dir, filepath.Join(trash, "old")); err != nil {
		_ = os.Remove(trash)
		return false, err
	}
	return true, os.RemoveAll(trash)
}

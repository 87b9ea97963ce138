// Package watch tells when files in folders change.
//
// It owns which folders are watched (all below those that are named, also those that come later), and how long a change is waited out: an
// editor saves by several steps. It must not know what a change is for.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Quiet is how long nothing may change for a change to be over.
const Quiet = 30 * time.Millisecond

// Change is files that changed together.
type Change struct {
	// At is when the first of them did, as far as the system has told.
	At    time.Time
	Files []string // absolute, sorted
}

// Watcher watches folders.
type Watcher struct {
	notify *fsnotify.Watcher
	left   func(name string, dir bool) bool
}

// New watches folders with all that is below them. left tells of a file or folder, by its absolute path, that its changes do not matter; what is
// below such a folder is not watched.
func New(dirs []string, left func(name string, dir bool) bool) (*Watcher, error) {
	notify, err := fsnotify.NewBufferedWatcher(1024)
	if err != nil {
		return nil, err
	}
	w := &Watcher{notify, left}
	for _, dir := range dirs {
		dir, err := filepath.EvalSymlinks(dir)
		if err == nil {
			err = w.add(dir)
		}
		if err != nil {
			return nil, errors.Join(err, notify.Close())
		}
	}
	return w, nil
}

// Close ends the watch.
func (w *Watcher) Close() error { return w.notify.Close() }

// add watches a folder and those below it.
func (w *Watcher) add(top string) error {
	return filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && p != top: // it went meanwhile
			return nil
		case err != nil:
			return err
		case !e.IsDir():
			return nil
		case p != top && w.left(p, true):
			return fs.SkipDir
		}
		if err := w.notify.Add(p); errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("%s has more folders than this user may watch: sysctl fs.inotify.max_user_watches raises that: %w", top, err)
		} else if err != nil {
			return fmt.Errorf("watching %s: %w", p, err)
		}
		return nil
	})
}

// Next waits for a change, and until it is over.
func (w *Watcher) Next(ctx context.Context) (Change, error) {
	var c Change
	files := map[string]bool{}
	var over <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return c, ctx.Err()
		case <-over:
			for name := range files {
				c.Files = append(c.Files, name)
			}
			slices.Sort(c.Files)
			return c, nil
		case err := <-w.notify.Errors:
			// What was lost may have been anything, so it is a change of what is not known.
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return c, err
			}
			c.At, over = orNow(c.At), time.After(Quiet)
		case event := <-w.notify.Events:
			if w.matters(event) {
				files[event.Name] = true
				c.At, over = orNow(c.At), time.After(Quiet)
			}
		}
	}
}

func orNow(at time.Time) time.Time {
	if at.IsZero() {
		return time.Now()
	}
	return at
}

// matters tells whether an event is a change. A new folder is watched from then on.
func (w *Watcher) matters(event fsnotify.Event) bool {
	if event.Op&^fsnotify.Chmod == 0 { // also by who only reads: cargo, a backup, an indexer
		return false
	}
	info, err := os.Lstat(event.Name)
	dir := err == nil && info.IsDir()
	if w.left(event.Name, dir) {
		return false
	}
	if dir && event.Has(fsnotify.Create) {
		_ = w.add(event.Name) // one that is gone again is no folder to watch
	}
	return true
}

// Unsaved tells of names that editors and tools use for files that are none of a source: swap files, backups, locks, what git and cargo keep.
func Unsaved(name string, dir bool) bool {
	base := filepath.Base(name)
	if dir {
		_, err := os.Stat(filepath.Join(name, "CACHEDIR.TAG"))
		return base == ".git" || base == ".idea" || base == ".vscode" || base == "target" && err == nil
	}
	return base == ".git" || base == "4913" || strings.HasSuffix(base, "~") || strings.HasPrefix(base, ".#") || strings.HasPrefix(base, "#") ||
		strings.HasSuffix(base, ".tmp") || strings.HasPrefix(base, ".") && (strings.HasSuffix(base, ".swp") || strings.HasSuffix(base, ".swx") || strings.HasSuffix(base, ".swo"))
}

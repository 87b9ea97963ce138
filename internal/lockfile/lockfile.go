// Package lockfile is locks between processes: flock(2) on a file whose descriptor can be handed to
// child processes and whose file can be removed together with the lock.
//
// It owns the rules that make these two things safe. It must not know what is locked. (The usual flock library
// does not hand out its descriptor.)
//
// The kernel gives up an flock when the last process that has the descriptor ends. So what a
// build killed by kill -9 leaves running keeps its folder locked, and the next build waits instead
// of writing beside it.
//
// A lock file may be removed by who holds the lock. Whoever opened the file before that and gets the lock
// after it has locked a file that nobody else will ever open; so a lock counts only while its path
// still leads to the file that was locked.
package lockfile

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/cachefile"
)

// pollInterval is how often a taken lock is tried again; flock(2) cannot wait for a context.
const pollInterval = 100 * time.Millisecond

// Lock is a held lock.
type Lock struct{ file *os.File }

// File is the descriptor that carries the lock. A child that inherits it holds the lock too.
func (l *Lock) File() *os.File { return l.file }

// Release gives the lock up, as far as this process has it.
func (l *Lock) Release() { _ = l.file.Close() }

// ReleaseAndRemove removes the lock's file and gives the lock up.
func (l *Lock) ReleaseAndRemove() {
	_ = os.Remove(l.file.Name())
	l.Release()
}

// Try takes the lock and returns nil when somebody has it. The file and its folder are made when they
// are missing; what is in the file's place and is none (a link, a pipe) is removed.
func Try(path string) (*Lock, error) { return attempt(path, unix.LOCK_EX) }

// TryShared takes the lock together with others who share it, and returns nil when somebody has it alone.
func TryShared(path string) (*Lock, error) { return attempt(path, unix.LOCK_SH) }

func attempt(path string, how int) (*Lock, error) {
	for {
		l, again, err := try(path, how)
		if !again {
			return l, err
		}
	}
}

// try says again when the file was removed between opening and locking it.
func try(path string, how int) (l *Lock, again bool, err error) {
	f, err := cachefile.OpenWritable(path, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, false, err
		}
		f, err = cachefile.OpenWritable(path, 0o644)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, true, nil
		}
	}
	if err != nil {
		return nil, false, err
	}
	err = unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
	switch {
	case err == nil && stillThere(f, path):
		return &Lock{f}, false, nil
	case err == nil:
		_ = f.Close()
		return nil, true, nil
	}
	_ = f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, false, nil
	}
	if errors.Is(err, unix.EINTR) {
		return nil, true, nil
	}
	return nil, false, &os.PathError{Op: "flock", Path: path, Err: err}
}

func stillThere(f *os.File, path string) bool {
	locked, err1 := f.Stat()
	named, err2 := os.Lstat(path)
	return err1 == nil && err2 == nil && os.SameFile(locked, named)
}

// Wait takes the lock, waiting until ctx ends. waiting is called once if it has to.
func Wait(ctx context.Context, path string, waiting func()) (*Lock, error) {
	return wait(ctx, path, Try, waiting)
}

// WaitShared is Wait for a lock that is shared.
func WaitShared(ctx context.Context, path string, waiting func()) (*Lock, error) {
	return wait(ctx, path, TryShared, waiting)
}

func wait(ctx context.Context, path string, try func(string) (*Lock, error), waiting func()) (*Lock, error) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for first := true; ; first = false {
		l, err := try(path)
		if l != nil || err != nil {
			return l, err
		}
		if first {
			waiting()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

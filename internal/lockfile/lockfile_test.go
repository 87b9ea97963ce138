package lockfile

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestOnlyOneHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "made", "on", "demand")
	l, err := Try(path)
	if err != nil || l == nil {
		t.Fatalf("%v %v", l, err)
	}
	if other, err := Try(path); other != nil || err != nil {
		t.Fatalf("taken twice: %v %v", other, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*pollInterval)
	defer cancel()
	said := 0
	if _, err := Wait(ctx, path, func() { said++ }); !errors.Is(err, context.DeadlineExceeded) || said != 1 {
		t.Errorf("err %v, said %d times", err, said)
	}
	l.Release()
	if l, err = Wait(t.Context(), path, func() { t.Error("waits for nobody") }); err != nil {
		t.Fatal(err)
	}
	l.ReleaseAndRemove()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestSharersShareAndKeepOthersOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	one, err := TryShared(path)
	if one == nil || err != nil {
		t.Fatalf("%v %v", one, err)
	}
	two, err := TryShared(path)
	if two == nil || err != nil {
		t.Fatalf("it is not shared: %v %v", two, err)
	}
	one.Release()
	if alone, err := Try(path); alone != nil || err != nil {
		t.Errorf("somebody has it alone beside a sharer: %v %v", alone, err)
	}
	two.Release()
	alone, err := Try(path)
	if alone == nil || err != nil {
		t.Fatalf("%v %v", alone, err)
	}
	if shared, err := TryShared(path); shared != nil || err != nil {
		t.Errorf("shared with who has it alone: %v %v", shared, err)
	}
}

// Files that come and go must never let two in.
func TestRemovalLetsNobodyPast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside, most, rounds atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Add(1)
		go func() {
			defer all.Done()
			for range 300 {
				l, err := Try(path)
				if err != nil {
					t.Error(err)
					return
				}
				if l == nil {
					continue
				}
				most.Store(max(most.Load(), inside.Add(1)))
				time.Sleep(10 * time.Microsecond)
				inside.Add(-1)
				rounds.Add(1)
				l.ReleaseAndRemove()
			}
		}()
	}
	all.Wait()
	if most.Load() != 1 || rounds.Load() == 0 {
		t.Errorf("%d inside at once in %d rounds", most.Load(), rounds.Load())
	}
}

func TestAChildKeepsTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	l, err := Try(path)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("/bin/sleep", "100")
	child.ExtraFiles = []*os.File{l.File()}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	l.Release()
	if other, err := Try(path); other != nil || err != nil {
		t.Errorf("the child's lock was taken: %v %v", other, err)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if other, err := Try(path); other == nil || err != nil {
		t.Errorf("the lock outlived the child: %v", err)
	}
}

// Who may write beside a lock may not have a file made elsewhere through it.
func TestALockIsNoLink(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "file")
	path := filepath.Join(dir, "lock")
	if err := os.Symlink(outside, path); err != nil {
		t.Fatal(err)
	}
	lock, err := Try(path)
	if lock == nil || err != nil {
		t.Fatalf("%v, %v", lock, err)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the lock is %v, %v", info, err)
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("a file was made outside")
	}
}

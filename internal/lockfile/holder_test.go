package lockfile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// Who waits is told what is known: a child that a run left behind holds the lock by its inherited descriptor.
func TestHolderIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := Try(path)
	if err != nil || lock == nil {
		t.Fatalf("%v %v", lock, err)
	}
	child := exec.Command("sleep", "60")
	child.ExtraFiles = []*os.File{lock.File()}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	own, left := "another step of this run", fmt.Sprintf("process %d (sleep)", child.Process.Pid)
	if runtime.GOOS != "linux" {
		own, left = "another process", "another process"
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(path), link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, filepath.Join(link, "lock")} {
		if got := Holder(p); got != own {
			t.Errorf("%s is held by %q, want %q", p, got, own)
		}
	}
	lock.Release()
	if got := Holder(path); got != left {
		t.Errorf("it is held by %q, want %q", got, left)
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if got := Holder(path); got != "another process" {
		t.Errorf("nobody has it, and it is held by %q", got)
	}
}

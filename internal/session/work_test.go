package session_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

func TestScratch(t *testing.T) {
	s := sessiontest.InCheckout(t, nil)
	dir, done, err := s.Scratch("boot-test", "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "disk.img"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	// The same again is refused, another one is not, and neither takes the folder away.
	if _, _, err := s.Scratch("boot-test", "a"); err == nil {
		t.Error("two runs have one folder")
	}
	_, doneB, err := s.Scratch("boot-test", "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "disk.img")); err != nil {
		t.Error(err)
	}
	doneB()
	done()
	// What a killed run leaves, its folder and its lock that nobody holds, the next one removes, of whatever test it is.
	top := filepath.Dir(dir)
	lock, err := lockfile.Try(filepath.Join(top, "killed.lock"))
	if err != nil {
		t.Fatal(err)
	}
	lock.Release()
	if err := os.MkdirAll(filepath.Join(top, "killed", "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, done, err = s.Scratch("boot-test", "c")
	if err != nil {
		t.Fatal(err)
	}
	done()
	left, err := os.ReadDir(top)
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

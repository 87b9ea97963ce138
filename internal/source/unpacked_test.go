package source

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/lockfile"
)

// What cargo unpacked goes, but not while a cargo works there, and nothing else in its home does.
func TestWhatCargoUnpackedCanGo(t *testing.T) {
	home := t.TempDir()
	for _, file := range []string{"registry/src/index-1/a-1.0.0/lib.rs", "git/checkouts/b-2f/abc/lib.rs", "registry/cache/index-1/a-1.0.0.crate", "git/db/b-2f/HEAD", "registry/src/index-1/file"} {
		name := filepath.Join(home, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := UnpackedIn(home)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	lock, err := lockfile.Try(filepath.Join(home, ".package-cache")) // as cargo has it
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	if removed, err := all[0].Remove(); removed || err != nil {
		t.Errorf("beside a cargo: %t, %v", removed, err)
	}
	lock.Release()
	for _, u := range all {
		if removed, err := u.Remove(); !removed || err != nil {
			t.Errorf("%s: %t, %v", u.Path, removed, err)
		}
	}
	for file, there := range map[string]bool{"registry/src/index-1/a-1.0.0": false, "git/checkouts/b-2f/abc": false, "registry/cache/index-1/a-1.0.0.crate": true, "git/db/b-2f/HEAD": true} {
		if _, err := os.Stat(filepath.Join(home, file)); (err == nil) != there {
			t.Errorf("%s: %v", file, err)
		}
	}
}

package toolchain

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRepinAlso: other files are written with the rest, new ones with their folders, and all of it is put
// back when one cannot be written.
func TestRepinAlso(t *testing.T) {
	dir := t.TempDir()
	old, fresh, same := filepath.Join(dir, "recipe.toml"), filepath.Join(dir, "pin", "0001.toml"), filepath.Join(dir, "same")
	file := filepath.Join(dir, "rust-toolchain")
	write(t, old, "old", 0o644)
	write(t, same, "same", 0o644)
	write(t, file, "nightly-2025-01-01\n", 0o644)
	r := Repin{Channel: "nightly-2026-01-02", Files: []string{file}, Also: map[string][]byte{old: []byte("new"), fresh: []byte("text"), same: []byte("same")}}
	changes, err := r.Plan()
	if err != nil || len(changes) != 3 {
		t.Fatalf("%v, %+v", err, changes)
	}
	if changes[1].Old != NewFile || changes[2].Old != OtherText {
		t.Errorf("got %+v", changes)
	}

	written := 0
	err = apply(changes, func(c *Change) error {
		if written++; written == 3 {
			return errors.New("disk on fire")
		}
		return c.write()
	})
	if err == nil || !strings.Contains(err.Error(), "disk on fire; nothing is changed") {
		t.Errorf("got %v", err)
	}
	check := func(path, want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if want == "" && !errors.Is(err, os.ErrNotExist) || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	check(old, "old")
	check(fresh, "")
	check(file, "nightly-2025-01-01\n")

	if _, err := RewritePin(r); err != nil {
		t.Fatal(err)
	}
	check(old, "new")
	check(fresh, "text")
	check(file, "nightly-2026-01-02\n")
	if again, err := r.Plan(); err != nil || len(again) != 0 {
		t.Errorf("a second run changes %+v, %v", again, err)
	}
}

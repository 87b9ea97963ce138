package pkgar

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCreateSweeps removes what a killed process left, and neither what is in use nor what belongs to others.
func TestCreateSweeps(t *testing.T) {
	dir, tree := t.TempDir(), makeTree(t, file{path: "a", data: "a"})
	name := filepath.Join(dir, "x.pkgar")
	dead, err := tryPending(dir, ".x.pkgar-")
	if err != nil {
		t.Fatal(err)
	}
	if err := dead.Close(); err != nil { // as the system does for a killed process
		t.Fatal(err)
	}
	alive, err := tryPending(dir, ".x.pkgar-")
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{".x.pkgar-notes", "x.pkgar-1", ".y.pkgar-1"} {
		if err := os.WriteFile(filepath.Join(dir, other), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := CreateFile(t.Context(), name, tree, CreateOptions{Key: testKey(t, 1), NoSync: true}); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		left = append(left, e.Name())
	}
	want := []string{filepath.Base(alive.Name()), ".x.pkgar-notes", ".y.pkgar-1", "x.pkgar", "x.pkgar-1"}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := alive.discard(); err != nil {
		t.Error(err)
	}
	if _, err := CreateFile(t.Context(), name, filepath.Join(dir, "none"), CreateOptions{Key: testKey(t, 1)}); err == nil {
		t.Error("made an archive of nothing")
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".x.pkgar-[0-9]*")); err != nil || len(left) > 0 {
		t.Errorf("left after a failure: %v, %v", left, err)
	}
}

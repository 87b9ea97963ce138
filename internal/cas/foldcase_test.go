package cas

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/foldcase"
)

// TestTwoNamesOfOneFile: a tree that a file system cannot hold is refused before anything of it is there, and is laid out where it can be.
func TestTwoNamesOfOneFile(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file, err := s.PutBytes([]byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	tree := NewTree()
	for _, name := range []string{"src/Makefile", "src/makefile", "a"} {
		tree.Entries[name] = Entry{Digest: file}
	}
	root, err := s.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	differs := s.folds
	s.folds = func() bool { return true }
	dir := filepath.Join(t.TempDir(), "out")
	err = s.Materialise(t.Context(), root, dir, nil, nil)
	var same *foldcase.SameFileError
	if !errors.As(err, &same) || same.One != "src/Makefile" || same.Other != "src/makefile" {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("%v is there, %v", entries, err)
	}
	if differs() {
		return // this is such a file system
	}
	s.folds = differs
	if err := s.Materialise(t.Context(), root, dir, nil, nil); err != nil {
		t.Error(err)
	}
}

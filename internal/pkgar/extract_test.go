package pkgar

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var noSync = ExtractOptions{NoSync: true}

func TestExtractMerges(t *testing.T) {
	a := open(t, badSample(t, LZMA2))
	parent := t.TempDir()
	dir := filepath.Join(parent, "root")
	other := makeTree(t,
		file{path: "bin/other", data: "stays", mode: 0o700},
		file{path: "bin/one", data: "old"},
		file{path: "etc/link", data: "../bin", mode: fs.ModeSymlink},
		file{path: "empty", mode: fs.ModeDir | 0o500},
	)
	if err := os.Chmod(filepath.Join(other, "bin"), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, dir); err != nil {
		t.Fatal(err)
	}
	result, err := a.Extract(context.Background(), dir, noSync)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"bin/one"}, result.Replaced); diff != "" {
		t.Errorf("replaced (-want +got):\n%s", diff)
	}
	var paths []string
	for _, line := range listTree(t, dir) {
		paths = append(paths, strings.Fields(line)[0])
	}
	if diff := cmp.Diff([]string{"bin/", "bin/one", "bin/other", "empty/", "etc/", "etc/link", "link", "two"}, paths); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	for name, want := range map[string]fs.FileMode{"bin": 0o711, "empty": 0o500, "bin/other": 0o700, "bin/one": 0o755} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, want %v", name, info.Mode(), want)
		}
	}
	checkNoStage(t, parent)
	// Once more: the same result.
	before := listTree(t, dir)
	if _, err := a.Extract(context.Background(), dir, noSync); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, listTree(t, dir)); diff != "" {
		t.Errorf("the second time (-want +got):\n%s", diff)
	}
}

// TestExtractConflicts checks that a refused merge changes nothing, not even through links of the destination.
func TestExtractConflicts(t *testing.T) {
	a := open(t, badSample(t, Raw))
	outside := makeTree(t, file{path: "keep", data: "outside"})
	for name, c := range map[string]struct {
		there file
		want  string
	}{
		"link to a folder outside": {file{path: "bin", data: outside, mode: fs.ModeSymlink}, "has a folder where there is a link"},
		"file for a folder":        {file{path: "bin", data: "x"}, "has a folder where there is a file"},
		"folder for a file":        {file{path: "two/x", data: "x"}, "has a file where there is a folder"},
		"folder for a link":        {file{path: "link/x", data: "x"}, "has a link where there is a folder"},
	} {
		dir := makeTree(t, c.there, file{path: "zz", data: "mine"})
		before := listTree(t, dir)
		_, err := a.Extract(context.Background(), dir, noSync)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if diff := cmp.Diff(before, listTree(t, dir)); diff != "" {
			t.Errorf("%s: changed (-want +got):\n%s", name, diff)
		}
		checkNoStage(t, filepath.Dir(dir))
	}
	if diff := cmp.Diff([]string{"keep"}, []string{strings.Fields(listTree(t, outside)[0])[0]}); diff != "" || len(listTree(t, outside)) != 1 {
		t.Errorf("the folder outside was changed: %v", listTree(t, outside))
	}
	file := filepath.Join(outside, "keep")
	if _, err := a.Extract(context.Background(), file, noSync); err == nil {
		t.Error("extracted onto a file")
	}
}

func TestExtractReplacesLink(t *testing.T) {
	a := open(t, badSample(t, Raw))
	outside := makeTree(t, file{path: "keep", data: "outside"})
	dir := makeTree(t, file{path: "two", data: filepath.Join(outside, "keep"), mode: fs.ModeSymlink})
	if _, err := a.Extract(context.Background(), dir, noSync); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(outside, "keep")); err != nil || string(data) != "outside" {
		t.Errorf("written through the link: %q, %v", data, err)
	}
	if info, err := os.Lstat(filepath.Join(dir, "two")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link is not replaced: %v, %v", info, err)
	}
}

// cancelAt ends a context after some reads of the archive, which stands for being interrupted anywhere.
type cancelAt struct {
	bytes.Reader
	left   atomic.Int64
	cancel func()
}

func (r *cancelAt) ReadAt(p []byte, off int64) (int, error) {
	if r.left.Add(-1) == 0 {
		r.cancel()
	}
	return r.Reader.ReadAt(p, off)
}

func TestExtractCancelled(t *testing.T) {
	data := badSample(t, Raw)
	key := testKey(t, 1).Public()
	parent := t.TempDir()
	for n := int64(1); n <= 3; n++ {
		ctx, cancel := context.WithCancel(context.Background())
		a, err := Open(bytes.NewReader(data), int64(len(data)), Options{Key: &key})
		if err != nil {
			t.Fatal(err)
		}
		r := &cancelAt{Reader: *bytes.NewReader(data), cancel: cancel}
		r.left.Store(n)
		a.r = r
		_, err = a.Extract(ctx, filepath.Join(parent, "x"), noSync)
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled at read %d: error %v", n, err)
		}
		if left, _ := os.ReadDir(parent); len(left) > 0 {
			t.Errorf("cancelled at read %d: left %v", n, left)
		}
	}
}

// TestExtractSweeps removes what a killed process left, and nothing that is in use.
func TestExtractSweeps(t *testing.T) {
	a := open(t, badSample(t, Raw))
	parent := t.TempDir()
	dir := filepath.Join(parent, "x")
	dead, err := newStage(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dead.tree, "half"), 0o500); err != nil {
		t.Fatal(err)
	}
	if err := dead.lock.Close(); err != nil { // as the system does for a killed process
		t.Fatal(err)
	}
	alive, err := tryStage(parent, stagePrefix+"x-")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Extract(context.Background(), dir, noSync); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the abandoned folder is still there: %v", err)
	}
	if _, err := os.Stat(alive.tree); err != nil {
		t.Errorf("the folder in use is gone: %v", err)
	}
	if err := alive.remove(); err != nil {
		t.Error(err)
	}
}

func TestUpdate(t *testing.T) {
	dir := makeTree(t, file{path: "a/keep", data: "keep"}, file{path: "a/gone", data: "gone"})
	refuse := errors.New("no")
	change := func(tree string) error {
		return errors.Join(os.Remove(filepath.Join(tree, "a/gone")), os.WriteFile(filepath.Join(tree, "new"), nil, 0o644))
	}
	before := listTree(t, dir)
	if err := Update(context.Background(), dir, noSync, func(tree string) error { return errors.Join(change(tree), refuse) }); !errors.Is(err, refuse) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff(before, listTree(t, dir)); diff != "" {
		t.Errorf("refused, and changed (-want +got):\n%s", diff)
	}
	if err := Update(context.Background(), dir, noSync, change); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, line := range listTree(t, dir) {
		paths = append(paths, strings.Fields(line)[0])
	}
	if diff := cmp.Diff([]string{"a/", "a/keep", "new"}, paths); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	checkNoStage(t, filepath.Dir(dir))
}

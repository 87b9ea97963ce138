package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhatMattersIsTold: each act, with the files that are told of it; nil is an act that is no change.
func TestWhatMattersIsTold(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	write := func(name, text string) { check(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644)) }
	folder := func(name string) { check(t, os.MkdirAll(filepath.Join(dir, name), 0o755)) }
	folder("src")
	folder("target")
	folder(".git")
	write("target/CACHEDIR.TAG", "")
	write("src/a.rs", "a")
	w, err := New([]string{dir}, Unsaved)
	check(t, err)
	defer func() { check(t, w.Close()) }()
	for _, c := range []struct {
		name string
		act  func()
		want []string
	}{
		{"a file is written", func() { write("src/a.rs", "b") }, []string{"src/a.rs"}},
		{"an editor writes beside and renames", func() {
			write("src/.a.rs.swp", "c")
			write("src/new~", "c")
			check(t, os.Rename(filepath.Join(dir, "src/new~"), filepath.Join(dir, "src/a.rs")))
		}, []string{"src/a.rs"}},
		{"a mode changes", func() { check(t, os.Chmod(filepath.Join(dir, "src/a.rs"), 0o600)) }, nil},
		{"git and cargo keep something", func() { write(".git/index", "x"); write("target/x", "x") }, nil},
		{"a new folder is watched", func() { folder("src/deep") }, []string{"src/deep"}},
		{"so that a file in it is seen", func() { write("src/deep/b.rs", "b") }, []string{"src/deep/b.rs"}},
		{"a file is removed", func() { check(t, os.Remove(filepath.Join(dir, "src/deep/b.rs"))) }, []string{"src/deep/b.rs"}},
	} {
		c.act()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if c.want == nil {
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), 5*Quiet)
		}
		got, err := w.Next(ctx)
		cancel()
		if c.want == nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %+v %v", c.name, got, err)
			}
			continue
		}
		check(t, err)
		for i := range got.Files {
			got.Files[i] = strings.TrimPrefix(got.Files[i], dir+"/")
		}
		if !slices.Equal(got.Files, c.want) || time.Since(got.At) < Quiet {
			t.Errorf("%s: %q after %s, want %q", c.name, got.Files, time.Since(got.At), c.want)
		}
	}
}

package cas

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// PutFolder gives the tree that Capture and PutTree give, whatever is in the folder and whatever is left out of it.
func TestPutFolderIsCaptureAndPutTree(t *testing.T) {
	skip := func(p string, dir bool) bool { return strings.Contains(p, "skip") || dir && strings.HasSuffix(p, "7") }
	for seed := range 40 {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		dir := t.TempDir()
		grow(t, r, dir, 0)
		one, two := newStore(t), newStore(t)
		for _, opt := range []CaptureOptions{{Store: true}, {Store: true, Volatile: true, Skip: skip}} {
			tree, err := one.Capture(t.Context(), dir, opt)
			if err != nil {
				t.Fatal(err)
			}
			want, err := one.PutTree(tree)
			if err != nil {
				t.Fatal(err)
			}
			got, err := two.PutFolder(t.Context(), dir, opt)
			if err != nil || got != want {
				t.Fatalf("seed %d: %v, want %v (%v)", seed, got, want, err)
			}
			if err := two.Complete(got); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
	}
}

// grow makes files, links and folders in a folder, some of them empty or with nothing but what is skipped.
func grow(t *testing.T, r *rand.Rand, dir string, depth int) {
	t.Helper()
	for i := range r.IntN(5) {
		name := filepath.Join(dir, fmt.Sprintf("%c%d", 'a'+rune(r.IntN(26)), i))
		if r.IntN(4) == 0 {
			name += "skip"
		}
		var err error
		switch kind := r.IntN(4); {
		case kind == 0:
			err = os.Symlink(fmt.Sprint("to", r.IntN(3)), name)
		case kind == 1:
			err = os.WriteFile(name, fmt.Append(nil, r.IntN(9)), 0o644|0o111*os.FileMode(r.IntN(2)))
		case depth < 4:
			if err = os.Mkdir(name, 0o755); err == nil {
				grow(t, r, name, depth+1)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestPutFolderNamesWhatItCannotRead(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	if _, err := s.PutFolder(t.Context(), filepath.Join(dir, "missing"), CaptureOptions{}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("got %v", err)
	}
	for i := range 30 {
		write(t, dir, fmt.Sprintf("d%d/f", i), "x")
	}
	write(t, dir, "d7/deep/f", "x")
	if err := os.Remove(filepath.Join(dir, "d7/deep/f")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "d7/deep/f"), 0o644); err != nil {
		t.Skip(err)
	}
	if _, err := s.PutFolder(t.Context(), dir, CaptureOptions{Store: true}); err == nil || !strings.Contains(err.Error(), "d7/deep/f is neither") {
		t.Errorf("got %v", err)
	}
}

// A file that is another one, of the same size and with its time put back, makes another tree.
func TestPutFolderSeesEveryChange(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	write(t, dir, "a/b/f", "one")
	time.Sleep(2 * racyWindow)
	path := filepath.Join(t.TempDir(), "stats")
	put := func() Digest {
		t.Helper()
		stats := s.OpenStatCache(path)
		d, err := s.PutFolder(t.Context(), dir, CaptureOptions{Store: true, Trusted: true, Stats: stats})
		if err != nil {
			t.Fatal(err)
		}
		if err := stats.Save(); err != nil {
			t.Fatal(err)
		}
		return d
	}
	one := put()
	if again := put(); again != one {
		t.Errorf("%v and %v", one, again)
	}
	file := filepath.Join(dir, "a/b/f")
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "a/b/f", "two")
	if err := os.Chtimes(file, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	two := put()
	e, ok, err := s.Lookup(two, "a/b/f")
	if err != nil || !ok || e.Digest != DigestBytes([]byte("two")) {
		t.Errorf("%v %v %v", e, ok, err)
	}
}

// The names in a folder are remembered; whatever becomes of one shows, also while the folder is too young to be remembered.
func TestPutFolderSeesEveryName(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"nothing":           func(string) error { return nil },
		"a new file":        func(dir string) error { return os.WriteFile(filepath.Join(dir, "new"), nil, 0o644) },
		"a new link":        func(dir string) error { return os.Symlink("f", filepath.Join(dir, "new")) },
		"a new folder":      func(dir string) error { return os.Mkdir(filepath.Join(dir, "new"), 0o755) },
		"a file is gone":    func(dir string) error { return os.Remove(filepath.Join(dir, "f")) },
		"a folder is gone":  func(dir string) error { return os.RemoveAll(filepath.Join(dir, "sub")) },
		"a file is renamed": func(dir string) error { return os.Rename(filepath.Join(dir, "f"), filepath.Join(dir, "g")) },
		"a file may be run": func(dir string) error { return os.Chmod(filepath.Join(dir, "f"), 0o755) },
		"a link leads elsewhere": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "link")), os.Symlink("x", filepath.Join(dir, "link")))
		},
		"a file becomes a link": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "f")), os.Symlink("link", filepath.Join(dir, "f")))
		},
		"the folder is another": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"-before"), os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "f"), nil, 0o644))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, top, path := newStore(t), t.TempDir(), filepath.Join(t.TempDir(), "stats")
			write(t, top, "in/f", "one")
			write(t, top, "in/sub/f", "two")
			if err := os.Symlink("f", filepath.Join(top, "in/link")); err != nil {
				t.Fatal(err)
			}
			put := func(stats *StatCache) Digest {
				t.Helper()
				d, err := s.PutFolder(t.Context(), top, CaptureOptions{Store: true, Trusted: true, Stats: stats})
				if err := errors.Join(err, stats.Save()); err != nil {
					t.Fatal(err)
				}
				return d
			}
			put(s.OpenStatCache(path)) // all of it too young
			time.Sleep(2 * racyWindow)
			put(s.OpenStatCache(path))
			if err := change(filepath.Join(top, "in")); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if got, want := put(s.OpenStatCache(path)), put(nil); got != want {
					t.Errorf("with what is remembered %s, without %s", got, want)
				}
			}
		})
	}
}

// A message that is gone from the store is stored again when somebody has missed it.
func TestPutFolderStoresALostMessage(t *testing.T) {
	s, dir, path := newStore(t), t.TempDir(), filepath.Join(t.TempDir(), "stats")
	write(t, dir, "sub/f", "one")
	time.Sleep(2 * racyWindow)
	put := func(trusted bool) Digest {
		t.Helper()
		stats := s.OpenStatCache(path)
		root, err := s.PutFolder(t.Context(), dir, CaptureOptions{Store: true, Trusted: trusted, Stats: stats})
		if err := errors.Join(err, stats.Save()); err != nil {
			t.Fatal(err)
		}
		return root
	}
	root := put(true)
	if err := s.Remove(root); err != nil {
		t.Fatal(err)
	}
	if put(true); s.Complete(root) == nil {
		t.Error("the store was asked for what it was known to have")
	}
	if put(false); s.Complete(root) != nil {
		t.Error("it is still gone")
	}
}

// Folders, links and files are named, those that are new and those that the cache knows; what is skipped is not.
func TestWhatWasLookedAtIsNamed(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "sub/b", "sub/deep/c", "left/out"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("a", filepath.Join(dir, "link")), os.Mkdir(filepath.Join(dir, "empty"), 0o755)); err != nil {
		t.Fatal(err)
	}
	want := []string{".", "a", "empty", "link", "sub", "sub/b", "sub/deep", "sub/deep/c"}
	skip := func(p string, _ bool) bool { return p == "left" }
	for name, read := range map[string]func(s *Store, o CaptureOptions) error{
		"PutFolder": func(s *Store, o CaptureOptions) error { _, err := s.PutFolder(t.Context(), dir, o); return err },
		"Capture":   func(s *Store, o CaptureOptions) error { _, err := s.Capture(t.Context(), dir, o); return err },
	} {
		s, err := Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "stats")
		for range 2 {
			stats := s.OpenStatCache(file)
			if err := errors.Join(read(s, CaptureOptions{Stats: stats, Store: true, Skip: skip}), stats.Save()); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, path := range stats.Looked() {
				rel, _ := filepath.Rel(dir, path)
				got = append(got, rel)
			}
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}

// What is no file, folder or link is left out for who wants to be told of it, also from the question whether a folder is empty; else it is an error.
func TestSpecialFilesAreLeftOutForWhoIsTold(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "a/b"), 0o755), os.WriteFile(filepath.Join(dir, "f"), nil, 0o644), unix.Mkfifo(filepath.Join(dir, "a/b/pipe"), 0o644)); err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	if _, err := s.Capture(t.Context(), dir, CaptureOptions{Store: true}); err == nil || !strings.Contains(err.Error(), "pipe is neither") {
		t.Errorf("%v", err)
	}
	var told []string
	tree, err := s.Capture(t.Context(), dir, CaptureOptions{Store: true, Special: func(p string) { told = append(told, p) }})
	if err != nil || len(told) != 1 || told[0] != "a/b/pipe" || len(tree.Entries) != 1 {
		t.Errorf("%v, %v, %v", tree, told, err)
	}
}

package cas

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What a killed writer left goes, what is being written stays, however old it looks.
func TestSweep(t *testing.T) {
	s := newStore(t)
	writing, err := s.newTemp()
	if err != nil {
		t.Fatal(err)
	}
	defer writing.Close()
	left := filepath.Join(s.tmpDir(), "put-left")
	if err := os.WriteFile(left, []byte("half a blo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if freed, err := s.Sweep(time.Now()); freed != 0 || err != nil {
		t.Errorf("a file that may not be locked yet was swept: %d %v", freed, err)
	}
	freed, err := s.Sweep(time.Now().Add(time.Hour))
	if err != nil || freed != 10 {
		t.Errorf("freed %d, err %v", freed, err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the left file is still there")
	}
	if _, err := os.Stat(writing.Name()); err != nil {
		t.Error("a file being written was swept")
	}
}

func TestStatCacheForgetsFilesThatAreGone(t *testing.T) {
	s := newStore(t)
	dir := t.TempDir()
	write(t, dir, "stays", "1")
	write(t, dir, "goes", "2")
	time.Sleep(2 * racyWindow)
	path := filepath.Join(t.TempDir(), "made", "stats")
	c := OpenStatCache(path)
	if _, err := s.Capture(context.Background(), dir, CaptureOptions{Stats: c}); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "goes")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} { // more than twice as many: now gone files are looked for
		write(t, dir, name, name)
	}
	time.Sleep(2 * racyWindow)
	c = OpenStatCache(path)
	if len(c.known) != 2 {
		t.Fatalf("%d entries came back", len(c.known))
	}
	if _, err := s.Capture(context.Background(), dir, CaptureOptions{Stats: c}); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	if c = OpenStatCache(path); len(c.known) != 4 {
		t.Errorf("%d entries are left, want 4", len(c.known))
	}
}

// An entry with a flipped bit would be another digest: a damaged file is no cache.
func TestDamagedStatCacheIsEmpty(t *testing.T) {
	s := newStore(t)
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "stats")
	write(t, dir, "file", "1")
	time.Sleep(2 * racyWindow)
	c := OpenStatCache(path)
	if _, err := s.Capture(context.Background(), dir, CaptureOptions{Stats: c}); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if c := OpenStatCache(path); len(c.known) != 1 {
		t.Fatalf("%d entries came back", len(c.known))
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 4
		if err := os.WriteFile(path, damaged, 0o644); err != nil {
			t.Fatal(err)
		}
		if c := OpenStatCache(path); len(c.known) != 0 {
			t.Errorf("byte %d: the damage was not seen", i)
		}
		if err := os.WriteFile(path, whole[:i], 0o644); err != nil {
			t.Fatal(err)
		}
		if c := OpenStatCache(path); len(c.known) != 0 {
			t.Errorf("cut at %d: the damage was not seen", i)
		}
	}
}

// What a stat cache knows was stored once; only who does not trust in it looks.
func TestTrustedCaptureDoesNotLookIntoTheStore(t *testing.T) {
	s := newStore(t)
	dir := t.TempDir()
	write(t, dir, "file", "1")
	time.Sleep(2 * racyWindow)
	c := s.OpenStatCache(filepath.Join(t.TempDir(), "stats"))
	capture := func(trusted bool) Digest {
		t.Helper()
		tree, err := s.Capture(context.Background(), dir, CaptureOptions{Stats: c, Store: true, Trusted: trusted})
		if err != nil {
			t.Fatal(err)
		}
		return tree.Entries["file"].Digest
	}
	d := capture(true)
	if !s.Has(d) {
		t.Fatal("a file that was not known is not stored")
	}
	if err := s.Remove(d); err != nil {
		t.Fatal(err)
	}
	if capture(true); s.Has(d) {
		t.Error("it was stored again: the store was looked into")
	}
	if capture(false); !s.Has(d) {
		t.Error("it was not stored again")
	}
}

// Folders that are kept are the tool's own, empty ones too; and a folder is an entry only when it is empty.
// A stat cache lies in a checkout. That it knows a file tells nothing of another store, nor of the one it was written
// for once something was collected from it.
func TestTrustEndsWithTheStore(t *testing.T) {
	one := newStore(t)
	for name, next := range map[string]func() *Store{
		"the same store": func() *Store { return reopened(t, one) },
		"another store":  func() *Store { return newStore(t) },
		"after a removal": func() *Store {
			if err := one.Renew(); err != nil {
				t.Fatal(err)
			}
			return reopened(t, one)
		},
	} {
		dir, path := t.TempDir(), filepath.Join(t.TempDir(), "stats")
		write(t, dir, "file", name)
		time.Sleep(2 * racyWindow)
		d := DigestBytes([]byte(name))
		put := func(s *Store) {
			t.Helper()
			stats := s.OpenStatCache(path)
			if _, err := s.PutFolder(t.Context(), dir, CaptureOptions{Stats: stats, Store: true, Trusted: true}); err != nil {
				t.Fatal(err)
			}
			if err := stats.Save(); err != nil {
				t.Fatal(err)
			}
		}
		put(one)
		if err := one.Remove(d); err != nil {
			t.Fatal(err)
		}
		s := next()
		if put(s); s.Has(d) == (name == "the same store") {
			t.Errorf("%s: the file is there: %t", name, s.Has(d))
		}
		// What was recorded anew is trusted anew.
		if err := s.Remove(d); err != nil {
			t.Fatal(err)
		}
		if put(reopened(t, s)); s.Has(d) {
			t.Errorf("%s: the store was looked into again", name)
		}
	}
}

// A store that cannot be given a name is looked into each time.
func TestStoreWithoutAGenerationIsNotTrusted(t *testing.T) {
	s := newStore(t)
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "stats")
	write(t, dir, "file", "1")
	time.Sleep(2 * racyWindow)
	for range 2 {
		stats := OpenStatCache(path) // as of a store whose name cannot be written
		tree, err := s.PutFolder(t.Context(), dir, CaptureOptions{Stats: stats, Store: true, Trusted: true})
		if err = errors.Join(err, stats.Save(), s.Complete(tree), s.Remove(DigestBytes([]byte("1")))); err != nil {
			t.Error(err)
		}
	}
}

func TestMaterialiseLeavesKeptFoldersAlone(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	dir := t.TempDir()
	for _, d := range []string{"target/empty/deep", "stray/empty", "wanted"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	want := NewTree()
	want.Entries["wanted"] = Entry{Dir: true}
	d, err := s.PutTree(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Materialise(ctx, d, dir, nil, func(p string) bool { return p == "target" }); err != nil {
		t.Fatal(err)
	}
	for path, there := range map[string]bool{"target/empty/deep": true, "stray": false, "wanted": true} {
		if _, err := os.Stat(filepath.Join(dir, path)); (err == nil) != there {
			t.Errorf("%s: there %v, want %v", path, err == nil, there)
		}
	}
}

package cas

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The bytes were computed by hand from remote_execution.proto: field 1 (files) with
// name (1), digest (2: hash 1, size 2), is_executable (4).
func TestDirectoryBytesAreTheRemoteExecutionAPIs(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	d := Directory{Files: []FileNode{{"a", Digest{hash, 5}, true}}, Symlinks: []SymlinkNode{{"l", "a"}}}
	want := "\x0a\x4b" + "\x0a\x01a" + "\x12\x44" + "\x0a\x40" + hash + "\x10\x05" + "\x20\x01" + "\x1a\x06" + "\x0a\x01l" + "\x12\x01a"
	if got := string(d.Marshal()); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	back, err := UnmarshalDirectory(d.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&d, back); diff != "" {
		t.Error(diff)
	}
}

func TestDirectoryRefusesEscapes(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "a\x00"} {
		d := Directory{Files: []FileNode{{name, Digest{strings.Repeat("0", 64), 0}, false}}}
		if _, err := UnmarshalDirectory(d.Marshal()); err == nil {
			t.Errorf("name %q was accepted", name)
		}
	}
}

// A length that does not fit is no length.
func TestDirectoryRefusesNegativeSizes(t *testing.T) {
	d := Directory{Files: []FileNode{{"a", Digest{strings.Repeat("0", 64), -1}, false}}}
	if got, err := UnmarshalDirectory(d.Marshal()); err == nil {
		t.Errorf("accepted: %+v", got)
	}
}

func FuzzUnmarshalDirectory(f *testing.F) {
	d := Directory{Files: []FileNode{{"a", Digest{strings.Repeat("ab", 32), 5}, true}}}
	f.Add(d.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = UnmarshalDirectory(b) })
}

func TestFlippedByteIsFoundAndDropped(t *testing.T) {
	for _, hideTime := range []bool{false, true} {
		s := newStore(t)
		d, err := s.Put(context.Background(), strings.NewReader("some bytes"))
		if err != nil {
			t.Fatal(err)
		}
		flip(t, s.path(d.Hash), hideTime)
		if has := s.Has(d); has != hideTime {
			t.Errorf("hidden %v: Has = %v", hideTime, has)
		}
		var missing *MissingError
		if _, err := s.ReadAll(d); !errors.As(err, &missing) {
			t.Errorf("hidden %v: ReadAll gave %v", hideTime, err)
		}
		if s.Has(d) {
			t.Errorf("hidden %v: the damaged blob is still there", hideTime)
		}
	}
}

// After a power failure a blob may have its name and its time and only part of its bytes.
func TestCutBlobIsNotThere(t *testing.T) {
	s := newStore(t)
	d, err := s.PutBytes([]byte("some bytes"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Truncate(s.path(d.Hash), 4), os.Chtimes(s.path(d.Hash), blobTime, blobTime)); err != nil {
		t.Fatal(err)
	}
	if s.Has(d) {
		t.Error("the store has it")
	}
	if got, err := s.PutBytes([]byte("some bytes")); err != nil || got != d || !s.Has(d) {
		t.Errorf("not stored again: %v", err)
	}
}

// A blob that was touched and is whole is hashed once.
func TestTouchedBlobIsMended(t *testing.T) {
	s := newStore(t)
	d, err := s.PutBytes([]byte("some bytes"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if err := os.Chtimes(s.path(d.Hash), now, now); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(s.path(d.Hash)); !s.Has(d) || err != nil || info.ModTime().Equal(blobTime) {
		t.Fatalf("%v %v", info, err)
	}
	if info, err := os.Stat(s.path(d.Hash)); err != nil || !info.ModTime().Equal(blobTime) {
		t.Errorf("its time is %v, %v", info.ModTime(), err)
	}
}

func TestEachBlobIsVisitedOnce(t *testing.T) {
	s := newStore(t)
	blob, err := s.PutBytes([]byte("twice"))
	if err != nil {
		t.Fatal(err)
	}
	tree := NewTree()
	for _, p := range []string{"a/f", "b/f", "b/g"} {
		tree.Entries[p] = Entry{Digest: blob}
	}
	tree.Entries["c/f"] = tree.Entries["a/f"] // the same folder as a
	root, err := s.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	visits := map[Digest]int{}
	if err := s.EachBlob(root, map[Digest]bool{}, func(d Digest, _ bool) { visits[d]++ }); err != nil {
		t.Fatal(err)
	}
	if len(visits) != 4 || slices.Max(slices.Collect(maps.Values(visits))) != 1 {
		t.Errorf("visits %v, want the root, two folders and a file once each", visits)
	}
}

func TestVerifyDropsDamage(t *testing.T) {
	s := newStore(t)
	good, _ := s.PutBytes([]byte("good"))
	bad, _ := s.PutBytes([]byte("bad"))
	flip(t, s.path(bad.Hash), true)
	damaged, count, err := s.Verify(context.Background())
	if err != nil || count != 2 || len(damaged) != 1 || damaged[0].Hash != bad.Hash {
		t.Errorf("damaged %v of %d, err %v", damaged, count, err)
	}
	if !s.Has(good) || s.Has(bad) {
		t.Error("the wrong blob was dropped")
	}
}

func flip(t *testing.T, path string, hideTime bool) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if hideTime {
		if err := os.Chtimes(path, blobTime, blobTime); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMaterialiseTouchesOnlyWhatDiffers(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	src, dst := t.TempDir(), filepath.Join(t.TempDir(), "out")
	write(t, src, "same/a", "a")
	write(t, src, "program", "#!/bin/sh")
	if err := os.Chmod(filepath.Join(src, "program"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, src, "changed", "old")
	write(t, src, "gone/b", "b")
	write(t, src, "kind", "a file")
	if err := os.Symlink("same/a", filepath.Join(src, "link")); err != nil {
		t.Fatal(err)
	}
	sync := func() {
		t.Helper()
		tree, err := s.Capture(ctx, src, CaptureOptions{Store: true})
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.PutTree(tree)
		if err != nil {
			t.Fatal(err)
		}
		keep := func(p string) bool { return p == "target" }
		if err := s.Materialise(ctx, d, dst, nil, keep); err != nil {
			t.Fatal(err)
		}
		got, err := s.Capture(ctx, dst, CaptureOptions{Skip: func(p string, _ bool) bool { return keep(p) }})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tree, got); diff != "" {
			t.Error(diff)
		}
	}
	sync()
	old := time.Unix(1_500_000_000, 0)
	if err := os.Chtimes(filepath.Join(dst, "same/a"), old, old); err != nil {
		t.Fatal(err)
	}
	write(t, dst, "target/state", "kept")
	write(t, dst, "stray/c", "removed")
	write(t, src, "changed", "new")
	if err := errors.Join(os.RemoveAll(filepath.Join(src, "gone")), os.Remove(filepath.Join(src, "kind"))); err != nil {
		t.Fatal(err)
	}
	write(t, src, "kind/now-a-folder", "x")
	if err := os.Mkdir(filepath.Join(src, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	sync()
	if info, _ := os.Stat(filepath.Join(dst, "same/a")); !info.ModTime().Equal(old) {
		t.Error("an unchanged file was written again")
	}
	if _, err := os.Stat(filepath.Join(dst, "target/state")); err != nil {
		t.Error("kept state was removed")
	}
}

func TestStatCache(t *testing.T) {
	ctx := context.Background()
	s := newStore(t)
	dir := t.TempDir()
	write(t, dir, "f", "one")
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, "f"), past, past); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * racyWindow) // lets the change time, which cannot be set, leave the racy window
	file := filepath.Join(t.TempDir(), "stats")
	c := OpenStatCache(file)
	if _, err := s.Capture(ctx, dir, CaptureOptions{Stats: c}); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(); err != nil {
		t.Fatal(err)
	}
	c = OpenStatCache(file)
	if len(c.known) != 1 {
		t.Fatalf("%d entries came back", len(c.known))
	}
	// Same size, same modification time: only the change time tells.
	write(t, dir, "f", "two")
	if err := os.Chtimes(filepath.Join(dir, "f"), past, past); err != nil {
		t.Fatal(err)
	}
	tree, err := s.Capture(ctx, dir, CaptureOptions{Stats: c})
	if err != nil {
		t.Fatal(err)
	}
	if tree.Entries["f"].Digest != DigestBytes([]byte("two")) {
		t.Error("a changed file was taken from the cache")
	}
}

// Graft gives what taking the trees apart and putting them together gives.
func TestGraft(t *testing.T) {
	s := newStore(t)
	file := func(text string) Entry {
		d, err := s.PutBytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return Entry{Digest: d}
	}
	sub := NewTree()
	sub.Entries["new/x"] = file("x")
	for _, at := range []string{"sub", "a/sub", "made/on/the/way", "a/file", "link/below", "empty"} {
		top := NewTree()
		top.Entries["a/sub/old"] = file("old")
		top.Entries["a/file"] = file("f")
		top.Entries["link"] = Entry{Link: "a"}
		top.Entries["empty"] = Entry{Dir: true}
		root, err := s.PutTree(top)
		if err != nil {
			t.Fatal(err)
		}
		subRoot, err := s.PutTree(sub)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Graft(root, at, subRoot)
		if err != nil {
			t.Fatal(err)
		}
		for p := range top.Entries {
			if p == at || strings.HasPrefix(p, at+"/") || strings.HasPrefix(at, p+"/") {
				delete(top.Entries, p)
			}
		}
		top.Graft(at, sub)
		want, err := s.PutTree(top)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			back, _ := s.LoadTree(got)
			t.Errorf("%s:\n%s", at, cmp.Diff(top, back))
		}
	}
	if _, err := s.Graft(Digest{}, "../out", Digest{}); err == nil {
		t.Error("a path out of the tree was accepted")
	}
}

func TestDiff(t *testing.T) {
	a, b := NewTree(), NewTree()
	a.Entries["x"] = Entry{Digest: DigestBytes([]byte("1"))}
	a.Entries["y"] = Entry{Link: "x"}
	b.Entries["x"] = Entry{Digest: DigestBytes([]byte("2"))}
	b.Entries["z"] = Entry{Dir: true}
	var got []string
	for _, c := range Diff(a, b) {
		got = append(got, c.Kind+" "+c.Path)
	}
	if diff := cmp.Diff([]string{"changed x", "removed y", "added z"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPutStopsWithItsContext(t *testing.T) {
	s := newStore(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.Put(ctx, bytes.NewReader([]byte("x"))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	left, _ := os.ReadDir(s.tmpDir())
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The comparison that skips equal folders finds what the one of whole trees finds.
func TestDiffOfStoredTrees(t *testing.T) {
	s := newStore(t)
	file := func(text string) Entry { return Entry{Digest: DigestBytes([]byte(text))} }
	base := map[string]Entry{"a": file("1"), "same/x": file("1"), "same/deep/y": file("2"), "d/one": file("1"), "d/two": file("2"), "e": {Link: "a"}, "empty": {Dir: true}}
	for name, change := range map[string]func(map[string]Entry){
		"nothing":              func(map[string]Entry) {},
		"a file":               func(m map[string]Entry) { m["d/one"] = file("3") },
		"file becomes folder":  func(m map[string]Entry) { delete(m, "a"); m["a/b"] = file("1") },
		"folder becomes file":  func(m map[string]Entry) { delete(m, "d/one"); delete(m, "d/two"); m["d"] = file("1") },
		"folder goes":          func(m map[string]Entry) { delete(m, "same/x"); delete(m, "same/deep/y") },
		"empty folder goes":    func(m map[string]Entry) { delete(m, "empty") },
		"empty folder fills":   func(m map[string]Entry) { delete(m, "empty"); m["empty/f"] = file("1") },
		"folder empties":       func(m map[string]Entry) { delete(m, "d/one"); delete(m, "d/two"); m["d"] = Entry{Dir: true} },
		"link becomes another": func(m map[string]Entry) { m["e"] = Entry{Link: "b"} },
		"bit":                  func(m map[string]Entry) { e := m["a"]; e.Executable = true; m["a"] = e },
	} {
		old, changed := NewTree(), NewTree()
		maps.Copy(old.Entries, base)
		maps.Copy(changed.Entries, base)
		change(changed.Entries)
		a, err := s.PutTree(old)
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.PutTree(changed)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Diff(a, b)
		if want := Diff(old, changed); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v (%v)", name, got, want, err)
		}
	}
}

// A file that was written just now may be written again in the same tick of the clock, with the same size.
func TestStatCacheDoesNotBelieveWhatIsTooYoung(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "f", "one")
	file, c := filepath.Join(dir, "f"), OpenStatCache(filepath.Join(dir, "stats"))
	for {
		began := time.Now()
		write(t, dir, "f", "two")
		if _, err := c.DigestFile(file); err != nil {
			t.Fatal(err)
		}
		known := c.Knows(file)
		if time.Since(began) >= racyWindow { // the machine was busy
			continue
		}
		if known {
			t.Error("it is known")
		}
		return
	}
}

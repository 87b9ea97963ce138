package builder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/linkline"
	"github.com/pannous/redox-clif/internal/recipe"
)

// What was collected before is known by its inode. A program that is another one is digested and checked, also
// when it has the size and the time of the one before.
func TestCollectLooksAtEveryProgramThatChanged(t *testing.T) {
	c := paperRun(t)
	c.g.bins, c.t.s.Target, c.t.s.Rules = []string{"a", "b"}, recipe.TargetHost, recipe.RulesNone
	root := t.TempDir()
	file := func(name string) string { return filepath.Join(root, "target/release", name) }
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file(name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		long := time.Unix(1_000_000_000, 0)
		if err := os.Chtimes(file(name), long, long); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // the stat cache believes nothing younger
	}
	collected := func() map[string]string {
		t.Helper()
		tree, err := c.collect(t.Context(), root)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for name, e := range tree.Entries {
			text, err := c.t.b.store.ReadAll(e.Digest)
			if err != nil {
				t.Fatal(err)
			}
			got[name] = string(text)
		}
		return got
	}
	write("a", "one a")
	write("b", "one b")
	collected()
	write("b", "two b")
	if got := collected(); got["a"] != "one a" || got["b"] != "two b" {
		t.Errorf("got %q", got)
	}
	// A blob that was lost is stored again, though the file is known.
	if err := c.t.b.store.Remove(cas.DigestBytes([]byte("one a"))); err != nil {
		t.Fatal(err)
	}
	if got := collected(); got["a"] != "one a" {
		t.Errorf("got %q", got)
	}
	c.t.s.Rules = recipe.RulesProgram
	if _, err := c.collect(t.Context(), root); err != nil {
		t.Errorf("what has not changed is checked again: %v", err)
	}
	write("b", "six b")
	if _, err := c.collect(t.Context(), root); err == nil || !strings.Contains(err.Error(), "breaks the rules") {
		t.Errorf("a changed program was not checked: %v", err)
	}
}

// recorded lays out what cargo leaves of a program in a root: a recording, an object that only the recorder has a copy of,
// and a crate.
func recorded(t *testing.T, root, triple, name, object string) {
	t.Helper()
	deps := filepath.Join(root, "target", triple, "release/deps")
	program, crate := filepath.Join(deps, name+"-1"), filepath.Join(deps, "libcrate-2.rlib")
	line := []string{root, "-flavor", "gnu", "crt0.o", filepath.Join(deps, "rustcAbCdEf/symbols.o"), crate, "-lc", "-L", filepath.Join(root, "sysroot/lib"), "-o", program, linkline.Arguments, ""}
	for path, text := range map[string]string{
		program + ".link/4": object, crate: "the crate", program: strings.Join(line, "\x00"),
		filepath.Join(root, "target", triple, "release", name): strings.Join(line, "\x00"),
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// What is collected of a compile says nothing of the folder it was made in, and one changed program is no other line of
// the others.
func TestALineIsCollectedWithTheFilesThatItNames(t *testing.T) {
	c := paperRun(t)
	c.g.bins, c.t.s.Target, c.t.triple = []string{"a", "b"}, recipe.TargetUser, c.t.b.o.Target
	collected := func(objectOfB string) *cas.Tree {
		t.Helper()
		root := t.TempDir()
		recorded(t, root, c.t.triple, "a", "object of a")
		recorded(t, root, c.t.triple, "b", objectOfB)
		tree, err := c.collect(t.Context(), root)
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	one, two := collected("object of b"), collected("object of b")
	if diff := cmp.Diff(one.Entries, two.Entries); diff != "" {
		t.Errorf("two folders, two lines:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a/in", "a/in/libcrate-2.rlib", "a/in/symbols.o", "a/line", "b/in", "b/in/libcrate-2.rlib", "b/in/symbols.o", "b/line"}, one.Paths()); diff != "" {
		t.Error(diff)
	}
	three := collected("another object of b")
	if diff := cmp.Diff(one.Sub("a").Entries, three.Sub("a").Entries); diff != "" {
		t.Errorf("a program that did not change:\n%s", diff)
	}
	if one.Entries["b/in/symbols.o"] == three.Entries["b/in/symbols.o"] {
		t.Error("the changed object was not taken")
	}
}

// Cargo takes its target folder for finished when the recording is there. What it was to be linked of may be gone.
func TestALineWhoseObjectsAreGoneIsMadeAgain(t *testing.T) {
	c := paperRun(t)
	c.g.bins, c.t.s.Target, c.t.triple = []string{"a"}, recipe.TargetUser, c.t.b.o.Target
	root := t.TempDir()
	recorded(t, root, c.t.triple, "a", "object")
	if err := os.RemoveAll(filepath.Join(root, "target", c.t.triple, "release/deps/a-1.link")); err != nil {
		t.Fatal(err)
	}
	_, err := c.collect(t.Context(), root)
	if err == nil || !strings.Contains(err.Error(), "make the same run once more") || !strings.Contains(err.Error(), "symbols.o") {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(root, "target")); !os.IsNotExist(err) {
		t.Errorf("cargo would take it for finished again: %v", err)
	}
}

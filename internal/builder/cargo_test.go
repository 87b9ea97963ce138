package builder

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// scriptRun is a cargo step with a linker script from the recipe's own folder.
func scriptRun(t *testing.T, script string) *cargoRun {
	t.Helper()
	store, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &recipe.Recipe{Name: "kernel", Dir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(r.Dir, "flat.ld"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &recipe.Step{Name: "kernel", Kind: "cargo", Target: "kernel", Script: "recipe/flat.ld", RustFlags: []string{"-Clink-arg=-z"}}
	c := &cargoRun{Builder: New(Options{Store: store, Target: "aarch64-unknown-redox-clif"}), r: r, s: s}
	if c.script, err = c.resolve(r, s.Script); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCargoScriptIsGivenToTheLinker(t *testing.T) {
	c := scriptRun(t, "SECTIONS {}")
	flags := strings.Split(c.env()["CARGO_ENCODED_RUSTFLAGS"], "\x1f")
	at := slices.Index(flags, "-Clink-arg=-T")
	if at < 0 || flags[at+1] != "-Clink-arg=%{root}/script/flat.ld" {
		t.Errorf("the linker is not told of the script: %q", flags)
	}
	if flags[len(flags)-1] != "-Clink-arg=-z" {
		t.Errorf("the recipe's own flags are not last: %q", flags)
	}
}

// Cargo does not notice another linker script, so it has to be an input of its own beside src/.
func TestCargoScriptIsAnInputOfItsOwn(t *testing.T) {
	folder := func(script string) cas.Digest {
		c := scriptRun(t, script)
		node := c.script[0].node
		tree, err := node.Resolve(context.Background(), nil)
		if err != nil {
			t.Fatal(err)
		}
		d, err := c.scriptFolder(graph.Outputs{node: tree})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := c.Store.Lookup(d, "flat.ld"); err != nil || !ok {
			t.Fatalf("the script is not in its folder: %v", err)
		}
		return d
	}
	if folder("SECTIONS {}") == folder("SECTIONS { .text : {} }") {
		t.Error("two scripts have the same digest")
	}
}

// The target spec names the CRT objects; a recipe that does so as well would link them twice.
func TestCRTObjectsOfARecipeAreRefused(t *testing.T) {
	b := newBuilder(t, nil)
	for flag, want := range map[string]string{"-Clink-arg=-z": "", "-Clink-arg=%{root}/sysroot/lib/crt0.o": "crt0.o is on the link line 2 times"} {
		r := *b.Recipes["base"]
		r.Steps = slices.Clone(r.Steps)
		r.Steps[0].RustFlags = []string{flag}
		c := &cargoRun{Builder: newBuilder(t, nil), r: &r, s: &r.Steps[0], g: group{backend: recipe.LLVM, packages: []string{"init"}}, triple: b.Target}
		err := c.dependencies("base/programs", &graph.Node{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// What was collected before is known by its inode. A program that is another one is digested and checked, also
// when it has the size and the time of the one before.
func TestCollectLooksAtEveryProgramThatChanged(t *testing.T) {
	c := scriptRun(t, "")
	c.triple, c.g.bins, c.s.Target, c.s.Rules = c.Target, []string{"a", "b"}, "", "none"
	root := t.TempDir()
	file := func(name string) string {
		return filepath.Join(root, "target", c.triple, "release", name)
	}
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
			text, err := c.Store.ReadAll(e.Digest)
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
	if err := c.Store.Remove(cas.DigestBytes([]byte("one a"))); err != nil {
		t.Fatal(err)
	}
	if got := collected(); got["a"] != "one a" {
		t.Errorf("got %q", got)
	}
	c.s.Rules = "program"
	if _, err := c.collect(t.Context(), root); err != nil {
		t.Errorf("what has not changed is checked again: %v", err)
	}
	write("b", "six b")
	if _, err := c.collect(t.Context(), root); err == nil || !strings.Contains(err.Error(), "breaks the rules") {
		t.Errorf("a changed program was not checked: %v", err)
	}
}

package build

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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

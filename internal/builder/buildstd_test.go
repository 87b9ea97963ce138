package builder

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

func TestCargoStepsThatBuildStdGetItsSources(t *testing.T) {
	for _, c := range []struct {
		kind    recipe.TargetKind
		set     recipe.Std
		patched bool
	}{{recipe.TargetUser, recipe.StdFull, true}, {recipe.TargetUser, recipe.StdCore, false}, {recipe.TargetKernel, recipe.StdCore, false}} {
		n, err := newBuilder(t, nil).stdSource(c.kind, c.set)
		if err != nil || (n != nil) != c.patched {
			t.Errorf("%q, %s: %v, %v", c.kind, c.set, n, err)
		}
	}
	b := newBuilder(t, func(o *Options) { o.Std = StdBuild })
	n, err := b.Stage("redoxfs")
	if err != nil {
		t.Fatal(err)
	}
	if !reaches(n, "rust-src/patched") {
		t.Error("redoxfs by -Zbuild-std takes the libc crate of the registry")
	}
	r := b.o.Sources.Recipes["redoxfs"]
	s, _ := r.Step("redoxfs")
	c := &cargoRun{t: newStep(b, r, s)}
	c.std, _ = b.stdSource(recipe.TargetUser, recipe.StdFull)
	env := c.env()
	if got := env[ownStdVariable]; got != "%{root}/std/lib/rustlib/src/rust/library" {
		t.Errorf("cargo looks for the library in %q", got)
	}
	if !c.hasOwnStd() || slices.Contains(c.shared(), "std") {
		t.Errorf("its sources are shared: %q", c.shared())
	}
	if flags := strings.Split(env["CARGO_ENCODED_RUSTFLAGS"], "\x1f"); !slices.Contains(flags, "--sysroot=%{root}/std") {
		t.Errorf("the library is not in the sysroot, so that cargo hashes where it lies: %q", flags)
	}
}

// A cargo that does not know the variable builds from the toolchain's sources, and nobody would see it.
func TestStdOfTheToolchainIsNoticed(t *testing.T) {
	for _, crates := range []string{"deps", "build/core/12ab/out"} { // of older and newer cargos
		release := t.TempDir()
		write := func(from string) {
			t.Helper()
			file := filepath.Join(release, crates, "core-12ab.d")
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte("/x/core-12ab.d: "+from+"/core/src/lib.rs\n"), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		write("/root/std/lib/rustlib/src/rust/library")
		if err := checkOwnStd(release); err != nil {
			t.Errorf("%s: %v", crates, err)
		}
		write("/toolchain/lib/rustlib/src/rust/library")
		if err := checkOwnStd(release); err == nil || !strings.Contains(err.Error(), "lacks our patches") {
			t.Errorf("%s: %v", crates, err)
		}
	}
}

// The crates of the library are found where the cargos of two years leave them, and nothing else is.
func TestTheLibrarysCratesAreFound(t *testing.T) {
	for crates, want := range map[string][]string{
		"deps":                {"lib/rustlib/t/lib/libcore-12ab.rlib"},
		"build/core/12ab/out": {"lib/rustlib/t/lib/libcore-12ab.rlib", "lib/rustlib/t/lib/libcore-12ab.rmeta"},
	} {
		b, release := newBuilder(t, nil), t.TempDir()
		for _, name := range []string{crates + "/libcore-12ab.rlib", crates + "/libcore-12ab.rmeta", "libbeside.rlib", "build/core-34cd/out/libmade.rlib"} {
			file := filepath.Join(release, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(name), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		tree, err := b.collectRlibs(t.Context(), release, "t")
		if err != nil {
			t.Fatal(err)
		}
		if got := tree.Paths(); !slices.Equal(got, want) {
			t.Errorf("%s: %q", crates, got)
		}
	}
}

func TestBuildStdIsForEveryStepThatHasAStd(t *testing.T) {
	for mode, want := range map[StdMode]int{StdAsRecipe: 0, StdShared: 0, StdBuild: 1} {
		b := newBuilder(t, func(o *Options) { o.Std = mode })
		image, err := b.Initfs("demo")
		if err != nil {
			t.Fatal(err)
		}
		order, err := graph.Order([]*graph.Node{image})
		if err != nil {
			t.Fatal(err)
		}
		std := slices.ContainsFunc(order, func(n *graph.Node) bool { return strings.HasPrefix(n.ID, "std/aarch64") })
		if std == (want == 1) {
			t.Errorf("%q: the graph has a prepared std: %v", mode, std)
		}
	}
	b := newBuilder(t, nil)
	r := *b.o.Sources.Recipes["demo"]
	s, _ := r.Step("programs")
	own := *s
	own.BuildStd = true
	c := &cargoRun{t: newStep(b, &r, &own), g: group{packages: []string{"demo-hello"}, bins: []string{"hello"}}}
	args := c.args()
	if !slices.Contains(args, "-Zbuild-std=core,alloc") || !slices.Contains(args, "-Zbuild-std-features=compiler-builtins-mem") {
		t.Errorf("cargo is not told to build std: %q", args)
	}
	b.o.Std = StdShared
	if args := c.args(); slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "-Zbuild-std") }) {
		t.Errorf("the user's word does not count over the recipe's: %q", args)
	}
}

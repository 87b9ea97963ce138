package builder

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// newBuilder is a builder over the project's own recipes with a toolchain that exists on paper only: graphs
// can be made and planned, not run.
func newBuilder(t *testing.T, change func(*Options)) *Builder {
	t.Helper()
	recipes, err := recipe.LoadAll("../../recipes", recipe.Releases{"2026-01": nil, "2026-06": {"2026-06"}, "seed": {"seed"}})
	if err != nil {
		t.Fatal(err)
	}
	store, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	overrides, err := source.LoadOverrides(filepath.Join(t.TempDir(), "overrides.toml"), nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Sources: prepare.Options{
			Recipes: recipes, Store: store, Overrides: overrides, Patches: os.DirFS("../../patches"),
			Roots: &execroot.Runner{Store: store, Dir: t.TempDir()}, CargoHome: t.TempDir(),
		},
		Target: "aarch64-unknown-redox-clif", Specs: os.DirFS("../../targets"), Tools: Tools{Name: "rustc on paper", Identity: "paper", Cranelift: true},
	}
	if change != nil {
		change(&o)
	}
	return New(o)
}

// Redox lore: relibc, programs and bootstrap are rebuilt together or the boot faults.
func TestEverythingThatSpeaksRelibcDependsOnIt(t *testing.T) {
	b := newBuilder(t, nil)
	image, err := b.Initfs("initfs")
	if err != nil {
		t.Fatal(err)
	}
	order, err := graph.Order([]*graph.Node{image})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"bootstrap/lib", "base/programs", "base/programs/link/init", "redoxfs/redoxfs/link/redoxfs", "initfs/initfs"} {
		if n := find(order, id); n == nil || !reaches(n, "relibc/patch") {
			t.Errorf("a change of relibc does not reach %s", id)
		}
	}
	// …and what has nothing to do with it is left alone.
	for _, id := range []string{"std/aarch64-unknown-redox-clif/std-cranelift", "redoxfs/redoxfs"} {
		if n := find(order, id); n == nil || reaches(n, "relibc/patch") {
			t.Errorf("%s is missing or depends on relibc", id)
		}
	}
	// base has crates of relibc's among its sources, and still compiles beside relibc.
	if n := find(order, "base/programs"); reaches(n, "relibc/relibc") {
		t.Error("programs wait for the C library to be compiled")
	}
}

func find(order []*graph.Node, id string) *graph.Node {
	for _, n := range order {
		if n.ID == id {
			return n
		}
	}
	return nil
}

func reaches(n *graph.Node, id string) bool {
	if n.ID == id {
		return true
	}
	for _, d := range n.Deps {
		if reaches(d, id) {
			return true
		}
	}
	return false
}

func TestBackendsOfTheRealInitfs(t *testing.T) {
	b := newBuilder(t, func(o *Options) {
		o.Tools.CraneliftLacks = map[recipe.Need]string{recipe.Variadic: "no", recipe.AsmSym: "no", recipe.AsmObject: "no"}
	})
	for component, want := range map[string]recipe.Backend{"base/programs": recipe.Cranelift, "redoxfs/redoxfs": recipe.Cranelift, "relibc/relibc": recipe.LLVM, "bootstrap/lib": recipe.LLVM} {
		name, step, _ := strings.Cut(component, "/")
		s, _ := b.o.Sources.Recipes[name].Step(step)
		groups, err := b.groups(b.o.Sources.Recipes[name], s)
		if err != nil || len(groups) != 1 || groups[0].backend != want {
			t.Errorf("%s: %+v %v", component, groups, err)
		}
	}
}

func TestMissingCraneliftIsAnErrorWithThreeWaysOut(t *testing.T) {
	b := newBuilder(t, func(o *Options) { o.Tools.Cranelift = false })
	_, err := b.Initfs("initfs")
	var missing *NoCraneliftError
	if !errors.As(err, &missing) {
		t.Fatalf("got %v", err)
	}
	for _, way := range []string{"1.", "2.", "3.", "toolchain:install -cranelift", "REDOX_TOOLCHAIN", "-backend=llvm"} {
		if !strings.Contains(err.Error(), way) {
			t.Errorf("%q is not in %v", way, err)
		}
	}
}

func TestDemoFallsBackInOneLine(t *testing.T) {
	var lines []string
	b := newBuilder(t, func(o *Options) {
		o.Tools.Cranelift, o.MayFallBack = false, true
		o.Sources.Notice = func(line string) { lines = append(lines, line) }
	})
	if _, err := b.Initfs("demo"); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 1 || !strings.Contains(lines[0], "going on with LLVM") {
		t.Errorf("said %q", lines)
	}
}

func TestParseBackends(t *testing.T) {
	b := newBuilder(t, nil)
	base := b.o.Sources.Recipes["base"]
	step, _ := base.Step("programs")
	for _, c := range []struct {
		text, pkg string
		want      recipe.Backend
	}{
		{"", "init", recipe.Cranelift},
		{"llvm", "init", recipe.LLVM},
		{"llvm:init,cranelift:*", "init", recipe.LLVM},
		{"llvm:init,cranelift:*", "logd", recipe.Cranelift},
		{"llvm:base", "logd", recipe.LLVM},
		{"llvm:base/programs", "logd", recipe.LLVM},
	} {
		choice, err := ParseBackends(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := choice.choose(base, step, c.pkg, false); got != c.want {
			t.Errorf("%q, %s: %s", c.text, c.pkg, got)
		}
	}
	// What is tied to LLVM is not moved by the wildcard.
	relibc, _ := b.o.Sources.Recipes["relibc"].Step("relibc")
	all, _ := ParseBackends("cranelift:*")
	if all.choose(b.o.Sources.Recipes["relibc"], relibc, "relibc", true) != recipe.LLVM {
		t.Error("the wildcard overruled a stated reason")
	}
	for _, bad := range []string{"gcc", "llvm:", "gcc:init"} {
		if _, err := ParseBackends(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestStepIsSplitAmongBackends(t *testing.T) {
	choice, _ := ParseBackends("llvm:init")
	b := newBuilder(t, func(o *Options) { o.Backends = choice })
	image, err := b.Initfs("initfs")
	if err != nil {
		t.Fatal(err)
	}
	order, _ := graph.Order([]*graph.Node{image})
	if find(order, "base/programs+llvm") == nil || find(order, "base/programs+cranelift") == nil {
		t.Error("base/programs is not split")
	}
}

func TestTheSetSeed(t *testing.T) {
	b := newBuilder(t, func(o *Options) { o.Sources.Recipes = o.Sources.Recipes.In("seed") })
	image, err := b.Initfs("initfs")
	if err != nil {
		t.Fatal(err)
	}
	order, _ := graph.Order([]*graph.Node{image})
	if find(order, "base/strip/bin/file") == nil {
		t.Error("the seed's init.rc calls file, which is not there")
	}
	if r, _ := b.recipe("relibc"); r.Source.Commit != "349a6508e5dcf74ce5a19b289b18a22e9edf4eb3" {
		t.Errorf("relibc is at %s", r.Source.Commit)
	}
}

// An action must be the same on every machine: no path of this one may be in it.
func TestActionsNameNoPlace(t *testing.T) {
	digests := map[cas.Digest]bool{}
	for range 2 {
		b := newBuilder(t, nil)
		std, err := b.std("user", "std", recipe.Cranelift)
		if err != nil {
			t.Fatal(err)
		}
		a, err := std.Plan(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range append(a.Args, a.Env["CARGO_ENCODED_RUSTFLAGS"]) {
			if strings.Contains(text, b.store.Dir()) || strings.Contains(text, os.TempDir()) {
				t.Errorf("%q names a place", text)
			}
		}
		digests[a.Digest()] = true
	}
	if len(digests) != 1 {
		t.Error("the same action has two digests in two caches")
	}
}

func TestBackendsForNothing(t *testing.T) {
	b := newBuilder(t, nil)
	for text, want := range map[string]string{"llvm:init,llvm:base,llvm:base/programs,cranelift:*": "", "llvm:nobody,llvm:init": "nobody", "llvm:file": "file"} {
		choice, err := ParseBackends(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(choice.Unknown(b.o.Sources.Recipes), ","); got != want {
			t.Errorf("%s: unknown %q, want %q", text, got, want)
		}
	}
}

// One chain of recipes is one place in the message, the innermost.
func TestErrorsNameOneRecipe(t *testing.T) {
	b := newBuilder(t, func(o *Options) { o.Tools.Cranelift = false })
	_, err := b.Initfs("initfs")
	if err == nil || strings.Count(err.Error(), recipe.FileName) != 1 || !strings.Contains(err.Error(), "base/recipe.toml") {
		t.Errorf("got %v", err)
	}
}

// A stage is held to what a file system can hold before anything is written.
func TestFilesInFiles(t *testing.T) {
	tree := cas.NewTree()
	tree.Entries["bin/init"] = cas.Entry{}
	if err := filesInFiles(tree); err != nil {
		t.Error(err)
	}
	tree.Entries["bin/init/x"] = cas.Entry{}
	if err := filesInFiles(tree); err == nil || !strings.Contains(err.Error(), "bin/init is a file") {
		t.Errorf("got %v", err)
	}
}

func TestUnknownRecipe(t *testing.T) {
	b := newBuilder(t, nil)
	_, err := b.Stage("nobody")
	var unknown *recipe.UnknownError
	if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "relibc") {
		t.Errorf("got %v", err)
	}
}

// Hours are lost on the way to a crash of the compiler otherwise; the toolchain's probe knows it before.
func TestRelibcByCraneliftIsRefusedWithTheUpstreamIssue(t *testing.T) {
	choice, err := ParseBackends("cranelift:relibc")
	if err != nil {
		t.Fatal(err)
	}
	b := newBuilder(t, func(o *Options) {
		o.Backends = choice
		o.Tools.CraneliftLacks = map[recipe.Need]string{recipe.Variadic: "compiler crash: Defining variadic functions"}
	})
	_, err = b.Initfs("initfs")
	var unable *UnableError
	if !errors.As(err, &unable) || unable.Component != "relibc/relibc" {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"rustc_codegen_cranelift/issues/1677", "Defining variadic functions", "-backend=llvm:relibc"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}

func TestRelibcByCraneliftWhereItDefinesVariadicFunctions(t *testing.T) {
	choice, _ := ParseBackends("cranelift:relibc")
	b := newBuilder(t, func(o *Options) { o.Backends = choice })
	if _, err := b.Initfs("initfs"); err != nil {
		t.Error(err)
	}
}

func TestWhatTiesAStepToLLVM(t *testing.T) {
	needy := &recipe.Step{Backend: recipe.LLVM, Needs: []recipe.Need{recipe.Variadic, recipe.AsmSym}}
	for _, c := range []struct {
		why   string
		step  *recipe.Step
		tools Tools
		want  bool
	}{
		{"nothing does", &recipe.Step{}, Tools{Cranelift: true}, false},
		{"a reason that no probe answers", &recipe.Step{Backend: recipe.LLVM}, Tools{Cranelift: true}, true},
		{"every need is met", needy, Tools{Cranelift: true}, false},
		{"one need is not", needy, Tools{Cranelift: true, CraneliftLacks: map[recipe.Need]string{recipe.AsmSym: "undefined symbol"}}, true},
		{"another is not, which it does not need", needy, Tools{Cranelift: true, CraneliftLacks: map[recipe.Need]string{recipe.AsmObject: "lost"}}, false},
		{"there is no Cranelift", needy, Tools{}, true},
	} {
		b := &Builder{o: Options{Tools: c.tools}}
		if got := b.tied(c.step); got != c.want {
			t.Errorf("%s: %t", c.why, got)
		}
	}
}

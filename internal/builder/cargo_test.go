package builder

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
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
	s := &recipe.Step{Name: "kernel", Kind: recipe.KindCargo, Target: recipe.TargetKernel, Script: "recipe/flat.ld", RustFlags: []string{"-Clink-arg=-z"}}
	b := New(Options{Sources: prepare.Options{Store: store}, Target: "aarch64-unknown-redox-clif"})
	c := &cargoRun{t: newStep(b, r, s), id: "kernel/kernel"}
	if err := c.checkScript(); err != nil {
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
		if _, ok, err := c.t.b.store.Lookup(d, "flat.ld"); err != nil || !ok {
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
		r := *b.o.Sources.Recipes["base"]
		r.Steps = slices.Clone(r.Steps)
		r.Steps[0].RustFlags = []string{flag}
		c := &cargoRun{t: newStep(newBuilder(t, nil), &r, &r.Steps[0]), id: "base/programs", g: group{backend: recipe.LLVM, packages: []string{"init"}}}
		_, err := c.check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// What was collected before is known by its inode. A program that is another one is digested and checked, also
// when it has the size and the time of the one before.
func TestCollectLooksAtEveryProgramThatChanged(t *testing.T) {
	c := scriptRun(t, "")
	c.g.bins, c.t.s.Target, c.t.s.Rules, c.t.triple = []string{"a", "b"}, recipe.TargetUser, recipe.RulesNone, c.t.b.o.Target
	root := t.TempDir()
	file := func(name string) string {
		return filepath.Join(root, "target", c.t.triple, "release", name)
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

func TestAWholeWorkspaceIsNotNarrowed(t *testing.T) {
	for _, whole := range []bool{false, true} {
		b := newBuilder(t, nil)
		for _, r := range b.o.Sources.Recipes {
			r.Cargo.Whole = whole
		}
		image, err := b.Initfs("demo")
		if err != nil {
			t.Fatal(err)
		}
		order, err := graph.Order([]*graph.Node{image})
		if err != nil {
			t.Fatal(err)
		}
		if narrowed := slices.ContainsFunc(order, func(n *graph.Node) bool { return strings.HasSuffix(n.ID, "/sources") }); narrowed == whole {
			t.Errorf("whole = %t, narrowed %t", whole, narrowed)
		}
	}
}

// Cargo sees a changed source, and does not look at the libraries it links: with another standard library the programs
// in an old target folder would be taken for finished.
func TestAnotherLibraryStartsWithAnEmptyTargetFolder(t *testing.T) {
	c := scriptRun(t, "")
	c.script, c.spec = nil, []byte("{}")
	folders := map[string]**graph.Node{"sources": &c.sources, "std": &c.std, "sysroot": &c.sysroot}
	for _, node := range folders {
		*node = &graph.Node{}
	}
	tree := func(text string) cas.Digest {
		t.Helper()
		d, err := c.t.b.folderOf("file", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		// The sources and the sysroot are taken out of what their nodes give.
		if d, err = c.t.b.store.Compose(map[string]cas.Digest{"src": d, "root": d}, nil); err != nil {
			t.Fatal(err)
		}
		return d
	}
	key := func(changed string) string {
		t.Helper()
		in := graph.Outputs{}
		for name, node := range folders {
			in[*node] = tree("old")
			if name == changed {
				in[*node] = tree("new")
			}
		}
		a, err := c.plan(in)
		if err != nil {
			t.Fatal(err)
		}
		key, err := c.rootKey(&graph.Job{Action: a})
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	before := key("")
	for changed, same := range map[string]bool{"sources": true, "std": false, "sysroot": false} {
		if got := key(changed) == before; got != same {
			t.Errorf("after a change of the %s the folder is the same: %t", changed, got)
		}
	}
	c.spec = []byte(`{"arch":"other"}`)
	if key("") == before {
		t.Error("another target is built in the same folder")
	}
}

// What of the source may be the reason of a failure is said beside it.
func TestACargoThatFailsNamesWhatItDidNotRead(t *testing.T) {
	c := scriptRun(t, "")
	b := c.t.b
	b.o.Sources.Roots, b.o.Sources.Overrides = &execroot.Runner{Store: b.store, Dir: t.TempDir()}, &source.Overrides{}
	c.t.b = New(Options{Sources: b.o.Sources, Target: b.o.Target})
	b = c.t.b
	config, err := b.store.PutBytes([]byte("[env]\nBOARD = \"virt\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	tree := cas.NewTree()
	tree.Entries["src/ws/.cargo/config.toml"] = cas.Entry{Digest: config}
	root, err := b.store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	c.t.r.Cargo.Dir, c.sources = "ws", &graph.Node{ID: "kernel/workspace"}
	a := &action.Action{Args: []string{"/bin/sh", "-c", "echo 'error: BOARD is not defined'; exit 101"}, Env: map[string]string{"PATH": "/usr/bin:/bin"}, Inputs: root}
	_, err = c.run(t.Context(), &graph.Job{Action: a, Inputs: graph.Outputs{c.sources: root}, Log: io.Discard})
	var failed *execroot.CommandError
	if !errors.As(err, &failed) || !strings.HasPrefix(err.Error(), "error: BOARD is not defined") || !strings.Contains(err.Error(), "note: the source has a ws/.cargo/config.toml (with env)") {
		t.Errorf("%v", err)
	}
}

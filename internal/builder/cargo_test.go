package builder

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// paperRun is a cargo step of a recipe in a folder that is empty.
func paperRun(t *testing.T) *cargoRun {
	t.Helper()
	store, err := cas.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &recipe.Recipe{Name: "kernel", Dir: t.TempDir()}
	s := &recipe.Step{Name: "kernel", Kind: recipe.KindCargo, Target: recipe.TargetKernel}
	b := New(Options{Sources: prepare.Options{Store: store}, Target: "aarch64-unknown-redox-clif"})
	return &cargoRun{t: newStep(b, r, s), id: "kernel/kernel"}
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

// Cargo sees a changed source, and does not look at what else it is given: with another standard library, or other headers
// of the C in crates, what is in an old target folder would be taken for finished.
func TestAnotherLibraryStartsWithAnEmptyTargetFolder(t *testing.T) {
	c := paperRun(t)
	c.spec = []byte("{}")
	folders := map[string]**graph.Node{"sources": &c.sources, "crates": &c.vendor, "std": &c.std, "sysroot": &c.sysroot}
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
	for changed, same := range map[string]bool{"sources": true, "crates": true, "std": false, "sysroot": false} {
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
	c := paperRun(t)
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

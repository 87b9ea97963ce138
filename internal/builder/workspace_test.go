package builder

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
)

// stored puts a tree of texts into a builder's store.
func stored(t *testing.T, b *Builder, files map[string]string) cas.Digest {
	t.Helper()
	tree := cas.NewTree()
	for name, text := range files {
		d, err := b.Store.PutBytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		tree.Entries[name] = cas.Entry{Digest: d}
	}
	d, err := b.Store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// texts reads a tree back.
func texts(t *testing.T, b *Builder, root cas.Digest) map[string]string {
	t.Helper()
	tree, err := b.Store.LoadTree(root)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for name, e := range tree.Entries {
		text, err := b.Store.ReadAll(e.Digest)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	return files
}

func perform(t *testing.T, n *graph.Node, in graph.Outputs) (action string, out cas.Digest) {
	t.Helper()
	a, err := n.Plan(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	out, err = n.Run(context.Background(), &graph.Job{Action: a, Inputs: in, Log: io.Discard, Status: func(string) {}})
	if err != nil {
		t.Fatal(err)
	}
	return a.Digest().Hash, out
}

// Fitting a workspace works on outlines: a line of code does not change them, a manifest or a new file does.
func TestOutlineFollowsManifestsAndNames(t *testing.T) {
	b := newBuilder(t, nil)
	src := &graph.Node{ID: "x/source"}
	n, err := b.outline(src)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"Cargo.toml": "[package]", "src/main.rs": "fn main() {}", "a/Cargo.lock": "lock"}
	outline := func() cas.Digest {
		_, out := perform(t, n, graph.Outputs{src: stored(t, b, files)})
		return out
	}
	first := outline()
	got := texts(t, b, first)
	if got["Cargo.toml"] != "[package]" || got["a/Cargo.lock"] != "lock" || strings.Contains(got["src/main.rs"], "main()") {
		t.Errorf("%v", got)
	}
	files["src/main.rs"] = "fn main() { panic!() }"
	if outline() != first {
		t.Error("a line of code changes the outline")
	}
	files["Cargo.toml"] = "[package]\n"
	if outline() == first {
		t.Error("a manifest does not change the outline")
	}
	files["Cargo.toml"], files["src/lib.rs"] = "[package]", ""
	if outline() == first {
		t.Error("a new file does not change the outline")
	}
}

// Files come back where the edited outline has them, moved and copied, and equal contents are not mixed up.
func TestFillInFollowsWhatWasMoved(t *testing.T) {
	b := newBuilder(t, nil)
	one, two := &graph.Node{ID: "one/source"}, &graph.Node{ID: "two/source"}
	in := graph.Outputs{
		one: stored(t, b, map[string]string{"src/main.rs": "same", "README": "1"}),
		two: stored(t, b, map[string]string{"src/main.rs": "same", "lib.rs": "2"}),
	}
	fitted := stored(t, b, map[string]string{
		"src/src/main.rs":       string(placeholder(one, "src/main.rs")),
		"src/_deps/two/lib.rs":  string(placeholder(two, "lib.rs")),
		"src/_deps/copy/lib.rs": string(placeholder(two, "lib.rs")),
		"src/Cargo.toml":        "edited",
	})
	tree, err := b.fillIn(fitted, []*graph.Node{one, two}, in)
	if err != nil {
		t.Fatal(err)
	}
	root, err := b.Store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"src/src/main.rs": "same", "src/_deps/two/lib.rs": "2", "src/_deps/copy/lib.rs": "2", "src/Cargo.toml": "edited"}
	if got := texts(t, b, root); !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// What nothing needs goes, but for what is named by a path.
func TestUnreachedPackagesGo(t *testing.T) {
	b := newBuilder(t, nil)
	files := map[string]string{
		"Cargo.toml":                     "[package]\nname = \"p\"\n[dependencies]\nrt = { path = \"_deps/c/rt\" }\n",
		"src/main.rs":                    "",
		"_deps/c/Cargo.toml":             "[package]\nname = \"c\"\n",
		"_deps/c/README.md":              "",
		"_deps/c/src/lib.rs":             "",
		"_deps/c/src/shared/defs.rs":     "include!(\"../more.rs\");",
		"_deps/c/src/more.rs":            "",
		"_deps/c/other/Cargo.toml":       "[package]\nname = \"other\"\n",
		"_deps/c/rt/Cargo.toml":          "[package]\nname = \"rt\"\n",
		"_deps/c/rt/src/lib.rs":          "#[path = \"../../src/shared/defs.rs\"] mod defs;",
		"_deps/c/rt/build.rs":            "concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../data/table\")",
		"_deps/c/data/table":             "",
		"_deps/c/data/unused":            "",
		"_deps/unused/Cargo.toml":        "[package]\nname = \"unused\"\n",
		"_deps/virtual/Cargo.toml":       "[workspace]\n",
		"_deps/virtual/notes/README.txt": "",
	}
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	folders, err := unreached(dir)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := b.Store.LoadTree(stored(t, b, files))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.dropUnreached(tree, folders); err != nil {
		t.Fatal(err)
	}
	gone := []string{"_deps/c/data/unused", "_deps/c/other/Cargo.toml", "_deps/c/src/lib.rs", "_deps/unused/Cargo.toml"}
	for name := range files {
		if _, there := tree.Entries[name]; there == slices.Contains(gone, name) {
			t.Errorf("%s: there %v", name, there)
		}
	}
}

// Of the packages that share a folder a step sees the code of those that it needs.
func TestStepsSeeTheirOwnSources(t *testing.T) {
	b := newBuilder(t, nil)
	ws := &graph.Node{ID: "x/workspace"}
	n, err := b.narrow("x/step", ws, "", []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"src/Cargo.toml":          "[workspace]\nmembers = [\"a\", \"b\", \"lib\"]\n",
		"src/a/Cargo.toml":        "[package]\nname = \"a\"\n[dependencies]\nlib = { path = \"../lib\" }\n",
		"src/a/src/main.rs":       "include_str!(\"../../b/src/text.rs\")",
		"src/b/Cargo.toml":        "[package]\nname = \"b\"\n",
		"src/b/src/main.rs":       "fn main() {}",
		"src/b/src/text.rs":       "text",
		"src/b/link.ld":           "SECTIONS {}",
		"src/lib/Cargo.toml":      "[package]\nname = \"lib\"\n",
		"src/lib/src/lib.rs":      "pub fn f() {}",
		"src/no/package/build.rs": "",
	}
	_, out := perform(t, n, graph.Outputs{ws: stored(t, b, files)})
	want := maps.Clone(files)
	want["src/b/src/main.rs"] = blanked
	if got := texts(t, b, out); !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
	files["src/b/src/main.rs"] = "fn main() { panic!() }"
	if _, again := perform(t, n, graph.Outputs{ws: stored(t, b, files)}); again != out {
		t.Error("another program's code changes what the step sees")
	}
	files["src/lib/src/lib.rs"] = ""
	if _, again := perform(t, n, graph.Outputs{ws: stored(t, b, files)}); again == out {
		t.Error("its own library's code does not")
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
		std := slices.ContainsFunc(order, func(n *graph.Node) bool { return strings.HasPrefix(n.ID, "std/") })
		if std == (want == 1) {
			t.Errorf("%q: the graph has a prepared std: %v", mode, std)
		}
	}
	b := newBuilder(t, nil)
	r := *b.Recipes["demo"]
	s, _ := r.Step("programs")
	own := *s
	own.BuildStd = true
	c := &cargoRun{Builder: b, r: &r, s: &own, g: group{packages: []string{"demo-hello"}, bins: []string{"hello"}}, triple: b.Target}
	args := c.args()
	if !slices.Contains(args, "-Zbuild-std=core,alloc") || !slices.Contains(args, "-Zbuild-std-features=compiler-builtins-mem") {
		t.Errorf("cargo is not told to build std: %q", args)
	}
	b.Std = StdShared
	if args := c.args(); slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "-Zbuild-std") }) {
		t.Errorf("the user's word does not count over the recipe's: %q", args)
	}
}

func TestAWholeWorkspaceIsNotNarrowed(t *testing.T) {
	for _, whole := range []bool{false, true} {
		b := newBuilder(t, nil)
		for _, r := range b.Recipes {
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

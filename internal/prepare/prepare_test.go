package prepare

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
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// newSources are the sources of the project's own recipes, with a toolchain that exists on paper only.
func newSources(t *testing.T, change func(*Options)) *Sources {
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
		Recipes: recipes, Store: store, Overrides: overrides, Roots: &execroot.Runner{Store: store, Dir: t.TempDir()},
		CargoHome: t.TempDir(), Patches: os.DirFS("../../patches"), Toolchain: "paper",
	}
	if change != nil {
		change(&o)
	}
	return New(o)
}

// stored puts a tree of texts into a builder's store.
func stored(t *testing.T, s *Sources, files map[string]string) cas.Digest {
	t.Helper()
	tree := cas.NewTree()
	for name, text := range files {
		d, err := s.o.Store.PutBytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		tree.Entries[name] = cas.Entry{Digest: d}
	}
	d, err := s.o.Store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// texts reads a tree back.
func texts(t *testing.T, s *Sources, root cas.Digest) map[string]string {
	t.Helper()
	tree, err := s.o.Store.LoadTree(root)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for name, e := range tree.Entries {
		text, err := s.o.Store.ReadAll(e.Digest)
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

// Fitting a workspace works on skeletons: a line of code does not change them, a manifest or a new file does.
func TestSkeletonFollowsManifestsAndNames(t *testing.T) {
	s := newSources(t, nil)
	src := &graph.Node{ID: "x/source"}
	n, err := s.skeleton(src)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"Cargo.toml": "[package]", "src/main.rs": "fn main() {}", "a/Cargo.lock": "lock"}
	skeleton := func() cas.Digest {
		_, out := perform(t, n, graph.Outputs{src: stored(t, s, files)})
		return out
	}
	first := skeleton()
	got := texts(t, s, first)
	if got["Cargo.toml"] != "[package]" || got["a/Cargo.lock"] != "lock" || strings.Contains(got["src/main.rs"], "main()") {
		t.Errorf("%v", got)
	}
	files["src/main.rs"] = "fn main() { panic!() }"
	if skeleton() != first {
		t.Error("a line of code changes the skeleton")
	}
	files["Cargo.toml"] = "[package]\n"
	if skeleton() == first {
		t.Error("a manifest does not change the skeleton")
	}
	files["Cargo.toml"], files["src/lib.rs"] = "[package]", ""
	if skeleton() == first {
		t.Error("a new file does not change the skeleton")
	}
}

// Files come back where the edited skeleton has them, moved and copied, and equal contents are not mixed up.
func TestSourcesFollowTheirSkeletonWhereItWasMoved(t *testing.T) {
	s := newSources(t, nil)
	one, two := &graph.Node{ID: "one/source"}, &graph.Node{ID: "two/source"}
	in := graph.Outputs{
		one: stored(t, s, map[string]string{"src/main.rs": "same", "README": "1"}),
		two: stored(t, s, map[string]string{"src/main.rs": "same", "lib.rs": "2"}),
	}
	fitted := stored(t, s, map[string]string{
		"src/src/main.rs":       string(placeholder(one, "src/main.rs")),
		"src/_deps/two/lib.rs":  string(placeholder(two, "lib.rs")),
		"src/_deps/copy/lib.rs": string(placeholder(two, "lib.rs")),
		"src/Cargo.toml":        "edited",
	})
	tree, err := s.fleshOut(fitted, []*graph.Node{one, two}, in)
	if err != nil {
		t.Fatal(err)
	}
	root, err := s.o.Store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"src/src/main.rs": "same", "src/_deps/two/lib.rs": "2", "src/_deps/copy/lib.rs": "2", "src/Cargo.toml": "edited"}
	if got := texts(t, s, root); !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// What nothing needs goes, but for what is named by a path.
func TestUnreachablePackagesGo(t *testing.T) {
	s := newSources(t, nil)
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
	folders, err := unreachable(dir)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.o.Store.LoadTree(stored(t, s, files))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.dropUnreachable(tree, folders); err != nil {
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
	s := newSources(t, nil)
	ws := &Workspace{Node: &graph.Node{ID: "x/workspace"}}
	n, err := s.StepSources("x/step", ws, "", []string{"a"})
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
	_, out := perform(t, n, graph.Outputs{ws.Node: stored(t, s, files)})
	want := maps.Clone(files)
	want["src/b/src/main.rs"] = blanked
	if got := texts(t, s, out); !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
	files["src/b/src/main.rs"] = "fn main() { panic!() }"
	if _, again := perform(t, n, graph.Outputs{ws.Node: stored(t, s, files)}); again != out {
		t.Error("another program's code changes what the step sees")
	}
	files["src/lib/src/lib.rs"] = ""
	if _, again := perform(t, n, graph.Outputs{ws.Node: stored(t, s, files)}); again == out {
		t.Error("its own library's code does not")
	}
}

// fakeRustSrc is a toolchain's sources of the standard library.
func fakeRustSrc(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"library/Cargo.toml":      "[workspace]\nmembers = [\"std\"]\n\n[patch.crates-io]\n# a comment\nfoo = { path = 'foo' }\n",
		"library/Cargo.lock":      "[[package]]\nname = \"hashbrown\"\nversion = \"1\"\nsource = \"registry\"\n\n[[package]]\nname = \"libc\"\nversion = \"0.2.9\"\nsource = \"registry\"\nchecksum = \"00\"\ndependencies = [\n \"x\",\n]\n",
		"library/core/src/lib.rs": "",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A std that cargo builds has the patched libc crate as the prepared one has.
func TestStdByCargoHasThePatchedCrates(t *testing.T) {
	s := newSources(t, func(o *Options) { o.RustSrc = fakeRustSrc(t) })
	n, err := s.StdSource(Platforms{})
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return "lib/rustlib/src/rust/library/" + name }
	crates := graph.Outputs{n.Deps[0]: stored(t, s, map[string]string{"libc-0.2.9/src/lib.rs": "patched", "libc-0.2.9/.cargo-checksum.json": "{}", "hashbrown-1/lib.rs": ""})}
	_, out := perform(t, n, crates)
	tree, err := s.o.Store.LoadTree(out)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tree.Paths(), []string{in("Cargo.lock"), in("Cargo.toml"), in("_patched/libc/src/lib.rs"), in("core/src/lib.rs")}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for name, want := range map[string]string{
		"Cargo.toml": "[patch.crates-io]\nlibc = { path = \"_patched/libc\" }\n# a comment\nfoo",
		"Cargo.lock": "source = \"registry\"\n\n[[package]]\nname = \"libc\"\nversion = \"0.2.9\"\ndependencies = [\n",
	} {
		text, err := s.o.Store.ReadAll(tree.Entries[in(name)].Digest)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v, %s has no %q:\n%s", err, name, want, text)
		}
	}
	crates[n.Deps[0]] = stored(t, s, map[string]string{"libc-0.2.8/src/lib.rs": "another version"})
	a, err := n.Plan(t.Context(), crates)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.Run(t.Context(), &graph.Job{Action: a, Inputs: crates}); err == nil || !strings.Contains(err.Error(), "libc 0.2.9") {
		t.Errorf("without the crate it says %v", err)
	}
}

func TestMissingPatchSeriesIsNamed(t *testing.T) {
	s := newSources(t, func(o *Options) { o.Patches = os.DirFS(t.TempDir()) })
	if _, err := s.Patched("relibc"); err == nil || !strings.Contains(err.Error(), "patches/relibc") {
		t.Errorf("got %v", err)
	}
}

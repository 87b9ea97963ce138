package prepare

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

const gitSource = "git = \"https://h/x\"\ncommit = \"0123456789012345678901234567890123456789\"\n"

// withRecipe are the Sources of one recipe.
func withRecipe(t *testing.T, text string) *Sources {
	t.Helper()
	r, err := recipe.Parse(filepath.Join(t.TempDir(), "x", recipe.FileName), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return newSources(t, func(o *Options) {
		o.Recipes = recipe.Set{"x": r}
		if o.Overrides, err = source.LoadOverrides("overrides.toml", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
	})
}

// performed fills in what a node gives, and what it needs.
func performed(t *testing.T, n *graph.Node, in graph.Outputs) {
	t.Helper()
	if _, done := in[n]; done {
		return
	}
	for _, d := range n.Deps {
		performed(t, d, in)
	}
	_, in[n] = perform(t, n, in)
}

// A recipe that does not name members keeps those that its steps build, and what these need.
func TestMembersAreByDefaultWhatTheStepsBuild(t *testing.T) {
	pkg := func(name string, needs ...string) string {
		text := "[package]\nname = \"" + name + "\"\n[dependencies]\n"
		for _, n := range needs {
			text += n + " = { path = \"../" + n + "\" }\n"
		}
		return text
	}
	workspace := map[string]string{
		"Cargo.toml": "[workspace]\nmembers = [\"one\", \"two\", \"three\"]\n", "Cargo.lock": "version = 4\n",
		"one/Cargo.toml": pkg("one", "two"), "two/Cargo.toml": pkg("two"), "three/Cargo.toml": pkg("three"),
	}
	with := func(name, text string) map[string]string {
		files := map[string]string{}
		for p, was := range workspace {
			files[p] = was
		}
		files[name] = text
		return files
	}
	for name, test := range map[string]struct {
		source, cargo string
		packages      []string
		files         map[string]string
		want          []string // nil where all stay
	}{
		"what one needs stays":        {gitSource, "", []string{"one"}, workspace, []string{"one"}},
		"nothing is to spare":         {gitSource, "", []string{"one", "three"}, workspace, nil},
		"of an archive too":           {"archive = \"https://h/x.tar\"\nsha256 = \"" + strings.Repeat("0", 64) + "\"\n", "", []string{"two"}, workspace, []string{"two"}},
		"a folder is as it is":        {"path = \".\"\n", "", []string{"one"}, workspace, nil},
		"whole is whole":              {gitSource, "whole = true\n", []string{"one"}, workspace, nil},
		"a star is all":               {gitSource, "members = [\"*\"]\n", []string{"one"}, workspace, nil},
		"the recipe's word":           {gitSource, "members = [\"one\", \"three\"]\n", []string{"one"}, workspace, []string{"one", "three"}},
		"a package that is no member": {gitSource, "", []string{"one", "elsewhere"}, workspace, nil},
		"a manifest like none":        {gitSource, "", []string{"one"}, with("three/Cargo.toml", "[package"), nil},
		"a single package":            {gitSource, "", []string{"x"}, map[string]string{"Cargo.toml": pkg("x")}, nil},
		"a workspace in a folder":     {gitSource, "dir = \"ws\"\n", []string{"x"}, map[string]string{"ws/Cargo.toml": "[workspace]\nmembers = [\"a\", \"b\"]\n", "ws/a/Cargo.toml": pkg("x"), "ws/b/Cargo.toml": pkg("y")}, []string{"x"}},
		"the package at the top":      {gitSource, "", []string{"top"}, with("Cargo.toml", "[package]\nname = \"top\"\n[workspace]\nmembers = [\"one\", \"two\", \"three\"]\n"), []string{"top"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := withRecipe(t, "description = \"x\"\n[source]\n"+test.source+"[cargo]\n"+test.cargo+"[[step]]\nname = \"p\"\nkind = \"cargo\"\ntarget = \"host\"\npackages = [\""+strings.Join(test.packages, "\", \"")+"\"]\n")
			r := s.o.Recipes["x"]
			src, err := s.Patched("x")
			if err != nil {
				t.Fatal(err)
			}
			f := &fitting{s: s, r: r, src: src}
			if err := f.collect(); err != nil {
				t.Fatal(err)
			}
			in := graph.Outputs{src: stored(t, s, test.files)}
			if f.byDefault != nil {
				performed(t, f.byDefault, in)
			}
			_, got, needed, err := f.changes(in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if needed != (test.want != nil) {
				t.Errorf("the workspace is fitted: %v", needed)
			}
		})
	}
}

// What is not to be cut has the key that it has where the recipe says so itself.
func TestOnlyTheDefaultHasAStepForMembers(t *testing.T) {
	for cargo, want := range map[string]bool{"": true, "[cargo]\nmembers = [\"*\"]\n": false} {
		s := withRecipe(t, "description = \"x\"\n[source]\n"+gitSource+cargo+"[[step]]\nname = \"p\"\nkind = \"cargo\"\ntarget = \"host\"\npackages = [\"x\"]\n")
		ws, err := s.Workspace("x")
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, d := range ws.Node.Deps {
			got = got || d.ID == "x/members"
		}
		if got != want || ws.SelfContained {
			t.Errorf("%q: a step x/members is %v, the source is self-contained: %v", cargo, got, ws.SelfContained)
		}
	}
}

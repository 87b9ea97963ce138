package draft

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/recipe"
)

const (
	commit = "85b1173b9e059df3c5239610c03e6eb6e9192014"
	sum    = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
)

// What is drafted is what package recipe reads.
func TestADraftIsReadBack(t *testing.T) {
	for name, source := range map[string]recipe.Source{
		"a repository":        {Git: "https://example.org/a.git", Commit: commit},
		"with submodules":     {Git: "x", Commit: commit, Submodules: map[string]recipe.Submodule{"ext/a b": {Git: "y", Commit: commit}}},
		"an archive":          {Archive: "https://example.org/a.tar.gz", SHA256: sum, Strip: 1},
		"an archive's blake3": {Archive: "https://example.org/a.tar.gz", Blake3: sum, Strip: 1},
		"a crate":             {Crate: "kibi", Version: "0.3.3", SHA256: sum},
		"a folder":            {Path: `../../a "folder" \ of mine`},
		"another's":           {SameAs: "base"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &Draft{
				Description: "says \"hello\"\tand \x1b more", Source: source,
				Cargo:    recipe.Cargo{Dir: "sub", Members: []string{"a"}, Lock: "Cargo.lock", Replace: map[string]string{"https://example.org/r": "relibc"}},
				Step:     recipe.Step{Name: "programs", Kind: recipe.KindCargo, Dir: "cli", Packages: []string{"a"}, Env: map[string]string{"A": "b", "C": "d"}},
				Programs: []string{"x", "y"},
			}
			r := read(t, d)
			want := &recipe.Recipe{Description: d.Description, Source: source, Cargo: d.Cargo}
			if diff := cmp.Diff(want, &recipe.Recipe{Description: r.Description, Source: r.Source, Cargo: r.Cargo}); diff != "" {
				t.Error(diff)
			}
			step := r.Steps[0]
			if step.Dir != "cli" || !cmp.Equal(step.Packages, d.Step.Packages) || !cmp.Equal(step.Bins, d.Programs) || !cmp.Equal(step.Env, d.Step.Env) {
				t.Errorf("%+v", step)
			}
			if diff := cmp.Diff(map[string][]string{"usr/bin": {"programs/x", "programs/y"}}, r.Install); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatGoesWithoutSayingIsNotSaid(t *testing.T) {
	d := &Draft{Description: "x", Source: recipe.Source{Path: "."}, Step: recipe.Step{Name: "programs", Kind: recipe.KindCargo, Packages: []string{"x"}}, Programs: []string{"x"}}
	read(t, d)
	for _, not := range []string{"[cargo]", "bins", "env", "dir"} {
		if strings.Contains(d.Text(), not) {
			t.Errorf("%s in\n%s", not, d.Text())
		}
	}
}

func read(t *testing.T, d *Draft) *recipe.Recipe {
	t.Helper()
	r, err := recipe.Parse("recipes/x/recipe.toml", []byte(d.Text()))
	if err != nil {
		t.Fatalf("%v\n%s", err, d.Text())
	}
	return r
}

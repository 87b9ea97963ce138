package importer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/recipe"
)

const commit = "85b1173b9e059df3c5239610c03e6eb6e9192014"

func TestWhole(t *testing.T) {
	r, err := Import("tool", []byte(`
[source]
git = "https://example.org/tool.git"
rev = "`+commit+`"
branch = "main"
shallow_clone = true
[build]
template = "cargo"
package_path = "cli"
`))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Losses) > 0 {
		t.Fatalf("lost %v", r.Losses)
	}
	ours, err := recipe.Parse("recipes/tool/recipe.toml", []byte(r.Text))
	if err != nil {
		t.Fatalf("%v\n%s", err, r.Text)
	}
	if ours.Source.Commit != commit || ours.Steps[0].Dir != "cli" || ours.Steps[0].Packages[0] != "tool" || ours.Files[0].To != "usr/bin/tool" {
		t.Errorf("%+v", ours)
	}
	if len(r.Assumed) != 1 {
		t.Errorf("assumed %q", r.Assumed)
	}
}

func TestSameAs(t *testing.T) {
	r, err := Import("tool", []byte("[source]\nsame_as = \"../gcc\"\n[build]\ntemplate = \"cargo\"\n"))
	if err != nil || len(r.Losses) > 0 {
		t.Fatal(err, r.Losses)
	}
	ours, err := recipe.Parse("recipes/tool/recipe.toml", []byte(r.Text))
	if err != nil || ours.Source.SameAs != "gcc" {
		t.Errorf("%v\n%s", err, r.Text)
	}
}

func TestLosses(t *testing.T) {
	source := "[source]\ngit = \"https://example.org/a.git\"\nrev = \"" + commit + "\"\n"
	for name, c := range map[string]struct {
		text string
		want []Reason
	}{
		"a tag":        {"[source]\ngit = \"x\"\nrev = \"v1\"\n", []Reason{NoCommit}},
		"no rev":       {"[source]\ngit = \"x\"\n", []Reason{NoCommit}},
		"an archive":   {"[source]\ntar = \"x\"\nblake3 = \"y\"\n", []Reason{NoSHA256}},
		"nothing":      {"", []Reason{NoSource}},
		"two patches":  {source + "patches = [\"a.patch\", \"b.patch\"]\n", []Reason{Patched, Patched}},
		"a script":     {source + "script = \"x\"\n[build]\ntemplate = \"custom\"\nscript = \"y\"\n", []Reason{Script, Script}},
		"cmake":        {source + "[build]\ntemplate = \"cmake\"\ncmakeflags = [\"-D\"]\n", []Reason{Template}},
		"a dependency": {source + "[build]\ntemplate = \"cargo\"\ndependencies = [\"openssl1\"]\n", []Reason{Depends}},
		"cargo flags":  {source + "[build]\ntemplate = \"cargo\"\ncargoflags = \"--features x\"\n", []Reason{CargoFlags}},
		"a new key":    {source + "depth = 1\n", []Reason{Unknown}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Import("a", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []Reason
			for _, l := range r.Losses {
				got = append(got, l.Reason)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Nothing is dropped without a word.
func TestEveryDependencyIsSaid(t *testing.T) {
	r, err := Import("x", []byte("[source]\npath = \"source\"\n[build]\ntemplate = \"cargo\"\ndev-dependencies = [\"sdl\"]\nrustflags = \"-g\"\n[package]\ndependencies = [\"fonts\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range r.Losses {
		got = append(got, l.String())
	}
	want := []string{"it has a key that is not known: build.rustflags", "its source is a folder beside it: path = \"source\"", "it needs libraries of other recipes: sdl", "it needs other packages when it runs: fonts"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNoTOML(t *testing.T) {
	for _, text := range []string{"[source", "[source]\ngit = 1\n", "[build]\ntemplate = \"a\"[source]\n"} {
		if r, err := Import("a", []byte(text)); err == nil {
			t.Errorf("%q is read as %q", text, r.Text)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add("a", "[source]\ngit = \"x\"\n")
	f.Add("a\"b", "[source]\nsame_as = \"\\\"\"\n[build]\ntemplate = \"cargo\"\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		r, err := Import(name, []byte(text))
		if err == nil && !strings.HasPrefix(r.Text, "description = ") {
			t.Errorf("no recipe: %q", r.Text)
		}
	})
}

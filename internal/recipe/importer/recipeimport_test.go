package importer

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/recipe"
)

const (
	commit = "85b1173b9e059df3c5239610c03e6eb6e9192014"
	blake3 = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
)

func TestWhole(t *testing.T) {
	r, err := Import(t.Context(), "tool", []byte(`
[source]
git = "https://example.org/tool.git"
rev = "`+commit+`"
branch = "main"
shallow_clone = true
[build]
template = "cargo"
package_path = "cli"
`), nil)
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
	if ours.Steps[0].Sysroot != "sysroot" || ours.Files[0].Strip != recipe.StripAll || !strings.Contains(r.Text, "[install]\n\"usr/bin\" = [\"programs/tool\"]\n") {
		t.Errorf("it is not linked and stripped by default, in few words:\n%s", r.Text)
	}
	if len(r.Assumed) != 1 {
		t.Errorf("assumed %q", r.Assumed)
	}
}

func TestAnArchiveByItsBLAKE3IsWhole(t *testing.T) {
	r, err := Import(t.Context(), "tool", []byte("[source]\ntar = \"https://example.org/tool-1.0.tar.gz?raw=1\"\nblake3 = \""+blake3+"\"\n[build]\ntemplate = \"cargo\"\n"), nil)
	if err != nil || len(r.Losses) > 0 {
		t.Fatal(err, r.Losses)
	}
	ours, err := recipe.Parse("recipes/tool/recipe.toml", []byte(r.Text))
	if err != nil {
		t.Fatal(err)
	}
	want := recipe.Source{Archive: "https://example.org/tool-1.0.tar.gz?raw=1", Blake3: blake3, Strip: 1}
	if diff := cmp.Diff(want, ours.Source); diff != "" {
		t.Error(diff)
	}
}

func TestACommitIsAskedFor(t *testing.T) {
	const cargo = "[build]\ntemplate = \"cargo\"\n"
	for name, c := range map[string]struct{ source, ref string }{
		"a branch":           {"branch = \"main\"\n", "refs/heads/main"},
		"the default branch": {"", "HEAD"},
		"a tag":              {"rev = \"v1\"\nbranch = \"main\"\n", "v1"},
	} {
		t.Run(name, func(t *testing.T) {
			text := []byte("[source]\ngit = \"https://x/y.git\"\n" + c.source + cargo)
			r, err := Import(t.Context(), "tool", text, func(_ context.Context, url, ref string) (string, error) {
				if url != "https://x/y.git" || ref != c.ref {
					t.Errorf("asked for %s of %s", ref, url)
				}
				return commit, nil
			})
			if err != nil || len(r.Losses) > 0 || r.Unanswered != nil {
				t.Fatal(err, r.Losses, r.Unanswered)
			}
			ours, err := recipe.Parse("recipes/tool/recipe.toml", []byte(r.Text))
			if err != nil || ours.Source.Commit != commit {
				t.Errorf("%v\n%s", err, r.Text)
			}
			if said := strings.Join(r.Assumed, "\n"); !strings.Contains(said, commit+", which is what "+c.ref+" of https://x/y.git is at now") {
				t.Errorf("assumed %q", said)
			}
		})
	}
}

func TestAFullCommitIsNotAskedFor(t *testing.T) {
	_, err := Import(t.Context(), "tool", []byte("[source]\ngit = \"x\"\nrev = \""+commit+"\"\n"), func(context.Context, string, string) (string, error) {
		t.Error("asked")
		return "", nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestALackNamesTheCommandThatHelps(t *testing.T) {
	unreachable := func(context.Context, string, string) (string, error) { return "", errors.New("nobody\x1b[2J there") }
	for text, want := range map[string]string{
		"git = \"https://x/y\"\n":                    "nobody?[2J there; `git ls-remote https://x/y HEAD` gives one",
		"git = \"https://x/y\"\nbranch = \"a b\"\n":  "`git ls-remote https://x/y 'refs/heads/a b'` gives one",
		"git = \"x; rm\"\nrev = \"v1\"\n":            "`git ls-remote 'x; rm' v1` gives one",
		"git = \"https://x/y\"\nrev = \"300fa97\"\n": "`git clone --bare --filter=tree:0 https://x/y x.git && git -C x.git rev-parse 300fa97` gives all of it",
		"tar = \"https://x/y.tar?a&b\"\n":            "`curl -L 'https://x/y.tar?a&b' | shasum -a 256` gives one",
	} {
		r, err := Import(t.Context(), "tool", []byte("[source]\n"+text), unreachable)
		if err != nil || len(r.Losses) != 1 || !strings.Contains(r.Losses[0].String(), want) {
			t.Errorf("%v %q, want %q", err, r.Losses, want)
		}
		if (r.Unanswered != nil) != strings.HasPrefix(text, "git") {
			t.Errorf("%s: unanswered is %v", text, r.Unanswered)
		}
	}
}

func TestAnEndedContextIsNoLoss(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Import(ctx, "tool", []byte("[source]\ngit = \"x\"\n"), func(ctx context.Context, _, _ string) (string, error) {
		cancel()
		return "", ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestSameAs(t *testing.T) {
	r, err := Import(t.Context(), "tool", []byte("[source]\nsame_as = \"../gcc\"\n[build]\ntemplate = \"cargo\"\n"), nil)
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
		"a short rev":  {"[source]\ngit = \"x\"\nrev = \"300fa97\"\n", []Reason{NoCommit}},
		"an archive":   {"[source]\ntar = \"x\"\n", []Reason{NoDigest}},
		"half a sum":   {"[source]\ntar = \"x\"\nblake3 = \"abc\"\n", []Reason{NoDigest}},
		"lzip":         {"[source]\ntar = \"x.tar.lz\"\nblake3 = \"" + blake3 + "\"\n", []Reason{Packing}},
		"nothing":      {"", []Reason{NoSource}},
		"two patches":  {source + "patches = [\"a.patch\", \"b.patch\"]\n", []Reason{Patched, Patched}},
		"a script":     {source + "script = \"x\"\n[build]\ntemplate = \"custom\"\nscript = \"y\"\n", []Reason{Script, Script}},
		"cmake":        {source + "[build]\ntemplate = \"cmake\"\ncmakeflags = [\"-D\"]\n", []Reason{Template}},
		"a dependency": {source + "[build]\ntemplate = \"cargo\"\ndependencies = [\"openssl1\"]\n", []Reason{Depends}},
		"cargo flags":  {source + "[build]\ntemplate = \"cargo\"\ncargoflags = \"--features x\"\n", []Reason{CargoFlags}},
		"a new key":    {source + "depth = 1\n", []Reason{Unknown}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Import(t.Context(), "a", []byte(c.text), nil)
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
	r, err := Import(t.Context(), "x", []byte("[source]\npath = \"source\"\n[build]\ntemplate = \"cargo\"\ndev-dependencies = [\"sdl\"]\nrustflags = \"-g\"\n[package]\ndependencies = [\"fonts\"]\n"), nil)
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
		if r, err := Import(t.Context(), "a", []byte(text), nil); err == nil {
			t.Errorf("%q is read as %q", text, r.Text)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add("a", "[source]\ngit = \"x\"\n")
	f.Add("a\"b", "[source]\nsame_as = \"\\\"\"\n[build]\ntemplate = \"cargo\"\n")
	f.Fuzz(func(t *testing.T, name, text string) {
		r, err := Import(t.Context(), name, []byte(text), nil)
		if err == nil && !strings.HasPrefix(r.Text, "description = ") {
			t.Errorf("no recipe: %q", r.Text)
		}
	})
}

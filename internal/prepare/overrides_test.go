package prepare

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// overridden are the Sources of a recipe x that builds by cargo and keeps all members, with the user's overrides.
func overridden(t *testing.T, toml string) (s *Sources, notices *[]string) {
	t.Helper()
	text := "description = \"x\"\n[source]\ngit = \"https://h/x\"\ncommit = \"" + strings.Repeat("0", 40) + "\"\n[[step]]\nname = \"p\"\nkind = \"cargo\"\ntarget = \"host\"\npackages = [\"x\"]\n[cargo]\nmembers = [\"*\"]\n"
	r, err := recipe.Parse(filepath.Join(t.TempDir(), "x", recipe.FileName), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	notices = &[]string{}
	return newSources(t, func(o *Options) {
		o.Recipes, o.Notice = recipe.Set{"x": r}, func(line string) { *notices = append(*notices, line) }
		if o.Overrides, err = source.LoadOverrides(filepath.Join(t.TempDir(), "overrides.toml"), []byte(toml), nil, nil); err != nil {
			t.Fatal(err)
		}
	}), notices
}

// planned gives every node below a node an output, the sources theirs by what is said of it, and returns the key of the node and its output
// if it has one of its own.
func planned(t *testing.T, s *Sources, n *graph.Node, outputs map[string]cas.Digest) string {
	t.Helper()
	in := graph.Outputs{}
	for _, dep := range n.Deps {
		for id, out := range outputs {
			if dep.ID == id || dep.ID == id+"/outline" {
				in[dep] = out
			}
		}
		if dep.ID == "x/manifests" {
			in[dep] = cas.DigestBytes([]byte(planned(t, s, dep, outputs)))
		}
	}
	if n.Resolve != nil {
		out, err := n.Resolve(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		return out.Hash
	}
	a, err := n.Plan(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return a.Digest().Hash
}

func TestAnOverrideIsInTheKeyOfWhoUsesItAlone(t *testing.T) {
	const commit = "1111111111111111111111111111111111111111"
	direct := map[string]string{"Cargo.toml": "[dependencies]\na = { git = \"https://h/a.git\", branch = \"b\" }\n", "Cargo.lock": ""}
	locked := map[string]string{"Cargo.toml": "[dependencies]\nother = \"1\"\n", "Cargo.lock": "source = \"git+https://h/a.git?branch=b#" + commit + "\"\n"}
	none := map[string]string{"Cargo.toml": "[dependencies]\na = { git = \"https://h/a-two\" }\n", "Cargo.lock": "", "README": "\"https://h/a\""}
	one, other := t.TempDir(), t.TempDir()
	folder := "[git.\"https://h/a\"]\ndir = \"" + one + "\"\n"
	for name, test := range map[string]struct {
		files     map[string]string
		overrides string
		uses      string // the URLs
		unused    string
	}{
		"in a manifest":              {direct, folder, "https://h/a", ""},
		"in the lock alone":          {locked, folder, "https://h/a", ""},
		"not at all":                 {none, folder, "", "https://h/a"},
		"by the folder of another":   {direct, folder + "[git.\"https://h/b\"]\ndir = \"" + other + "\"\n", "https://h/a https://h/b", ""},
		"only one of two":            {direct, folder + "[git.\"https://h/c\"]\nversion = \"1.0.0\"\n", "https://h/a", "https://h/c"},
		"at its commit":              {locked, "[git.\"https://h/a\"]\nremove = true\ncommit = \"" + commit + "\"\n", "https://h/a", ""},
		"at another commit":          {locked, "[git.\"https://h/a\"]\nremove = true\ncommit = \"2222222222222222222222222222222222222222\"\n", "", "https://h/a"},
		"another scheme of the same": {map[string]string{"Cargo.toml": "a = { git = 'ssh://git@h/a' }\n", "Cargo.lock": ""}, folder, "", "https://h/a"},
	} {
		t.Run(name, func(t *testing.T) {
			key := func(toml string, a string) (string, string, string) {
				s, notices := overridden(t, toml)
				ws, err := s.Workspace("x")
				if err != nil {
					t.Fatal(err)
				}
				outputs := map[string]cas.Digest{"x/source": stored(t, s, test.files)}
				for _, d := range ws.Node.Deps {
					if strings.HasPrefix(d.ID, "override/") {
						outputs[d.ID] = stored(t, s, map[string]string{"Cargo.toml": "[dependencies]\nb = { git = \"https://h/b\" }\n", "lib.rs": a})
					}
				}
				got := planned(t, s, ws.Node, outputs)
				for _, line := range *notices {
					if !strings.HasPrefix(line, "override of a git dependency: ") {
						t.Errorf("said: %s", line)
					}
				}
				return got, strings.Join(*notices, "\n"), strings.Join(s.UnusedOverrides(), " ")
			}
			got, notices, unused := key(test.overrides, "one")
			another, _, _ := key(test.overrides, "two")
			if (got != another) != (strings.Contains(test.overrides, "dir") && test.uses != "") {
				t.Errorf("another text in the override: the key changes %v", got != another)
			}
			if unused != test.unused {
				t.Errorf("unused: %s", unused)
			}
			for _, url := range strings.Fields(test.uses) {
				if !strings.Contains(notices, "override of a git dependency: "+filepath.Base(url)+" (") {
					t.Errorf("%s is not announced: %s", url, notices)
				}
			}
			if n := strings.Count(notices, "override of"); n != len(strings.Fields(test.uses)) {
				t.Errorf("%d are announced: %s", n, notices)
			}
		})
	}
}

// Nothing that is compiled changes where an override is not used.
func TestAnUnusedOverrideChangesNothing(t *testing.T) {
	files := map[string]string{"Cargo.toml": "[workspace]\n", "Cargo.lock": "version = 4\n", "src/main.rs": ""}
	var outs []cas.Digest
	for _, toml := range []string{"", "[git.\"https://h/a\"]\nversion = \"1.0.0\"\n"} {
		s, _ := overridden(t, toml)
		ws, err := s.Workspace("x")
		if err != nil {
			t.Fatal(err)
		}
		if ws.SelfContained {
			t.Errorf("%q: a source as it is need not be self-contained", toml)
		}
		in := graph.Outputs{}
		for _, d := range ws.Node.Deps {
			switch d.ID {
			case "x/source":
				in[d] = stored(t, s, files)
			case "x/manifests":
				manifests := graph.Outputs{}
				for _, below := range d.Deps {
					manifests[below] = stored(t, s, files)
				}
				_, in[d] = perform(t, d, manifests)
			}
		}
		var out cas.Digest
		if ws.Node.Resolve != nil {
			out, err = ws.Node.Resolve(t.Context(), in)
		} else {
			out, err = ws.Node.Run(t.Context(), &graph.Job{Inputs: in, Log: io.Discard})
		}
		if err != nil {
			t.Fatal(err)
		}
		outs = append(outs, out)
	}
	if outs[0] != outs[1] {
		t.Error("the workspace is another one")
	}
}

func TestAMemberIsNotTakenForItsWorkspace(t *testing.T) {
	for name, test := range map[string]struct {
		dir   string
		files []string
		want  string
	}{
		"the workspace":         {"", []string{"Cargo.lock"}, ""},
		"a folder":              {"ws", []string{"ws/Cargo.lock"}, ""},
		"a member":              {"mf", []string{"Cargo.lock", "mf/Cargo.toml"}, `[cargo] dir = "mf" is not the folder of the workspace, which has its Cargo.lock at the top of the source: take it out there, and write dir = "mf" into the step`},
		"a member of a folder":  {"ws/a/b", []string{"ws/Cargo.lock"}, `which has its Cargo.lock in "ws": write dir = "ws" there, and write dir = "a/b" into the step`},
		"none":                  {"ws", []string{"other/Cargo.lock"}, "the source of x has no Cargo.lock"},
		"none with a workspace": {"", []string{"ws/Cargo.lock"}, "the source of x has no Cargo.lock"},
	} {
		s, _ := overridden(t, "")
		s.o.Recipes["x"].Cargo.Dir = test.dir
		ws, err := s.Workspace("x")
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"f": ""}
		for _, p := range test.files {
			files[p] = ""
		}
		_, err = ws.Node.Resolve(t.Context(), graph.Outputs{ws.Node.Deps[0]: stored(t, s, files)})
		if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestURLsInQuotesAreFound(t *testing.T) {
	for text, want := range map[string][]string{
		"git = \"https://a/b\"\n":                {"https://a/b"},
		"git = 'ssh://git@a/b.git'":              {"ssh://git@a/b.git"},
		"source = \"git+https://a/b?rev=1#abc\"": {"git+https://a/b?rev=1#abc"},
		"x = \"https://a\" y = \"https://b\"":    {"https://a", "https://b"},
		"x = \"by way of https://a://b\"":        nil,
		"x = \"https://a://b\"":                  {"https://a://b"},
		"# see https://a/b, or \"https://c\"":    {"https://c"},
		"x = \"://a\"\ny = \"https://\"":         nil,
		"x = \"https://a\ny":                     nil,
		"https://a\"":                            nil,
		"x = \"https://a b\"":                    nil,
		"":                                       nil,
	} {
		if got := quotedURLs([]byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

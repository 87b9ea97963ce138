package scaffold

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/recipe"
)

const metadata = `{"packages":[
 {"id":"a","name":"a","description":"The  program.\nAnd more","features":{"default":["full"],"full":["deep"],"deep":[],"off":[]},
  "targets":[{"name":"a","kind":["bin"]},{"name":"deep","kind":["bin"],"required-features":["deep"]},{"name":"gated","kind":["bin"],"required-features":["off"]},
             {"name":"a","kind":["lib"]},{"name":"b","kind":["test"]}]},
 {"id":"tool","name":"tool","targets":[{"name":"t1","kind":["bin"]}]},
 {"id":"other","name":"not-a-member","targets":[{"name":"no","kind":["bin"]}]}],
 "workspace_members":["a","tool"],"workspace_default_members":["a"],"workspace_root":"/t/src/sub"}`

func TestCargosWordIsRead(t *testing.T) {
	w, err := ReadMetadata([]byte(metadata), "/t/src")
	if err != nil {
		t.Fatal(err)
	}
	want := &Workspace{Dir: "sub", Packages: []Package{
		{Name: "a", Description: "The  program.\nAnd more", Default: true, Programs: []string{"a", "deep"}, Gated: []string{"gated"}},
		{Name: "tool", Programs: []string{"t1"}},
	}}
	if diff := cmp.Diff(want, w); diff != "" {
		t.Error(diff)
	}
	for text, top := range map[string]string{metadata: "/t/src/sub/member", "[]": "/t"} {
		if _, err := ReadMetadata([]byte(text), top); err == nil {
			t.Errorf("%s in %s was taken", text, top)
		}
	}
}

func TestProgramsAreChosen(t *testing.T) {
	p := func(name string, byDefault bool, programs ...string) Package {
		return Package{Name: name, Default: byDefault, Programs: programs}
	}
	for name, c := range map[string]struct {
		name     string
		packages []Package
		want     string // the packages
		says     string
	}{
		"the only one":                   {"x", []Package{p("lib", true), p("cli", true, "c")}, "cli", ""},
		"the recipe's namesake":          {"b", []Package{p("a", true, "a"), p("b", false, "z")}, "b", "leaves out: a"},
		"one with a program of its name": {"z", []Package{p("a", true, "a"), p("b", false, "y", "z")}, "b", ""},
		"those that cargo builds":        {"x", []Package{p("a", true, "a"), p("b", true, "b"), p("xtask", false, "xtask")}, "a b", "leaves out: xtask"},
		"all when none is by default":    {"x", []Package{p("lib", true), p("a", false, "a"), p("b", false, "b")}, "a b", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := FromWorkspace(c.name, recipe.Source{Path: "."}, &Workspace{Packages: c.packages, Lock: []byte("version = 4\n")}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.Step.Packages, " "); got != c.want || !strings.Contains(strings.Join(r.Remarks, "\n"), c.says) {
				t.Errorf("%s, %q", got, r.Remarks)
			}
			if _, err := recipe.Parse("recipes/x/recipe.toml", []byte(r.Text())); err != nil {
				t.Errorf("%v\n%s", err, r.Text())
			}
		})
	}
	_, err := FromWorkspace("x", recipe.Source{}, &Workspace{Packages: []Package{{Name: "lib"}, {Name: "y", Gated: []string{"g"}}}}, nil)
	if err == nil || !strings.Contains(err.Error(), "no program to build: of its packages (lib, y)") {
		t.Errorf("%v", err)
	}
}

const lock = `version = 4

[[package]]
name = "cc"
version = "1.2.3"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "libc"
version = "0.2.180"
source = "registry+https://github.com/rust-lang/crates.io-index"

[[package]]
name = "other"
version = "0.1.0"
source = "git+https://example.org/other?branch=x#85b1173b9e059df3c5239610c03e6eb6e9192014"

[[package]]
name = "redox-rt"
version = "0.1.0"
source = "git+https://example.org/relibc.git#85b1173b9e059df3c5239610c03e6eb6e9192014"

[[package]]
name = "redox_syscall"
version = "0.1.0"
source = "git+https://example.org/liblibc#85b1173b9e059df3c5239610c03e6eb6e9192014"
`

func TestWhatTheWorkspaceAsksForIsFilledInOrSaid(t *testing.T) {
	recipes := recipe.Set{
		"relibc":       {Name: "relibc", Source: recipe.Source{Git: "https://example.org/relibc"}},
		"relibc-tests": {Name: "relibc-tests", Source: recipe.Source{Git: "https://example.org/relibc"}},
		"base":         {Name: "base", Cargo: recipe.Cargo{Replace: map[string]string{"https://example.org/liblibc.git": "libc"}}},
	}
	w := &Workspace{
		Dir: "sub", Lock: []byte(lock), OwnLock: true, Manifest: []byte("[profile.release]\nstrip = true\n"),
		Packages: []Package{{Name: "a", Description: "Does a.  Well.", Default: true, Programs: []string{"a"}, Gated: []string{"g"}}, {Name: "lib", Default: true}},
	}
	r, err := FromWorkspace("a", recipe.Source{Path: "."}, w, recipes)
	if err != nil {
		t.Fatal(err)
	}
	want := recipe.Cargo{
		Dir: "sub", Lock: LockName,
		Replace: map[string]string{"https://example.org/relibc.git": "relibc", "https://example.org/liblibc": "libc"},
	}
	if diff := cmp.Diff(want, r.Cargo); diff != "" {
		t.Error(diff)
	}
	if r.Description != "Does a" || r.Step.Env["CARGO_PROFILE_RELEASE_STRIP"] != "none" {
		t.Errorf("%q %v", r.Description, r.Step.Env)
	}
	said := strings.Join(r.Remarks, "\n")
	for _, part := range []string{"g of a", "cc = true", "libc 0.2.180", "cargo itself gets these repositories: https://example.org/other", "taken from the recipe relibc"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is not said in\n%s", part, said)
		}
	}
}

func TestOnlyAProfileThatStripsIsTurnedOff(t *testing.T) {
	for manifest, want := range map[string]string{
		"[profile.release]\nstrip = \"symbols\"\n": "none", "[profile.release]\nstrip = false\n": "", "[profile.release]\nstrip = \"none\"\n": "", "[package]\n": "",
	} {
		r := &Result{}
		if err := r.strip([]byte(manifest)); err != nil || r.Step.Env["CARGO_PROFILE_RELEASE_STRIP"] != want {
			t.Errorf("%q: %v, %v", manifest, r.Step.Env, err)
		}
	}
	if err := (&Result{}).strip([]byte("[profile")); err == nil || !strings.Contains(err.Error(), "Cargo.toml") {
		t.Errorf("%v", err)
	}
}

func TestTheTopOfASourceIsFound(t *testing.T) {
	for _, c := range []struct {
		paths, dir, says string
	}{
		{"Cargo.toml a/Cargo.toml b/x", "", ""},
		{"sub/Cargo.toml sub/a/Cargo.toml README", "sub", ""},
		{"a/Cargo.toml b/Cargo.toml", "", "several workspaces (Cargo.toml in a, b)"},
		{"ab/Cargo.toml a/Cargo.toml", "", "several workspaces"},
		{"configure", "", "has no Cargo.toml"},
	} {
		dir, err := TopManifest(strings.Fields(c.paths))
		if dir != c.dir || (err != nil) != (c.says != "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q, %v", c.paths, dir, err)
		}
	}
}

func TestANewProgramIsAPackage(t *testing.T) {
	r, files, err := Program("my-tool")
	if err != nil || len(files) != 3 || !strings.Contains(string(files["src/main.rs"]), "my-tool runs on") {
		t.Fatalf("%v %v", files, err)
	}
	if _, err := recipe.Parse("recipes/my-tool/recipe.toml", []byte(r.Text())); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"9p", "a.b", "c++"} {
		if _, _, err := Program(name); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

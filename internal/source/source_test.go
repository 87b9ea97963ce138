package source

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValidate(t *testing.T) {
	full, sum := strings.Repeat("0", 40), strings.Repeat("0", 64)
	for _, ok := range []Source{
		Git{URL: "u", Commit: full, Submodules: map[string]Git{"a/b": {URL: "u", Commit: full}}},
		Archive{URL: "u", SHA256: sum, Strip: 1}, Archive{URL: "u", Blake3: sum}, Archive{URL: "u", SHA256: sum, Blake3: sum}, Crate{Name: "kibi", Version: "0.2.2", SHA256: sum}, Path("."),
	} {
		if err := ok.Validate(); err != nil {
			t.Errorf("%v: %v", ok, err)
		}
	}
	for _, tc := range []struct {
		src    Source
		faults int
	}{
		{Git{}, 2}, {Git{URL: "u", Commit: "main"}, 1}, {Git{URL: "--upload-pack=x", Commit: full[:39] + "A"}, 2}, {Git{URL: "ext::sh", Commit: full}, 1},
		{Git{URL: "u", Commit: full, Submodules: map[string]Git{"../x": {}, ".git/hooks": {URL: "u", Commit: full}}}, 4},
		{Archive{Strip: -1}, 3}, {Archive{URL: "u", SHA256: sum, Blake3: sum[1:]}, 1}, {Archive{URL: "u", SHA256: "x", Blake3: sum + "0"}, 2}, {Crate{Name: "a/b", Version: "1", SHA256: sum[1:]}, 3}, {Path(""), 1},
	} {
		err := tc.src.Validate()
		if err == nil || strings.Count(err.Error(), "* ") != tc.faults && tc.faults > 1 {
			t.Errorf("%#v: want %d faults, got %v", tc.src, tc.faults, err)
		}
		if _, err := (&Overrides{}).Resolve("x", tc.src); err == nil {
			t.Errorf("%#v was resolved", tc.src)
		}
	}
}

func TestLoadOverridesFaults(t *testing.T) {
	_, err := LoadOverrides("overrides.toml", []byte(`
[mirror]
"" = "x"
"https://h/" = "ext::sh"
[source.short]
dir = "a"
commit = "abc"
[source.open]
git = "a"
[git."https://h/y"]
version = "1"
[source.helper]
git = "fd::17"
commit = "0000000000000000000000000000000000000000"
`), map[string]string{"OTHER": "x"}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"overrides.toml:3", "overrides.toml:5", "overrides.toml:8", "overrides.toml:10", "OTHER", `overrides.toml:4:1: "ext::sh"`, `overrides.toml:12:9: "fd::17"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported", want)
		}
	}
	if t.Failed() {
		t.Log(err)
	}
	for _, text := range []string{
		"[sources]\n", "[source.both]\ndir = 'a'\ngit = 'b'\n", "[source.nothing]\n", "[git.'https://h/x']\ndir = 'a'\nremove = true\n",
		"[git.'https://h/x']\nremove = false\n",
	} {
		if _, err := LoadOverrides("o.toml", []byte(text), nil, nil); err == nil || !strings.Contains(err.Error(), "o.toml:") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestResolve(t *testing.T) {
	folder, bare := t.TempDir(), t.TempDir()
	run(t, bare, "git", "init", "-q", "--bare")
	write(t, folder+"/present/f", "x", 0o644)
	one, two := strings.Repeat("1", 40), strings.Repeat("2", 40)
	o, err := LoadOverrides("/base/overrides.toml", []byte(`
[source.folder]
dir = "`+folder+`"
[source.bare]
dir = "`+bare+`"
[source.pinned]
dir = "`+folder+`"
commit = "`+two+`"
[source.both]
dir = "/absent"
[source.gone]
dir = "gone"
[source.misspelt]
dir = "x"
`), map[string]string{"REDOX_SOURCE_BOTH": folder, "REDOX_SOURCE_TYPO": "x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	git := Git{URL: "https://h/x.git", Commit: one, Submodules: map[string]Git{
		"present": {URL: "https://h/s", Commit: one}, "absent": {URL: "https://h/s", Commit: one},
	}}
	resolveNamed := func(name string) *Resolved {
		r, err := o.Resolve(name, git)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return r
	}
	if r := resolveNamed("plain"); r.Overridden || r.AnyOverridden() || len(r.Submodules) != 2 || r.FetchURL != git.URL {
		t.Errorf("plain: %+v", r)
	}
	r := resolveNamed("folder")
	if r.Source != Source(Path(folder)) || !r.Overridden || !strings.Contains(r.Announce, "overrides.toml") {
		t.Errorf("folder: %+v", r)
	}
	if _, ok := r.Identity(); ok || len(r.Submodules) != 1 || r.Submodules["absent"] == nil {
		t.Errorf("folder: a checked-out submodule stays, others come from their pins: %v", r.Submodules)
	}
	for name, want := range map[string]string{"bare": "git:" + one, "pinned": "git:" + two} {
		r := resolveNamed(name)
		if id, ok := r.Identity(); !ok || !strings.HasPrefix(id, want+" ") || !r.Overridden {
			t.Errorf("%s: %q", name, id)
		}
	}
	if r := resolveNamed("both"); r.Source != Source(Path(folder)) || !strings.Contains(r.Announce, "REDOX_SOURCE_BOTH") {
		t.Errorf("the variable does not win: %+v", r)
	}
	if _, err := o.Resolve("gone", git); err == nil || !strings.Contains(err.Error(), "/base/gone") {
		t.Errorf("gone: %v", err)
	}
	if _, err := o.Resolve("bare", Archive{URL: "u", SHA256: strings.Repeat("0", 64)}); err == nil {
		t.Error("a bare repository took an archive's place without a commit")
	}
	want := []string{"REDOX_SOURCE_TYPO", `source."misspelt"`}
	if diff := cmp.Diff(want, o.Unused([]string{"folder", "bare", "pinned", "both", "gone"})); diff != "" {
		t.Error(diff)
	}
}

func TestMirrorLongestPrefix(t *testing.T) {
	o := overrides(t, "[mirror]\n\"https://h/\" = \"https://m/\"\n\"https://h/a/\" = \"./local/\"\n")
	for url, want := range map[string]string{"https://h/b.git": "https://m/b.git", "https://h/a/c.git": "/base/local/c.git", "https://g/": "https://g/"} {
		if got := o.Mirror(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

func TestGitDependency(t *testing.T) {
	o := overrides(t, "[git.\"https://h/plain.git\"]\nremove = true\n")
	for url, want := range map[string]bool{
		"https://h/plain": true, "https://h/plain.git/": true, "git+https://h/plain?branch=x#0": true, "https://h/other": false, "https://h/plain2": false,
	} {
		if _, got := o.GitDependency(url); got != want {
			t.Errorf("%s: %v", url, got)
		}
	}
}

// A ~ in the file is the home folder for whoever reads it, wherever a folder is named.
func TestHomeInOverrides(t *testing.T) {
	o, err := LoadOverrides("/base/overrides.toml", []byte(`
[mirror]
"https://h/" = "~/mirror/"
"https://i/" = "./mirror/"
[source.dir]
dir = "~/src"
[source.other]
dir = "~nobody/src"
[source.repository]
git = "~/repository"
commit = "0000000000000000000000000000000000000000"
[git."https://j/x"]
dir = "~/x"
`), map[string]string{"REDOX_SOURCE_ENV": "/env"}, func(path string) string {
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			return "/home/me/" + strings.TrimSuffix(rest, "/")
		}
		return path
	})
	if err != nil {
		t.Fatal(err)
	}
	j, _ := o.GitDependency("https://j/x")
	for got, want := range map[string]string{
		o.Mirror("https://h/a"): "/home/me/mirror/a", o.Mirror("https://i/a"): "/base/mirror/a", o.sources["dir"].Dir: "/home/me/src",
		o.sources["other"].Dir: "/base/~nobody/src", o.sources["repository"].Git: "/home/me/repository", j.Dir: "/home/me/x", o.env["REDOX_SOURCE_ENV"]: "/env",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

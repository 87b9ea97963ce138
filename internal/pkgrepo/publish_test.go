package pkgrepo

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/test/upstream"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestPublish(t *testing.T) {
	dir := t.TempDir()
	first := []Publishing{
		{Name: "tools", Depends: []Name{"vim", "nano.doc"}},
		{Name: "vim", Version: "9.1", Tree: tree(t, "vim", 3000), Arch: pkgar.ArchAArch64, Packaging: pkgar.LZMA2, Depends: []Name{"ncurses"},
			Source: Source{SourceIdentifier: "abc", CommitIdentifier: "def", PatchIdentifier: "ghi", TimeIdentifier: "1970-01-01T00:00:00Z"}},
		{Name: "nano.doc", Version: "8", Tree: tree(t, "nano", 100)},
	}
	publish(t, dir, 1, first...)
	for _, name := range []string{"vim.toml", "tools.toml", "repo.toml"} {
		data, err := os.ReadFile(filepath.Join(dir, target, name))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, data)
	}
	for _, p := range publish(t, dir, 1, first...) {
		if p.Changed {
			t.Errorf("%s: published again and changed", p.Name)
		}
	}
	first[1].Version = "9.2"
	list := publish(t, dir, 1, first[1], pkg(t, "ncurses"))
	if !list[0].Changed || !list[1].Changed {
		t.Errorf("new version: %v", list)
	}
	index, err := readIndex(filepath.Join(dir, target, "repo.toml"))
	if err != nil || len(index.Packages) != 4 {
		t.Errorf("%v, %v", index, err)
	}
	if fetched, err := fetchAll(testClient(t, nil, dir), "tools"); err != nil || len(fetched) != 4 || fetched[1].Version != "9.2" {
		t.Errorf("%v, %v", fetched, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, target, "*.new")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// TestPublishSweeps removes what a killed run left, and keeps what is published.
func TestPublishSweeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a [b]")
	publish(t, dir, 1, pkg(t, "vim"))
	for _, name := range []string{"nano.pkgar.new", ".nano.pkgar.new-123", ".vim.toml123", ".repo.signed.json123"} {
		if err := os.WriteFile(filepath.Join(dir, target, name), []byte("half"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, dir, 1, pkg(t, "vim"))
	entries, err := os.ReadDir(filepath.Join(dir, target))
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if diff := cmp.Diff([]string{"repo.signed.json", "repo.toml", "vim.pkgar", "vim.toml"}, left); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPublishKeepsOutdated(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, 1, pkg(t, "vim"))
	x := Index{BuildID: "b", Packages: map[string]string{"other": "1", "nano.doc": ""},
		Outdated: map[string]Source{"vim": {TimeIdentifier: "x"}, "gnu-make": {SourceIdentifier: "s", TimeIdentifier: "t"}}}
	if err := os.WriteFile(filepath.Join(dir, target, "repo.toml"), x.TOML(), 0o644); err != nil {
		t.Fatal(err)
	}
	hash := publish(t, dir, 1, pkg(t, "vim"))[0].Blake3
	got, err := readIndex(filepath.Join(dir, target, "repo.toml"))
	if err != nil {
		t.Fatal(err)
	}
	x.Packages["vim"] = hash
	delete(x.Outdated, "vim")
	if diff := cmp.Diff(&x, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPublishRefuses(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, 1, pkg(t, "vim"))
	before, err := os.ReadFile(filepath.Join(dir, target, "repo.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key      byte
		target   string
		packages []Publishing
		want     string
	}{
		"another key":    {2, target, []Publishing{pkg(t, "a")}, "clients would refuse"},
		"twice":          {1, target, []Publishing{pkg(t, "a"), pkg(t, "a")}, "is there twice"},
		"bad names":      {1, target, []Publishing{pkg(t, "a", "b/c"), {Name: "x.y.z"}}, "2 errors"},
		"no version":     {1, target, []Publishing{{Name: "a", Tree: t.TempDir()}}, "no version"},
		"no files":       {1, target, []Publishing{{Name: "a", Version: "1"}}, "no files"},
		"missing folder": {1, target, []Publishing{{Name: "a", Version: "1", Tree: filepath.Join(dir, "none")}}, "package a: "},
		"target":         {1, "../x", []Publishing{pkg(t, "a")}, "is not a name"},
	} {
		_, err := Publish(bg, dir, c.target, testKey(t, c.key), testNow, c.packages)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	if after, err := os.ReadFile(filepath.Join(dir, target, "repo.toml")); err != nil || string(after) != string(before) {
		t.Errorf("the list changed: %s, %v", after, err)
	}
	if _, err := Publish(bg, dir, target, pkgar.SecretKey{}, testNow, nil); err == nil {
		t.Error("published without a key")
	}
}

func TestTOMLRoundTrip(t *testing.T) {
	p := &Package{Name: "vim", Version: "a \"quoted\" \\ oneü", Target: target, Blake3: strings.Repeat("ab", 32), Source: Source{TimeIdentifier: "t"}, StorageSize: 1 << 40, NetworkSize: 7, Depends: []Name{"a.b", "host:c"}}
	got, err := ParsePackage(p.TOML())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	x := &Index{Packages: map[string]string{"a.b": "1", "": "odd\n\x01", "host:c": ""}, Outdated: map[string]Source{"a.b": {PatchIdentifier: "p"}}}
	gotX, err := ParseIndex(x.TOML())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(x, gotX); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// runClient runs the reference client with a folder of its own for what it downloads.
func runClient(t *testing.T, client string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), client, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	return cmd.CombinedOutput()
}

// TestUpstreamPublishes installs from a repository that the reference tools made.
func TestUpstreamPublishes(t *testing.T) {
	client := upstream.Path(t, upstream.Client)
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret.toml")
	if err := pkgar.WriteKeyFiles(secret, secret+".pub", testKey(t, 1), counting(3), nil); err != nil {
		t.Fatal(err)
	}
	for name, depends := range map[string][]string{"vim": {"ncurses", "nano.doc"}, "ncurses": nil, "nano.doc": {"ncurses"}} {
		args := append([]string{"publish", dir, target, secret, name, tree(t, name, 5000)}, depends...)
		if out, err := runClient(t, client, args...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	fetched, err := fetchAll(testClient(t, nil, server.URL), "vim")
	if err != nil || len(fetched) != 3 {
		t.Fatalf("%v, %v", fetched, err)
	}
	for _, f := range fetched {
		a, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Extract(bg, filepath.Join(t.TempDir(), "x"), pkgar.ExtractOptions{NoSync: true}); err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestUpstreamInstallsOurs(t *testing.T) {
	client := upstream.Path(t, upstream.Client)
	server := httptest.NewServer(http.FileServer(http.Dir(sample(t, 1))))
	defer server.Close()
	root := t.TempDir()
	out, err := runClient(t, client, "install", server.URL, target, root, "tools")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"vim", "ncurses", "terminfo", "libc", "nano.doc"} {
		if _, err := os.Stat(filepath.Join(root, "usr/bin", name)); err != nil {
			t.Error(err)
		}
		head, err := os.ReadFile(filepath.Join(root, HeadFile(Name(name))))
		if err != nil {
			t.Fatal(err)
		}
		key := testKey(t, 1).Public()
		if _, err := pkgar.ReadHead(strings.NewReader(string(head)), int64(len(head)), pkgar.Options{Key: &key}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	data, err := os.ReadFile(filepath.Join(root, StateFile))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ParseState(data)
	if err != nil {
		t.Fatal(err)
	}
	fetched, err := fetchAll(testClient(t, func(c *Config) { c.Repos[0].Name = "" }, server.URL), "tools")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := ParseState(nil)
	if err != nil {
		t.Fatal(err)
	}
	ours.Add(fetched)
	if diff := cmp.Diff(string(theirs.TOML()), string(ours.TOML())); diff != "" {
		t.Errorf("state (-theirs +ours):\n%s", diff)
	}
	t.Logf("their state file:\n%s", data)
}

// TestUpstreamRemovesOurs lets the reference client remove what we installed, for which it reads our state files.
func TestUpstreamRemovesOurs(t *testing.T) {
	client := upstream.Path(t, upstream.Client)
	server := httptest.NewServer(http.FileServer(http.Dir(sample(t, 1))))
	defer server.Close()
	root := t.TempDir()
	fetched, err := fetchAll(testClient(t, func(c *Config) { c.Repos[0].Name = "" }, server.URL), "vim", "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(bg, root, Change{Install: fetched}, pkgar.ExtractOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	if out, err := runClient(t, client, "remove", server.URL, target, root, "vim"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if diff := cmp.Diff([]string{"usr/bin/a", "usr/bin/b"}, paths(files(t, root))); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	data, err := os.ReadFile(filepath.Join(root, StateFile))
	if err != nil {
		t.Fatal(err)
	}
	state, err := ParseState(data)
	if err != nil || len(state.Installed) != 2 || !state.Has("a") {
		t.Errorf("%s, %v", data, err)
	}
}

func paths(files []string) []string {
	for i := range files {
		files[i], _, _ = strings.Cut(files[i], "=")
	}
	return files
}

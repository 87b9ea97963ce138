package pkgrepo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/download"
	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo/signedindex"
	"github.com/pannous/redox-clif/internal/pkgrepo/trust"
)

const target = "aarch64-unknown-redox"

var (
	bg      = context.Background()
	testNow = time.Date(2026, 1, 21, 12, 0, 0, 0, time.UTC)
)

type counting byte

func (c counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c) + byte(i)
	}
	return len(p), nil
}

func testKey(t testing.TB, n byte) pkgar.SecretKey {
	t.Helper()
	k, err := pkgar.GenerateKey(counting(n))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// tree is a folder with one program, named after the package, of the given size.
func tree(t testing.TB, name string, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	if err := os.WriteFile(filepath.Join(dir, "usr/bin", name), data, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func pkg(t testing.TB, name string, depends ...Name) Publishing {
	return Publishing{Name: Name(name), Version: "1.0", Tree: tree(t, name, 3000), Arch: pkgar.ArchAArch64, Depends: depends}
}

func publish(t testing.TB, dir string, key byte, packages ...Publishing) []Published {
	t.Helper()
	list, err := Publish(bg, dir, target, testKey(t, key), testNow, packages)
	if err != nil {
		t.Fatal(err)
	}
	return list.Packages
}

// sample is a repository: tools (meta) -> vim -> ncurses -> terminfo, vim -> libc, and a cycle a <-> b.
func sample(t testing.TB, key byte) string {
	t.Helper()
	dir := t.TempDir()
	publish(t, dir, key,
		Publishing{Name: "tools", Depends: []Name{"vim", "nano.doc"}},
		pkg(t, "vim", "ncurses", "libc"), pkg(t, "ncurses", "terminfo"), pkg(t, "terminfo"), pkg(t, "libc"), pkg(t, "nano.doc", "libc"),
		pkg(t, "a", "b"), pkg(t, "b", "a"), pkg(t, "host:cc"))
	return dir
}

// unsigned takes the signed index away, which leaves what upstream's tools make of a repository.
func unsigned(t testing.TB, dir string) string {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, target, signedindex.FileName)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// testClient has a state of its own and never waits.
func testClient(t testing.TB, change func(*Config), repos ...string) *Client {
	t.Helper()
	dir := t.TempDir()
	store, err := cas.Open(filepath.Join(dir, "cas"))
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Target: target, Store: store, CacheDir: filepath.Join(dir, "cache"), TrustDir: filepath.Join(dir, "state"), Stall: 2 * time.Second,
		Now: func() time.Time { return testNow }, Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
	for i, r := range repos {
		config.Repos = append(config.Repos, Repo{Name: fmt.Sprintf("repo%d", i), URL: r})
	}
	if change != nil {
		change(&config)
	}
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fetchAll(c *Client, names ...Name) ([]Fetched, error) {
	plan, err := c.Resolve(bg, names, nil)
	if err != nil {
		return nil, err
	}
	return c.Fetch(bg, plan)
}

func TestFolder(t *testing.T) {
	c := testClient(t, nil, sample(t, 1))
	fetched, err := fetchAll(c, "tools")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range fetched {
		got = append(got, fmt.Sprintf("%d %s by %q", f.Round, f.Name, f.By))
		if f.IsMeta() != (f.File == "") {
			t.Errorf("%s: meta %t, file %q", f.Name, f.IsMeta(), f.File)
		}
		if f.IsMeta() {
			continue
		}
		a, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if a.Entries[0].Path != "usr/bin/"+string(f.Name) {
			t.Errorf("%s has %v", f.Name, a.Entries)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	want := []string{`1 tools by ""`, `2 vim by "tools"`, `2 nano.doc by "tools"`, `3 ncurses by "vim"`, `3 libc by "vim"`, `4 terminfo by "ncurses"`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

func TestResolve(t *testing.T) {
	dir := sample(t, 1)
	c := testClient(t, nil, dir)
	plan, err := c.Resolve(bg, []Name{"a"}, nil)
	if err != nil || len(plan.Packages) != 2 {
		t.Errorf("cycle: %v, %v", plan, err)
	}
	plan, err = c.Resolve(bg, []Name{"vim"}, func(n Name) bool { return n == "ncurses" })
	if err != nil || len(plan.Packages) != 2 || plan.Get("terminfo") != nil {
		t.Errorf("ncurses is installed: %v, %v", plan, err)
	}
	plan, err = c.Resolve(bg, []Name{"tools"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Name{"tools", "vim", "ncurses", "terminfo"}, plan.Chain("terminfo")); diff != "" {
		t.Errorf("chain (-want +got):\n%s", diff)
	}
	if _, storage := plan.Size(); storage != 5*3000 {
		t.Errorf("storage %d", storage)
	}
	publish(t, dir, 1, Publishing{Name: "broken", Depends: []Name{"gone", "vim", "lost"}})
	_, err = testClient(t, nil, dir).Resolve(bg, []Name{"broken"}, nil)
	var missing *MissingError
	if !errors.As(err, &missing) || !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "gone (needed by broken)") || !strings.Contains(err.Error(), "lost (needed by broken)") {
		t.Errorf("missing: %v", err)
	}
}

func TestResolveDepth(t *testing.T) {
	dir := t.TempDir()
	var chain []Publishing
	for i := range 101 {
		chain = append(chain, Publishing{Name: Name(fmt.Sprintf("p%d", i)), Depends: []Name{Name(fmt.Sprintf("p%d", i+1))}})
	}
	chain[99].Depends = nil
	publish(t, dir, 1, chain...)
	if plan, err := testClient(t, nil, dir).Resolve(bg, []Name{"p0"}, nil); err != nil || len(plan.Packages) != 100 {
		t.Errorf("100 levels: %v", err)
	}
	chain[99].Depends = []Name{"p100"}
	chain[100].Depends = nil
	publish(t, dir, 1, chain...)
	if _, err := testClient(t, nil, dir).Resolve(bg, []Name{"p0"}, nil); err == nil || !strings.Contains(err.Error(), "more than 100 levels deep: p0 needs p1") {
		t.Errorf("101 levels: %v", err)
	}
}

func TestFirstRepoWins(t *testing.T) {
	first, second := t.TempDir(), sample(t, 2)
	publish(t, first, 1, pkg(t, "libc"))
	c := testClient(t, nil, first, second)
	fetched, err := fetchAll(c, "vim")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fetched {
		want := "repo1"
		if f.Name == "libc" {
			want = "repo0"
		}
		if f.Repo != want {
			t.Errorf("%s comes from %s", f.Name, f.Repo)
		}
	}
	// A failure is not "not found": going on would let whoever can break the first repository choose the second.
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, KeyFile) {
			http.ServeFile(w, r, filepath.Join(first, KeyFile))
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer broken.Close()
	var status *download.StatusError
	if _, err := testClient(t, nil, broken.URL, second).Info(bg, "vim"); !errors.As(err, &status) || status.Code != 503 {
		t.Errorf("broken first repository: %v", err)
	}
}

func TestSearch(t *testing.T) {
	first, second := t.TempDir(), sample(t, 2)
	publish(t, first, 1, pkg(t, "libc"))
	matches, err := testClient(t, nil, first, second).Search(bg, "C")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range matches {
		got = append(got, string(m.Name)+" "+m.Repo)
	}
	if diff := cmp.Diff([]string{"host:cc repo1", "libc repo0", "nano.doc repo1", "ncurses repo1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPin(t *testing.T) {
	dir, other := sample(t, 1), sample(t, 2)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	state := t.TempDir()
	fresh := func(url string, offline bool) *Client {
		return testClient(t, func(c *Config) {
			c.TrustDir, c.CacheDir, c.Offline = filepath.Join(state, "sub"), filepath.Join(state, "cache"), offline
		}, url)
	}
	if _, err := fresh(server.URL, true).repoKey(bg, fresh(server.URL, true).repos[0]); !errors.Is(err, ErrOffline) {
		t.Errorf("offline, never seen: %v", err)
	}
	if _, err := fetchAll(fresh(server.URL, false), "libc"); err != nil {
		t.Fatal(err)
	}
	memory := trust.Store{Dir: filepath.Join(state, "sub")}
	pins, err := os.ReadFile(memory.File("repo0"))
	if err != nil || !strings.Contains(string(pins), testKey(t, 1).Public().String()) || !strings.Contains(string(pins), "2026-01-21") {
		t.Errorf("pins %s, %v", pins, err)
	}
	// The same name, another key: refused before anything else is read, and the pin stays.
	var changed *KeyChangedError
	if _, err := fetchAll(fresh(other, false), "libc"); !errors.As(err, &changed) || changed.Offered != testKey(t, 2).Public() || !strings.Contains(err.Error(), "since 2026-01-21") {
		t.Errorf("changed key: %v", err)
	}
	if again, err := os.ReadFile(memory.File("repo0")); err != nil || string(again) != string(pins) {
		t.Errorf("the pin changed: %s, %v", again, err)
	}
	// A second repository is added beside the first.
	two := testClient(t, func(c *Config) { c.TrustDir = filepath.Join(state, "sub") }, server.URL, other)
	if _, err := two.repoKey(bg, two.repos[1]); err != nil {
		t.Error(err)
	}
	for i, n := range []byte{1, 2} {
		name := fmt.Sprintf("repo%d", i)
		if m, err := memory.Repository(name); err != nil || m.Key != testKey(t, n).Public().String() {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	// A key that the caller gives is neither asked for nor pinned.
	key := testKey(t, 2).Public()
	given := testClient(t, func(c *Config) { c.Repos[0].Key = &key }, other)
	if _, err := fetchAll(given, "libc"); err != nil {
		t.Error(err)
	}
	if m, err := given.trust.Repository("repo0"); err != nil || m.Key != "" {
		t.Errorf("a given key was pinned: %v, %v", m, err)
	}
}

func TestOffline(t *testing.T) {
	var lock sync.Mutex
	requests := 0
	dir := sample(t, 1)
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		requests++
		lock.Unlock()
		files.ServeHTTP(w, r)
	}))
	defer server.Close()
	online := testClient(t, nil, server.URL)
	want, err := fetchAll(online, "tools")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := online.Search(bg, "vim"); err != nil {
		t.Fatal(err)
	}
	config := online.config
	config.Offline = true
	offline, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	before := requests
	got, err := fetchAll(offline, "tools")
	if err != nil || requests != before {
		t.Fatalf("%d requests, %v", requests-before, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("offline (-online +offline):\n%s", diff)
	}
	if m, err := offline.Search(bg, "vim"); err != nil || len(m) != 1 {
		t.Errorf("search: %v, %v", m, err)
	}
	if _, err := fetchAll(offline, "a"); !errors.Is(err, ErrOffline) {
		t.Errorf("not in the cache: %v", err)
	}
	// A damaged archive is not used, and is replaced when there is a network.
	file := got[1].File
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-1] ^= 1
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := fetchAll(offline, "vim"); !errors.Is(err, ErrOffline) {
		t.Errorf("damaged: %v", err)
	}
	if _, err := fetchAll(online, "vim"); err != nil {
		t.Errorf("damaged, online: %v", err)
	}
}

func TestConfig(t *testing.T) {
	good := Config{Target: target, Store: &cas.Store{}, CacheDir: "/c", TrustDir: "/p", Repos: []Repo{{URL: "/r"}}}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"good":          {func(*Config) {}, ""},
		"file URL":      {func(c *Config) { c.Repos[0].URL = "file:///r" }, ""},
		"https":         {func(c *Config) { c.Repos[0].URL = "https://example.org/pkg" }, ""},
		"local http":    {func(c *Config) { c.Repos[0].URL = "http://127.0.0.1:1/pkg" }, ""},
		"http":          {func(c *Config) { c.Repos[0].URL = "http://example.org/pkg" }, "use https"},
		"ftp mirror":    {func(c *Config) { c.Repos[0].Mirrors = []string{"ftp://example.org/pkg"} }, `"ftp" is not a scheme`},
		"relative":      {func(c *Config) { c.Repos[0].URL = "repo" }, "has to be absolute"},
		"no store":      {func(c *Config) { c.Store = nil }, "required"},
		"no target":     {func(c *Config) { c.Target = "" }, "required"},
		"target path":   {func(c *Config) { c.Target = "../x" }, "is not a name"},
		"the same name": {func(c *Config) { c.Repos = []Repo{{URL: "https://a.org/1"}, {URL: "https://a.org/2"}} }, `two repositories are named "a.org"`},
	} {
		config := good
		config.Repos = append([]Repo{}, good.Repos...)
		c.change(&config)
		_, err := New(config)
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

func TestLocations(t *testing.T) {
	r := repo{Repo: Repo{URL: "https://h/pkg//", Mirrors: []string{"/a 100%/b/", "file:///a%20b", "http://localhost:1"}}}
	want := []string{"https://h/pkg/t/x%25+.pkgar", "/a 100%/b/t/x%+.pkgar", "/a b/t/x%+.pkgar", "http://localhost:1/t/x%25+.pkgar"}
	if diff := cmp.Diff(want, r.at("t", "x%+.pkgar")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	for s, want := range map[string]string{
		"bash": "bash|bash", "nano.doc": "nano|nano.doc", "host:cc": "cc|cc", "host:cc.x": "cc|cc.x", "target:base": "base|base", "a-b_c+": "a-b_c+|a-b_c+",
	} {
		n, err := ParseName(s)
		if got := n.Recipe() + "|" + n.WithoutPrefix(); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "a/b", "..", "../a", "a.b.c", "x:y", "host:", "host:target:a", "a\x00", "a\nb", ".a", "repo", `a\b`, "\xff"} {
		if _, err := ParseName(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
}

// TestFetchTogether lets several clients with the same cache fetch the same packages.
func TestFetchTogether(t *testing.T) {
	dir := sample(t, 1)
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	config := testClient(t, nil, server.URL).config
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			c, err := New(config)
			if err == nil {
				_, err = fetchAll(c, "tools")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	if done, parts := left(t, c); len(done) != 5 || len(parts) != 0 {
		t.Errorf("in the cache: %v, parts %v", done, parts)
	}
}

package pkgrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/download"
	"github.com/pannous/redox-clif/internal/pkgar"
)

// misbehaving serves dir and hands requests for .pkgar files to do.
func misbehaving(t *testing.T, dir string, do func(w http.ResponseWriter, r *http.Request, archive []byte)) *httptest.Server {
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".pkgar") {
			files.ServeHTTP(w, r)
			return
		}
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(r.URL.Path)))
		if err != nil {
			t.Error(err)
		}
		do(w, r, data)
	}))
	t.Cleanup(server.Close)
	return server
}

// left lists what is in the cache: verified archives, and downloads that did not come to their ends.
func left(t *testing.T, c *Client) (done, parts []string) {
	t.Helper()
	refs, err := c.archives.References()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range refs {
		done = append(done, r.Name())
	}
	partial, err := c.archives.Partials()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range partial {
		parts = append(parts, fmt.Sprintf("%s (%d bytes)", p.file, p.Size))
	}
	err = c.archives.Store.Walk(func(d cas.Digest, _ fs.FileInfo) error {
		if !slices.ContainsFunc(refs, func(r Reference) bool { return r.Blob == d }) {
			t.Errorf("blob %v belongs to nothing", d)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return done, parts
}

func bigRepo(t *testing.T, key byte) string {
	dir := t.TempDir()
	publish(t, dir, key, Publishing{Name: "big", Version: "1", Tree: tree(t, "big", 1<<20)}, pkg(t, "small"))
	return dir
}

// TestServerMisbehaves: a clear error, nothing in the cache.
func TestServerMisbehaves(t *testing.T) {
	write := func(w http.ResponseWriter, b []byte) { _, _ = w.Write(b) } // the client may be gone
	dir, strangers := bigRepo(t, 1), bigRepo(t, 2)
	foreign, err := os.ReadFile(filepath.Join(strangers, target, "big.pkgar"))
	if err != nil {
		t.Fatal(err)
	}
	small, err := os.ReadFile(filepath.Join(dir, target, "small.pkgar"))
	if err != nil {
		t.Fatal(err)
	}
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	for name, c := range map[string]struct {
		do   func(w http.ResponseWriter, r *http.Request, archive []byte)
		want string
		is   error
		keep bool // what came is right so far and kept for later
	}{
		"stalls before the answer": {func(w http.ResponseWriter, r *http.Request, _ []byte) {
			select {
			case <-r.Context().Done():
			case <-hang:
			}
		}, "server stalled: nothing for 100ms", download.ErrStalled, false},
		"stalls in the data": {func(w http.ResponseWriter, r *http.Request, b []byte) {
			if r.Header.Get("Range") == "" {
				w.Header().Set("Content-Length", fmt.Sprint(len(b)))
				write(w, b[:70000])
			} else {
				var from int
				_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(b)-1, len(b)))
				w.WriteHeader(http.StatusPartialContent)
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-hang:
			}
		}, "server stalled", download.ErrStalled, true},
		"claims less": {func(w http.ResponseWriter, _ *http.Request, b []byte) {
			w.Header().Set("Content-Length", "1000")
			write(w, b[:1000])
		}, "server sent 1000 of", nil, true},
		"claims more": {func(w http.ResponseWriter, _ *http.Request, b []byte) {
			w.Header().Set("Content-Length", fmt.Sprint(len(b)+500))
			write(w, b[:500])
		}, "unexpected EOF", nil, true},
		"sends more": {func(w http.ResponseWriter, _ *http.Request, b []byte) {
			write(w, append(b, "and more"...))
		}, "sends more than the", nil, false},
		"another package": {func(w http.ResponseWriter, _ *http.Request, _ []byte) { write(w, small) },
			"another package", nil, false},
		"another key": {func(w http.ResponseWriter, _ *http.Request, _ []byte) { write(w, foreign) },
			"header public key at byte 0x40", pkgar.ErrWrongKey, false},
		"changed data": {func(w http.ResponseWriter, _ *http.Request, b []byte) { b[len(b)-7] ^= 1; write(w, b) },
			"entry 0 (usr/bin/big) data", pkgar.ErrHash, false},
		"changed table": {func(w http.ResponseWriter, _ *http.Request, b []byte) { b[200] ^= 1; write(w, b) },
			"entry table at byte 0x88", pkgar.ErrHash, false},
		"changed signature": {func(w http.ResponseWriter, _ *http.Request, b []byte) { b[5] ^= 1; write(w, b) },
			"header signature", pkgar.ErrSignature, false},
		"empty": {func(w http.ResponseWriter, _ *http.Request, _ []byte) {}, "server sent 0 of", nil, false},
		"a page": {func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			write(w, []byte(strings.Repeat("<html>", 100)))
		}, "header version", nil, false},
		"gone":   {func(w http.ResponseWriter, r *http.Request, _ []byte) { http.NotFound(w, r) }, "not found", ErrNotFound, false},
		"error":  {func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(502) }, "502 Bad Gateway (3 attempts)", nil, false},
		"denied": {func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(403) }, "403 Forbidden", nil, false},
		"wrong range": {func(w http.ResponseWriter, r *http.Request, b []byte) {
			if r.Header.Get("Range") == "" {
				w.Header().Set("Content-Length", fmt.Sprint(len(b)))
				write(w, b[:4000])
				return
			}
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 7-%d/%d", len(b)-1, len(b)))
			w.WriteHeader(http.StatusPartialContent)
			write(w, b[7:])
		}, `the server answers with "bytes 7-`, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			server := misbehaving(t, dir, c.do)
			stall := 20 * time.Second // a busy machine stalls as well
			if c.is == download.ErrStalled {
				stall = 100 * time.Millisecond
			}
			client := testClient(t, func(c *Config) { c.Stall = stall }, server.URL)
			_, err := fetchAll(client, "big")
			if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), "package big: repository repo0: ") {
				t.Errorf("error %v does not name package and repository", err)
			}
			done, parts := left(t, client)
			if len(done) > 0 || (len(parts) > 0) != c.keep {
				t.Errorf("in the cache: %v, parts %v", done, parts)
			}
		})
	}
}

// TestResume continues where the connection broke, in the same call and in a later process.
func TestResume(t *testing.T) {
	dir := bigRepo(t, 1)
	var ranges []string
	var fail atomic.Bool
	fail.Store(true)
	server := misbehaving(t, dir, func(w http.ResponseWriter, r *http.Request, b []byte) {
		ranges = append(ranges, r.Header.Get("Range"))
		from := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(b)-1, len(b)))
		}
		end := min(from+400_000, len(b))
		if fail.Load() && from > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(b)-from))
		if from > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = w.Write(b[from:end])
	})
	client := testClient(t, nil, server.URL)
	var progress atomic.Int64
	client.config.Progress = func(_ Name, done, _ int64) { progress.Store(done) }
	if _, err := fetchAll(client, "big"); err == nil {
		t.Fatal("no error")
	}
	_, parts := left(t, client)
	if len(parts) != 1 || progress.Load() < 300_000 {
		t.Fatalf("parts %v, progress %d", parts, progress.Load())
	}
	fail.Store(false)
	ranges = nil
	again, err := New(client.config)
	if err != nil {
		t.Fatal(err)
	}
	fetched, err := fetchAll(again, "big")
	if err != nil {
		t.Fatal(err)
	}
	if len(ranges) != 2 || ranges[0] == "" || ranges[1] == "" {
		t.Errorf("requests %q, want two that resume", ranges)
	}
	a, err := fetched[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Verify(bg); err != nil {
		t.Error(err)
	}
	if done, parts := left(t, again); len(done) != 1 || len(parts) != 0 {
		t.Errorf("in the cache: %v, parts %v", done, parts)
	}
}

// TestBadPart starts over when what was left from before is not the beginning of the archive.
func TestBadPart(t *testing.T) {
	dir := bigRepo(t, 1)
	good, err := os.ReadFile(filepath.Join(dir, target, "big.pkgar"))
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte{}, good[:500_000]...)
	damaged[499_999] ^= 1
	for name, part := range map[string][]byte{
		"garbage": []byte(strings.Repeat("garbage", 1000)), "damaged": damaged, "complete": good, "complete and damaged": append(damaged, good[500_000:]...),
		"longer": append(append([]byte{}, good...), 0), "a byte": good[:1],
	} {
		for _, resumes := range []bool{true, false} {
			server := misbehaving(t, dir, func(w http.ResponseWriter, r *http.Request, b []byte) {
				if !resumes {
					r.Header.Del("Range")
				}
				http.ServeFile(w, r, filepath.Join(dir, target, "big.pkgar"))
			})
			client := testClient(t, nil, server.URL)
			plan, err := client.Resolve(bg, []Name{"big"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			hash, _ := plan.Packages[0].TableHash()
			d := wanted{c: client, hash: hash, key: testKey(t, 1).Public()}
			if err := os.MkdirAll(client.archives.parts(), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(client.archives.partOf(d.base()), part, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Fetch(bg, plan); err != nil {
				t.Errorf("%s, resumes %t: %v", name, resumes, err)
			}
		}
	}
}

func TestMirrors(t *testing.T) {
	dir := bigRepo(t, 1)
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	wrong := misbehaving(t, dir, func(w http.ResponseWriter, _ *http.Request, b []byte) { b[len(b)-1] ^= 1; _, _ = w.Write(b) })
	client := testClient(t, func(c *Config) { c.Repos[0].Mirrors = []string{wrong.URL, dir} }, down.URL)
	if _, err := fetchAll(client, "big"); err != nil {
		t.Errorf("one of three places works: %v", err)
	}
	// The mirror has a key of its own: the repository's is pinned already.
	client.config.Repos[0].URL = sample(t, 2)
	client.config.Repos[0].Mirrors = nil
	again, err := New(client.config)
	if err != nil {
		t.Fatal(err)
	}
	var changed *KeyChangedError
	if _, err := fetchAll(again, "libc"); !errors.As(err, &changed) {
		t.Errorf("mirror with another key: %v", err)
	}
}

// TestBadDescriptions: a wrong NAME.toml or key file is an error that names it.
func TestBadDescriptions(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for name, c := range map[string]struct{ file, content, want string }{
		"not TOML":      {"small.toml", "name = ", "small.toml: toml"},
		"other name":    {"small.toml", "name = 'big'\nversion='1'\ntarget='" + target + "'\nblake3='" + hash + "'", `description of package "big"`},
		"other target":  {"small.toml", "name = 'small'\nversion='1'\ntarget='x86_64-unknown-redox'\nblake3='" + hash + "'", `for "x86_64-unknown-redox"`},
		"no hash":       {"small.toml", "name = 'small'\nversion='1'\ntarget='" + target + "'", `blake3 "" is not a hash`},
		"bad depends":   {"small.toml", "name = 'small'\ntarget='" + target + "'\ndepends=['../../etc']", "depends: package name"},
		"negative size": {"small.toml", "name = 'small'\nversion='1'\nnetwork_size=-5\ntarget='" + target + "'\nblake3='" + hash + "'", "network_size is negative"},
		"terminal":      {"small.toml", "name = 'small'\nversion=\"1\\u001b[2J\"\ntarget='" + target + "'\nblake3='" + hash + "'", "not printable"},
		"types":         {"small.toml", "name = 'small'\nversion=1\ntarget='" + target + "'", "incompatible types"},
		"other hash":    {"small.toml", "name = 'small'\nversion='1'\ntarget='" + target + "'\nblake3='" + hash + "'", "another package"},
		"huge":          {"small.toml", strings.Repeat("# comment\n", 200_000), "has more than 1048576 bytes"},
		"bad key":       {"../" + KeyFile, "pkey = 'abc'", "pkey is not hexadecimal"},
		"huge key file": {"../" + KeyFile, strings.Repeat("#", 5000), "has more than 4096 bytes"},
	} {
		dir := unsigned(t, bigRepo(t, 1))
		if err := os.WriteFile(filepath.Join(dir, target, c.file), []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := fetchAll(testClient(t, nil, dir), "small")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

func TestRedirect(t *testing.T) {
	plain := httptest.NewServer(http.FileServer(http.Dir(sample(t, 1))))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL+r.URL.Path, http.StatusFound)
	}))
	defer secure.Close()
	client := testClient(t, func(c *Config) { c.Transport = secure.Client().Transport }, secure.URL)
	if _, err := client.Info(bg, "vim"); err == nil || !strings.Contains(err.Error(), "redirected from https to http://") {
		t.Errorf("error %v", err)
	}
}

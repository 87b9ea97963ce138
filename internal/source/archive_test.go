package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/test/wants"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/download"
)

func tarball(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	w := tar.NewWriter(z)
	for _, h := range entries {
		body := h.PAXRecords["body"] // not written: a place for the test's content
		h.PAXRecords = nil
		h.Size = int64(len(body))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func regular(name, body string, mode int64) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, PAXRecords: map[string]string{"body": body}}
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

func goodTar(t *testing.T) []byte {
	return tarball(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "x-1.0/", Mode: 0o755},
		regular("x-1.0/a", strings.Repeat("many bytes ", 5000), 0o600),
		regular("x-1.0/bin/run", "r", 0o711),
		tar.Header{Typeflag: tar.TypeSymlink, Name: "x-1.0/bin/l", Linkname: "../a"},
		tar.Header{Typeflag: tar.TypeLink, Name: "x-1.0/hard", Linkname: "x-1.0/bin/run"},
	)
}

// server gives data, with and without ranges; the number of requests counts.
func server(t *testing.T, data []byte) (*httptest.Server, *atomic.Int64) {
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		switch r.URL.Path {
		case "/good":
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
		case "/norange":
			_, _ = w.Write(data)
		case "/short": // complete for HTTP, but not the file
			_, _ = w.Write(data[:len(data)/2])
		case "/stalls":
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			_, _ = w.Write(data[:10])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv, &n
}

func TestArchive(t *testing.T) {
	ctx := context.Background()
	data := goodTar(t)
	srv, requests := server(t, data)
	fetch := func(f *Fetcher, path, digest string) error {
		return f.Fetch(ctx, resolve(t, &Overrides{}, Archive{URL: srv.URL + path, SHA256: digest, Strip: 1}))
	}
	t.Run("good", func(t *testing.T) {
		f := newFetcher(t)
		for range 2 {
			if err := fetch(f, "/good", sum(data)); err != nil {
				t.Fatal(err)
			}
		}
		if n := requests.Load(); n != 1 {
			t.Errorf("%d requests for two fetches", n)
		}
		dest := t.TempDir()
		if _, err := f.Export(ctx, resolve(t, &Overrides{}, Archive{URL: "u", SHA256: sum(data), Strip: 1}), dest); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"a": "-rw-r--r-- " + strings.Repeat("many bytes ", 5000), "bin/run": "-rwxr-xr-x r", "hard": "-rwxr-xr-x r", "bin/l": "Lrwxrwxrwx ../a"}
		if diff := cmp.Diff(want, listing(t, dest)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("part of an earlier run", func(t *testing.T) {
		for _, path := range []string{"/good", "/norange"} {
			for _, have := range [][]byte{data[:100], data, []byte("something else")} {
				f := newFetcher(t)
				write(t, f.archiveFile(Archive{SHA256: sum(data)})+".part", string(have), 0o644)
				if err := fetch(f, path, sum(data)); err != nil {
					t.Errorf("%s with %d bytes: %v", path, len(have), err)
				}
			}
		}
	})
	t.Run("wrong digest", func(t *testing.T) {
		for _, path := range []string{"/good", "/short"} {
			f := newFetcher(t)
			var wrong *DigestError
			if err := fetch(f, path, strings.Repeat("0", 64)); !errors.As(err, &wrong) || wrong.Want != strings.Repeat("0", 64) || strings.Count(err.Error(), path) != 1 {
				t.Errorf("%s: %v", path, err)
			}
			left, _ := filepath.Glob(f.Store + "/archive/*")
			for _, name := range left {
				if !strings.HasSuffix(name, ".lock") {
					t.Errorf("%s: %s was left", path, name)
				}
			}
		}
	})
	t.Run("stall", func(t *testing.T) {
		f := newFetcher(t)
		f.Stall = 50 * time.Millisecond
		err := fetch(f, "/stalls", sum(data))
		if !errors.Is(err, download.ErrStalled) || !strings.Contains(err.Error(), "nothing for 50ms; what arrived is kept") {
			t.Errorf("%v", err)
		}
		if part, err := os.ReadFile(f.archiveFile(Archive{SHA256: sum(data)}) + ".part"); err != nil || len(part) != 10 {
			t.Errorf("what arrived was not kept: %d bytes, %v", len(part), err)
		}
	})
	t.Run("status and host", func(t *testing.T) {
		var status *download.StatusError
		if err := fetch(newFetcher(t), "/absent", sum(data)); !errors.As(err, &status) || status.Code != 404 {
			t.Errorf("%v", err)
		}
		var host *HostError
		err := newFetcher(t).Fetch(ctx, resolve(t, &Overrides{}, Archive{URL: "http://127.0.0.1:1/x", SHA256: sum(data)}))
		if !errors.As(err, &host) || host.Host != "127.0.0.1" {
			t.Errorf("%v", err)
		}
	})
	t.Run("offline asks nobody", func(t *testing.T) {
		requests.Store(0)
		f := newFetcher(t)
		f.Offline = true
		var offline *OfflineError
		if err := fetch(f, "/good", sum(data)); !errors.As(err, &offline) || requests.Load() != 0 {
			t.Errorf("%v, %d requests", err, requests.Load())
		}
	})
	t.Run("local file", func(t *testing.T) {
		file := t.TempDir() + "/x.tar"
		write(t, file, string(data), 0o644)
		for _, url := range []string{file, "file://" + file} {
			if err := newFetcher(t).Fetch(ctx, resolve(t, &Overrides{}, Archive{URL: url, SHA256: sum(data)})); err != nil {
				t.Errorf("%s: %v", url, err)
			}
		}
	})
}

func TestBadTars(t *testing.T) {
	outside := t.TempDir()
	for name, data := range map[string][]byte{
		"up":              tarball(t, regular("../x", "", 0o644)),
		"absolute":        tarball(t, regular("/x", "", 0o644)),
		"inner up":        tarball(t, regular("a/../../x", "", 0o644)),
		"link up":         tarball(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "../x"}),
		"two links up":    tarball(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "x/a", Linkname: ".."}, tar.Header{Typeflag: tar.TypeSymlink, Name: "x/b", Linkname: "a/.."}),
		"link to nothing": tarball(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "l"}),
		"through a link":  tarball(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: outside}, regular("l/x", "", 0o644)),
		"hard link up":    tarball(t, tar.Header{Typeflag: tar.TypeLink, Name: "l", Linkname: "../x"}),
		"device":          tarball(t, tar.Header{Typeflag: tar.TypeChar, Name: "d"}),
		"git hook":        tarball(t, regular(".git/hooks/x", "", 0o755)),
		"empty":           tarball(t),
		"no tar":          []byte("hello"),
		"zstd":            []byte("\x28\xb5\x2f\xfd..."),
		"broken gzip":     goodTar(t)[:200],
	} {
		f := newFetcher(t)
		write(t, f.archiveFile(Archive{SHA256: sum(data)}), string(data), 0o644)
		dest := t.TempDir() + "/in"
		if _, err := f.Export(context.Background(), resolve(t, &Overrides{}, Archive{URL: "u", SHA256: sum(data)}), dest); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := os.Lstat(dest + "/../x"); err == nil {
			t.Errorf("%s: escaped", name)
		}
	}
	if left, _ := os.ReadDir(outside); len(left) > 0 {
		t.Errorf("written outside: %v", left)
	}
}

// TestCrate uses a cargo that is a shell script: what matters here is what the
// Fetcher makes of cargo's cache. The real cargo is tried end to end elsewhere.
func TestCrate(t *testing.T) {
	data := tarball(t, regular("kibi-0.2.2/Cargo.toml", "[package]", 0o644))
	crate := Crate{Name: "kibi", Version: "0.2.2", SHA256: sum(data)}
	fake := func(body string) *Fetcher {
		f := newFetcher(t)
		f.CargoHome, f.Cargo = t.TempDir(), filepath.Join(t.TempDir(), "cargo")
		write(t, f.CargoHome+"/the.crate", string(data), 0o644)
		write(t, f.Cargo, "#!/bin/sh\n"+body, 0o755)
		return f
	}
	r := resolve(t, &Overrides{}, crate)
	good := `grep -q 'package = "kibi", version = "=0.2.2"' Cargo.toml || exit 9
mkdir -p $CARGO_HOME/registry/cache/index-1 && cp $CARGO_HOME/the.crate $CARGO_HOME/registry/cache/index-1/kibi-0.2.2.crate`
	f := fake(good)
	if err := f.Fetch(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	if _, err := f.Export(context.Background(), r, dest); err != nil || len(listing(t, dest)) != 1 {
		t.Errorf("%v", err)
	}
	wrongSum := crate
	wrongSum.SHA256 = strings.Repeat("0", 64)
	var wrong *DigestError
	if err := fake(good).Fetch(context.Background(), resolve(t, &Overrides{}, wrongSum)); !errors.As(err, &wrong) {
		t.Errorf("wrong digest: %v", err)
	}
	if err := fake("true").Fetch(context.Background(), r); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("nothing in the cache: %v", err)
	}
	var host *HostError
	if err := fake("echo 'error: x\nCould not resolve host: h' >&2; exit 101").Fetch(context.Background(), r); !errors.As(err, &host) {
		t.Errorf("host: %v", err)
	}
	f = fake("")
	f.Cargo = ""
	if err := f.Fetch(context.Background(), r); !errors.As(err, new(*NoCargoError)) || !strings.Contains(err.Error(), "kibi") {
		t.Errorf("without cargo: %v", err)
	}
	f = fake("touch $CARGO_HOME/called")
	f.Offline = true
	var offline *OfflineError
	if err := f.Fetch(context.Background(), r); !errors.As(err, &offline) || fileExists(f.CargoHome+"/called") {
		t.Errorf("offline: %v", err)
	}
}

// The newest version is what cargo locks; an older one of the name may be among its dependencies.
func TestACrateIsPinnedAsCargoChoosesIt(t *testing.T) {
	locked := func(requirement string) *Fetcher {
		f := newFetcher(t)
		f.Cargo = filepath.Join(t.TempDir(), "cargo")
		write(t, f.Cargo, "#!/bin/sh\ngrep -q 'package = \"kibi\", version = \""+requirement+"\"' Cargo.toml || { echo 'error: wants another' >&2; exit 101; }\n"+
			`for v in 0.2.2 0.3.3; do printf '[[package]]\nname = "kibi"\nversion = "%s"\nchecksum = "sum of %s"\n' $v $v; done > Cargo.lock`, 0o755)
		return f
	}
	for _, c := range []struct{ version, requirement, want string }{{"", "\\*", "0.3.3"}, {"0.2.2", "=0.2.2", "0.2.2"}} {
		got, err := locked(c.requirement).Crate(t.Context(), "kibi", c.version)
		if err != nil || got != (Crate{Name: "kibi", Version: c.want, SHA256: "sum of " + c.want}) {
			t.Errorf("%q: %+v, %v", c.version, got, err)
		}
	}
	if _, err := locked("x").Crate(t.Context(), "kibi", "1.0.0"); err == nil || !strings.Contains(err.Error(), "crate kibi 1.0.0: wants another") {
		t.Errorf("%v", err)
	}
	if _, err := locked("=9.9.9").Crate(t.Context(), "kibi", "9.9.9"); err == nil || !strings.Contains(err.Error(), "locked no crate kibi 9.9.9") {
		t.Errorf("%v", err)
	}
	if _, err := locked("x").Crate(t.Context(), "a\"b", ""); err == nil || !strings.Contains(err.Error(), "no crate name") {
		t.Errorf("%v", err)
	}
	offline := locked("x")
	offline.Offline = true
	if _, err := offline.Crate(t.Context(), "kibi", ""); !errors.As(err, new(*OfflineError)) {
		t.Errorf("%v", err)
	}
}

// TestCrateFromRegistry is opt-in: it needs cargo and its registry.
func TestCrateFromRegistry(t *testing.T) {
	home := wants.CargoHome.On(t)
	f := newFetcher(t)
	f.Cargo, f.CargoHome = "cargo", home
	r := resolve(t, &Overrides{}, Crate{Name: "plain", Version: "0.2.3", SHA256: "b4596b6d070b27117e987119b4dac604f3c58cfb0b191112e24771b2faeac1a6"})
	if err := f.Fetch(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	if _, err := f.Export(context.Background(), r, dest); err != nil || listing(t, dest)["src/lib.rs"] == "" {
		t.Errorf("%v", err)
	}
}

func fileExists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

package toolchain

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz"
)

const (
	lockedChannel = "nightly-2026-01-02"
	lockedCommit  = "fcd630976c460c819c4bbcaf107d0c94501205d8"
)

// distOf serves a channel for all hosts, each component with one or two files, and a manifest that rustup's has the form of.
type distOf struct {
	commit string
	spoil  map[string]func(name string, files map[string]string) // by "component host", before the archive is made
	wrong  string                                                // a "component host" whose archive is another than the manifest says
	absent string                                                // one that is not offered
}

func (d distOf) start(t *testing.T) string {
	t.Helper()
	archives := map[string][]byte{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text, ok := archives[r.URL.Path]; ok {
			_, _ = w.Write(text) // the client says what came of it
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(s.Close)
	var manifest strings.Builder
	fmt.Fprintf(&manifest, "manifest-version = \"2\"\n[renames.llvm-tools]\nto = \"llvm-tools-preview\"\n")
	for component, files := range map[string]func(host string) []string{
		"rustc": func(h string) []string {
			return []string{"bin/rustc", "lib/librustc_driver-1.dylib", "lib/rustlib/" + h + "/bin/rust-lld"}
		},
		"cargo":              func(string) []string { return []string{"bin/cargo"} },
		"rust-std":           func(h string) []string { return []string{"lib/rustlib/" + h + "/lib/libstd-1.rlib"} },
		"llvm-tools-preview": func(h string) []string { return []string{"lib/rustlib/" + h + "/bin/llvm-nm"} },
		"rust-src":           func(string) []string { return []string{"lib/rustlib/src/rust/library/core/src/lib.rs"} },
	} {
		fmt.Fprintf(&manifest, "[pkg.%s]\ngit_commit_hash = %q\n", component, d.commit)
		for _, host := range append(Hosts(), "*") {
			if (host == "*") != (component == "rust-src") {
				continue
			}
			content := map[string]string{"manifest.in": "file:x"}
			for _, name := range files(host) {
				content[name] = name + " of " + host
			}
			if spoil := d.spoil[component+" "+host]; spoil != nil {
				spoil(component, content)
			}
			archive := rustInstaller(t, component, content)
			sum := sha256.Sum256(archive)
			if d.wrong == component+" "+host {
				archive = rustInstaller(t, component, map[string]string{"bin/evil": "x"})
			}
			at := "/dist/2026-01-02/" + component + strings.TrimPrefix("-"+host, "-*") + ".tar.xz"
			archives[at] = archive
			fmt.Fprintf(&manifest, "[pkg.%s.target.%q]\navailable = %t\nxz_url = \"https://static.rust-lang.org%s\"\nxz_hash = \"%s\"\n",
				component, host, d.absent != component+" "+host, at, hex.EncodeToString(sum[:]))
		}
	}
	archives["/dist/2026-01-02/channel-rust-nightly.toml"] = []byte(manifest.String())
	return s.URL
}

// rustInstaller makes an archive as rust-installer does. A content that begins with "->" is a link.
func rustInstaller(t *testing.T, component string, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	packed, err := xz.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(packed)
	add := func(h *tar.Header, text string) {
		h.Size = int64(len(text))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	add(&tar.Header{Name: component + "-nightly/install.sh", Mode: 0o755}, "#!/bin/sh\n")
	for name, text := range files {
		h := &tar.Header{Name: component + "-nightly/" + component + "/" + name, Mode: 0o755}
		if to, link := strings.CutPrefix(text, "->"); link {
			h.Typeflag, h.Linkname, text = tar.TypeSymlink, to, ""
		}
		add(h, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestLockHosts: what the pin is on every host is known without one of them, and nothing is locked that was not proved.
func TestLockHosts(t *testing.T) {
	const mac = "aarch64-apple-darwin"
	pin := &Pin{Toolchain: PinnedChannel{Channel: lockedChannel, Components: []string{"rust-src", "llvm-tools"}}}
	said := Verified{Release: "1.94.0-nightly", Commit: lockedCommit, LLVM: "21.1.8", Files: map[string]string{"bin/rustc": "1"}, Probed: map[string]Probed{"x": {Key: "1"}}}
	for name, c := range map[string]struct {
		from distOf
		err  string
		not  []string // hosts that are not locked
	}{
		"all":              {distOf{commit: lockedCommit}, "", nil},
		"one not offered":  {distOf{commit: lockedCommit, absent: "llvm-tools-preview " + mac}, "", []string{mac}},
		"another archive":  {distOf{commit: lockedCommit, wrong: "cargo " + mac}, "its SHA-256 is", nil},
		"another compiler": {distOf{commit: strings.Repeat("0", 40)}, "is locked for x86_64-unknown-linux-gnu", nil},
		"a link": {distOf{commit: lockedCommit, spoil: map[string]func(string, map[string]string){
			"rustc " + mac: func(_ string, files map[string]string) { files["lib/x"] = "->/etc" },
		}}, "a component has files alone", nil},
		"a compiler of another host": {distOf{commit: lockedCommit, spoil: map[string]func(string, map[string]string){
			"rust-std " + mac: func(_ string, files map[string]string) {
				files["lib/rustlib/x-y-z/lib/a"] = "a"
				delete(files, "lib/rustlib/"+mac+"/lib/libstd-1.rlib")
			},
		}}, "of x-y-z", nil},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "lock.toml")
			if err := (&Lock{Channel: lockedChannel, Host: map[string]Verified{host: said}}).Write(path); err != nil {
				t.Fatal(err)
			}
			scratch := t.TempDir()
			done, err := Dist{Server: c.from.start(t), Host: host}.LockHosts(t.Context(), pin, path, scratch)
			if entries, readErr := os.ReadDir(scratch); readErr != nil || len(entries) > 0 {
				t.Errorf("left: %v, %v", entries, readErr)
			}
			lock, loadErr := LoadLock(path)
			if loadErr != nil {
				t.Fatal(loadErr)
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || len(lock.Host) != 1 {
					t.Errorf("got %v and %d hosts", err, len(lock.Host))
				}
				return
			}
			if err != nil || len(done) != len(Hosts())-1 {
				t.Fatal(done, err)
			}
			for _, triple := range Hosts() {
				got, locked := lock.Host[triple]
				if locked == slices.Contains(c.not, triple) {
					t.Errorf("%s: locked is %t", triple, locked)
				}
				if triple == host || !locked {
					continue
				}
				if got.Commit != said.Commit || got.LLVM != said.LLVM || got.Probed != nil {
					t.Errorf("%s: %+v", triple, got)
				}
				if diff := cmp.Diff(filesOf(t, triple), got.Files); diff != "" {
					t.Errorf("%s: -installed +locked\n%s", triple, diff)
				}
			}
			if diff := cmp.Diff(said, lock.Host[host]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// filesOf is the identity of what distOf serves for a host when it is installed.
func filesOf(t *testing.T, triple string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"bin/rustc", "lib/librustc_driver-1.dylib", "lib/rustlib/" + triple + "/bin/rust-lld", "bin/cargo", "lib/rustlib/" + triple + "/lib/libstd-1.rlib", "lib/rustlib/" + triple + "/bin/llvm-nm"} {
		write(t, filepath.Join(dir, name), name+" of "+triple, 0o755)
	}
	write(t, filepath.Join(dir, "lib/rustlib/src/rust/library/core/src/lib.rs"), "lib/rustlib/src/rust/library/core/src/lib.rs of *", 0o755)
	found, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return identityOf(t, found).Files
}

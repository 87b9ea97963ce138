package source

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/symlink"
	"github.com/pannous/redox-clif/internal/symlink/symlinktest"
)

// committed is a folder as a git source, fetched.
func committed(t *testing.T, f *Fetcher, dir string) *Resolved {
	t.Helper()
	run(t, dir, "git", "init", "-q")
	run(t, dir, "git", "add", "-A", "-f")
	run(t, dir, "git", "commit", "-q", "--allow-empty", "-m", "one")
	r := resolve(t, &Overrides{}, Git{URL: dir, Commit: run(t, dir, "git", "rev-parse", "HEAD")})
	if err := f.Fetch(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// archived is the same of a tar file.
func archived(t *testing.T, f *Fetcher, data []byte) *Resolved {
	t.Helper()
	write(t, f.archiveFile(Archive{SHA256: sum(data)}), string(data), 0o644)
	return resolve(t, &Overrides{}, Archive{URL: "u", SHA256: sum(data)})
}

// One rule for links: an absolute target is a path of the guest, a relative one stays inside. What was refused is named with
// the way it goes and the way out.
func TestLinks(t *testing.T) {
	for _, test := range []struct {
		name    string
		links   map[string]string
		refused string
	}{
		{"absolute", map[string]string{"l": "/usr/bin/env", "x/etc": "/etc"}, ""},
		{"inside", map[string]string{"l": "x/f", "x/up": "..", "dangling": "none", "loop": "loop"}, ""},
		{"up", map[string]string{"l": "../up"}, "l -> ../up leads out"},
		{"up in the middle", map[string]string{"l": "x/../../up"}, "l -> x/../../up leads out"},
		{"by two that look harmless", map[string]string{"x/a": "..", "x/b": "a/.."}, "x/b leads out of the tree, by way of x/a -> .."},
		{"by an absolute one", map[string]string{"x/a": "/", "x/b": "a/../etc"}, "x/b leads out of the tree, by way of x/a -> /"},
		{"several", map[string]string{"a": "..", "b": "..", "c": ".."}, "a -> .. leads out of the tree (and 2 more such)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir+"/x/f", "f", 0o644)
			headers := []tar.Header{regular("x/f", "f", 0o644)}
			for _, name := range slices.Sorted(maps.Keys(test.links)) {
				if err := os.Symlink(test.links[name], filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
				headers = append(headers, tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: test.links[name]})
			}
			f := newFetcher(t)
			for kind, r := range map[string]*Resolved{"archive": archived(t, f, tarball(t, headers...)), "git": committed(t, f, dir)} {
				dest := t.TempDir()
				_, err := f.Export(t.Context(), r, dest)
				var escape *EscapeError
				switch {
				case test.refused == "" && err != nil:
					t.Errorf("%s: %v", kind, err)
				case test.refused == "":
					for name, target := range test.links {
						if got, err := os.Readlink(filepath.Join(dest, name)); got != target {
							t.Errorf("%s: %s -> %s, %v", kind, name, got, err)
						}
					}
				case !errors.As(err, &escape) || !strings.Contains(err.Error(), test.refused) || !strings.Contains(err.Error(), "[source.NAME] in overrides.toml"):
					t.Errorf("%s: %v", kind, err)
				}
			}
		})
	}
}

// Generated trees, as repositories and as archives: each is taken with all its links, none of which leads out for the kernel,
// or refused.
func TestNoExportedLinkLeadsOut(t *testing.T) {
	taken := 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 2))
		tree := symlinktest.Generate(r, false)
		dir := t.TempDir()
		if err := tree.Make(dir); err != nil {
			t.Fatal(err)
		}
		var headers []tar.Header
		for _, p := range tree.Files {
			headers = append(headers, regular(p, p, 0o644))
		}
		for p, to := range tree.Links {
			headers = append(headers, tar.Header{Typeflag: tar.TypeSymlink, Name: p, Linkname: to})
		}
		if len(headers) == 0 {
			continue
		}
		r.Shuffle(len(headers), func(i, j int) { headers[i], headers[j] = headers[j], headers[i] })
		f := newFetcher(t)
		for kind, source := range map[string]*Resolved{"archive": archived(t, f, tarball(t, headers...)), "git": committed(t, f, dir)} {
			dest := filepath.Join(t.TempDir(), "in", "side")
			_, err := f.Export(t.Context(), source, dest)
			if refused := len(symlink.Leaving(tree.Links)) > 0; refused != (err != nil) {
				t.Errorf("seed %d, %s: %v for %v", seed, kind, err, tree)
			}
			if err != nil {
				continue
			}
			taken++
			for p := range tree.Links {
				if end, err := filepath.EvalSymlinks(filepath.Join(dest, p)); err == nil && end != dest && !strings.HasPrefix(end, dest+"/") {
					t.Errorf("seed %d, %s: %s ends at %s in %v", seed, kind, p, end, tree)
				}
			}
		}
	}
	if taken < 15 {
		t.Errorf("%d trees were taken: this shows little", taken)
	}
}

func TestNamesThatAreNotUTF8AreLeftOut(t *testing.T) {
	const bad = "caf\xe9"
	dir := t.TempDir()
	headers := []tar.Header{regular("f", "f", 0o644)}
	write(t, dir+"/f", "f", 0o644)
	for _, name := range []string{bad + ".txt", "sub/" + bad + "/deep/file"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Skipf("this file system takes no such names: %v", err)
		}
		headers = append(headers, regular(name, "x", 0o644))
	}
	if err := os.Symlink(bad+".txt", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	headers = append(headers, tar.Header{Typeflag: tar.TypeSymlink, Name: "link", Linkname: bad + ".txt"}, regular("last", "l", 0o644))
	write(t, dir+"/last", "l", 0o644)
	f := newFetcher(t)
	for kind, r := range map[string]*Resolved{"archive": archived(t, f, tarball(t, headers...)), "git": committed(t, f, dir)} {
		dest := t.TempDir()
		found, err := f.Export(t.Context(), r, dest)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"f": "-rw-r--r-- f", "last": "-rw-r--r-- l"}, listing(t, dest)); diff != "" {
			t.Errorf("%s:\n%s", kind, diff)
		}
		slices.Sort(found.LeftOut)
		if diff := cmp.Diff([]string{bad + ".txt", "link", "sub/" + bad + "/deep/file"}, found.LeftOut); diff != "" {
			t.Errorf("%s:\n%s", kind, diff)
		}
	}
}

func TestPointersOfLFSAreFound(t *testing.T) {
	pointer := lfsPointer + "oid sha256:" + strings.Repeat("0", 64) + "\nsize 12345\n"
	files := map[string]string{"logo.bin": pointer, "deep/x": pointer, "spec.md": lfsPointer + strings.Repeat("a long text about it ", 100), "short": lfsPointer[:20], "empty": ""}
	dir := t.TempDir()
	var headers []tar.Header
	for name, text := range files {
		write(t, filepath.Join(dir, name), text, 0o644)
		headers = append(headers, regular(name, text, 0o644))
	}
	f := newFetcher(t)
	for kind, r := range map[string]*Resolved{"archive": archived(t, f, tarball(t, headers...)), "git": committed(t, f, dir)} {
		dest := t.TempDir()
		found, err := f.Export(t.Context(), r, dest)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(found.Pointers)
		if diff := cmp.Diff([]string{"deep/x", "logo.bin"}, found.Pointers); diff != "" {
			t.Errorf("%s:\n%s", kind, diff)
		}
		for name, text := range files {
			if got, _ := os.ReadFile(filepath.Join(dest, name)); string(got) != text {
				t.Errorf("%s: %s is %q", kind, name, got)
			}
		}
	}
}

// sparse is a tar file by GNU tar's older rule for files with holes: one file of size bytes that has text at offset.
func sparse(name, text string, offset, size int) []byte {
	h := make([]byte, 512)
	copy(h, name)
	octal := func(at, width, n int) { copy(h[at:], fmt.Sprintf("%0*o\x00", width-1, n)) }
	octal(100, 8, 0o644)
	octal(108, 8, 0)
	octal(116, 8, 0)
	octal(124, 12, len(text))
	octal(136, 12, 0)
	h[156] = tar.TypeGNUSparse
	copy(h[257:], "ustar  \x00")
	octal(386, 12, offset)
	octal(398, 12, len(text))
	octal(410, 12, size)
	octal(422, 12, 0)
	octal(483, 12, size)
	copy(h[148:], "        ")
	check := 0
	for _, b := range h {
		check += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", check))
	body := make([]byte, (len(text)+511)/512*512)
	copy(body, text)
	return slices.Concat(h, body, make([]byte, 1024))
}

func TestSparseFilesOfGNUTar(t *testing.T) {
	f := newFetcher(t)
	dest := t.TempDir()
	if _, err := f.Export(t.Context(), archived(t, f, sparse("disk.img", "data", 8192, 16384)), dest); err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 16384)
	copy(want[8192:], "data")
	if got, err := os.ReadFile(dest + "/disk.img"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

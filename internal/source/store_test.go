package source

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// damages are what disks and people do to a file.
var damages = map[string]func(t *testing.T, file string){
	"another content": func(t *testing.T, file string) { overwrite(t, file, []byte("EVIL")) },
	"nothing":         func(t *testing.T, file string) { overwrite(t, file, nil) },
	"half of it":      func(t *testing.T, file string) { overwrite(t, file, contents(t, file)[:len(contents(t, file))/2]) },
	"a flipped bit": func(t *testing.T, file string) {
		text := contents(t, file)
		text[len(text)/2] ^= 1
		overwrite(t, file, text)
	},
	"a folder":            func(t *testing.T, file string) { place(t, file, os.Mkdir(rm(t, file), 0o755)) },
	"a pipe":              func(t *testing.T, file string) { place(t, file, syscall.Mkfifo(rm(t, file), 0o644)) },
	"a link into nothing": func(t *testing.T, file string) { place(t, file, os.Symlink("/nowhere", rm(t, file))) },
	"no file":             func(t *testing.T, file string) { rm(t, file) },
}

func rm(t *testing.T, file string) string {
	t.Helper()
	place(t, file, os.RemoveAll(file))
	return file
}

func place(t *testing.T, file string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func overwrite(t *testing.T, file string, text []byte) {
	t.Helper()
	place(t, file, errors.Join(os.Chmod(file, 0o644), os.WriteFile(file, text, 0o644)))
}

func contents(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	place(t, file, err)
	return text
}

// exported fetches and exports a source and gives what one file of it says.
func exported(t *testing.T, f *Fetcher, r *Resolved, file string) (string, error) {
	t.Helper()
	if err := f.Fetch(context.Background(), r); err != nil {
		return "", err
	}
	dest := filepath.Join(t.TempDir(), "tree")
	if _, err := f.Export(context.Background(), r, dest); err != nil {
		return "", err
	}
	return string(contents(t, filepath.Join(dest, file))), nil
}

// Whatever happened to an archive in the store, the tree that comes out of it is the right one.
func TestADamagedArchiveIsFetchedAgain(t *testing.T) {
	tar := tarball(t, regular("p/hello.txt", "genuine", 0o644))
	from := filepath.Join(t.TempDir(), "p.tar.gz")
	place(t, from, os.WriteFile(from, tar, 0o644))
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			f := newFetcher(t)
			f.Offline = true // it is a file of this machine
			r := resolve(t, &Overrides{}, Archive{URL: "file://" + from, SHA256: sum(tar), Strip: 1})
			if got, err := exported(t, f, r, "hello.txt"); got != "genuine" {
				t.Fatal(got, err)
			}
			damage(t, f.archiveFile(r.Source.(Archive)))
			if got, err := exported(t, f, r, "hello.txt"); got != "genuine" {
				t.Errorf("after the damage: %q, %v", got, err)
			}
		})
	}
}

// What cannot be fetched again is refused, and stays for whoever wants to look at it.
func TestADamagedArchiveIsRefusedOffline(t *testing.T) {
	f := newFetcher(t)
	f.Offline = true
	a := Archive{URL: "https://example.org/p.tar", SHA256: strings.Repeat("0", 64)}
	place(t, "", os.MkdirAll(filepath.Dir(f.archiveFile(a)), 0o755))
	place(t, "", os.WriteFile(f.archiveFile(a), []byte("EVIL"), 0o644))
	_, err := exported(t, f, resolve(t, &Overrides{}, a), "x")
	if !errors.As(err, new(*DamagedError)) || !strings.Contains(err.Error(), f.archiveFile(a)) || !fileExists(f.archiveFile(a)) {
		t.Error(err)
	}
}

// Whatever happened to any file of a repository in the store, the tree that comes out is the commit's.
func TestADamagedRepositoryIsFetchedAgain(t *testing.T) {
	upstream, commits := repo(t, "genuine")
	write(t, upstream+"/below/a file", "deep", 0o755)
	run(t, upstream, "ln", "-s", "below/a file", "link")
	run(t, upstream, "git", "add", "-A")
	run(t, upstream, "git", "commit", "-qm", "more")
	commits = append(commits, run(t, upstream, "git", "rev-parse", "HEAD"))
	r := resolve(t, &Overrides{}, Git{URL: upstream, Commit: commits[1]})
	fresh := func(t *testing.T) (*Fetcher, string) {
		f := newFetcher(t)
		if got, err := exported(t, f, r, "below/a file"); got != "deep" {
			t.Fatal(got, err)
		}
		return f, f.repository(upstream)
	}
	_, sample := fresh(t)
	var files []string
	place(t, sample, filepath.WalkDir(sample, func(p string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(sample, p); err == nil && !d.IsDir() && !strings.HasPrefix(rel, "hooks/") {
			files = append(files, rel)
		}
		return err
	}))
	if len(files) < 8 {
		t.Fatalf("a repository of %q", files)
	}
	for _, file := range files {
		for name, damage := range damages {
			t.Run(file+"/"+name, func(t *testing.T) {
				t.Parallel()
				f, store := fresh(t)
				if len(contents(t, filepath.Join(store, file))) == 0 && (name == "half of it" || name == "a flipped bit") {
					return
				}
				damage(t, filepath.Join(store, file))
				for file, want := range map[string]string{"below/a file": "deep", "file": "genuine", "link": "deep"} {
					if got, err := exported(t, f, r, file); got != want {
						t.Errorf("%s after the damage: %q, %v", file, got, err)
					}
				}
			})
		}
	}
}

// An object of another content under its name is what git itself does not see.
func TestAReplacedObjectIsFound(t *testing.T) {
	upstream, commits := repo(t, "genuine")
	for what, object := range map[string][2]string{
		"HEAD:file":   {"blob", "EVIL-BYTES\n"},
		"HEAD^{tree}": {"tree", "100644 file\x00" + strings.Repeat("\x01", 20)},
		"HEAD":        {"commit", "tree " + strings.Repeat("1", 40) + "\nauthor a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\nx\n"},
	} {
		t.Run(object[0], func(t *testing.T) {
			f := newFetcher(t)
			r := resolve(t, &Overrides{}, Git{URL: upstream, Commit: commits[0]})
			if got, err := exported(t, f, r, "file"); got != "genuine" {
				t.Fatal(got, err)
			}
			id := run(t, upstream, "git", "rev-parse", what)
			var text bytes.Buffer
			z := zlib.NewWriter(&text)
			_, err := fmt.Fprintf(z, "%s %d\x00%s", object[0], len(object[1]), object[1])
			place(t, "", errors.Join(err, z.Close()))
			file := filepath.Join(f.repository(upstream), "objects", id[:2], id[2:])
			overwrite(t, file, text.Bytes())
			var said []string
			f.Notice = func(line string) { said = append(said, line) }
			offline := *f
			offline.Offline = true
			if got, err := exported(t, &offline, r, "file"); err == nil {
				t.Errorf("offline: %q", got)
			}
			if got, err := exported(t, f, r, "file"); got != "genuine" {
				t.Errorf("after the damage: %q, %v", got, err)
			}
			if len(said) != 1 || !strings.Contains(said[0], "damaged") {
				t.Errorf("said %q", said)
			}
		})
	}
}

package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/unchanged"
)

// A build with nothing to do is answered by what the last one said, until any one thing that it looked at is another.
func TestABuildOfNothingIsAnsweredUntilSomethingChanges(t *testing.T) {
	w := setUp(t)
	here := *w
	here.bin = filepath.Join(w.checkout, "out", "mage", "mage")
	b, err := os.ReadFile(w.bin)
	check(t, errors.Join(err, os.MkdirAll(filepath.Dir(here.bin), 0o755), os.WriteFile(here.bin, b, 0o755)))
	words := []string{"recipe:build", "demo"}
	overrides := filepath.Join(w.checkout, "overrides.toml")
	cmd, _ := here.command(t.Context(), words...)
	call := unchanged.Call{Root: w.checkout, Program: here.bin, Words: words, Environ: cmd.Environ()}
	settle := func() (said string) {
		t.Helper()
		for range 5 {
			said = here.mustRun(t, words...)
			if got, ok := call.Repeat(time.Now()); ok {
				if string(got) != said {
					t.Errorf("answered %q, want %q", got, said)
				}
				return said
			}
			time.Sleep(100 * time.Millisecond) // what was just written is too young to be believed
		}
		t.Fatalf("it is never answered; the build says\n%s", said)
		return ""
	}
	if said := settle(); !strings.Contains(said, "no compiler ran") {
		t.Fatal(said)
	}
	for name, change := range map[string]func() error{
		"a source":              touch(filepath.Join(w.checkout, "recipes/demo/hello/src/main.rs")),
		"a new file beside one": create(filepath.Join(w.checkout, "recipes/demo/hello/src/new.txt")),
		"its recipe":            touch(filepath.Join(w.checkout, "recipes/demo/recipe.toml")),
		"another recipe":        touch(filepath.Join(w.checkout, "recipes/kibi/recipe.toml")),
		"a new recipe":          create(filepath.Join(w.checkout, "recipes/new/recipe.toml")),
		"a patch":               touch(filepath.Join(w.checkout, "patches/libc/0001-open-mode.toml")),
		"a target":              touch(filepath.Join(w.checkout, "targets", target+".toml")),
		"the pin":               touch(filepath.Join(w.checkout, "toolchain/toolchain.toml")),
		"overrides":             create(overrides),
		"a source under edit":   func() error { return os.MkdirAll(filepath.Join(w.checkout, "out", "src"), 0o755) },
		"what was exported":     touch(filepath.Join(w.checkout, "out", target, "demo/root/bin/hello")),
		"more in the export":    create(filepath.Join(w.checkout, "out", target, "demo/root/bin/more")),
		"a program of another":  touch(here.bin),
		"who may write":         func() error { return os.Chmod(filepath.Join(w.cache, "actions"), 0o700) },
		"a result": func() error {
			results := action.OpenCache(filepath.Join(w.cache, "actions"))
			_, err := results.Walk(func(d cas.Digest, r action.Result, _ fs.FileInfo) error {
				if !strings.HasPrefix(r.Node, "demo/strip/") {
					return nil
				}
				return results.Forget(d)
			})
			return err
		},
		"a blob of a result": func() error {
			program, err := cas.DigestFile(filepath.Join(w.checkout, "out", target, "demo/root/bin/hello"))
			return errors.Join(err, os.Remove(filepath.Join(w.cache, "cas/sha256", program.Hash[:2], program.Hash)))
		},
		"what was collected": func() error { return os.Remove(filepath.Join(w.cache, "cas/generation")) },
	} {
		t.Run(name, func(t *testing.T) {
			check(t, change())
			if said, ok := call.Repeat(time.Now()); ok {
				t.Errorf("answered all the same: %s", said)
			}
			check(t, errors.Join(os.RemoveAll(overrides), os.RemoveAll(filepath.Join(w.checkout, "recipes/new")), os.RemoveAll(filepath.Join(w.checkout, "recipes/demo/hello/src/new.txt"))))
			settle()
		})
	}
	check(t, os.Chmod(filepath.Join(w.cache, "actions"), 0o755))
}

func touch(path string) func() error {
	return func() error { now := time.Now(); return os.Chtimes(path, now, now) }
}

func create(path string) func() error {
	return func() error {
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644))
	}
}

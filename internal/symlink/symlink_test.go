package symlink

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/symlink/symlinktest"
)

func TestResolve(t *testing.T) {
	links := map[string]string{
		"bin": "usr/bin", "abs": "/usr/bin", "x/up": "..", "x/out": "up/..", "loop": "loop2", "loop2": "loop", "self": ".", "deep": "usr/../usr/./bin//",
		"a": "x/up/bin", "gone": "nothing/here", "far": "x/../../y",
	}
	readlink := func(p string) (string, bool) { target, ok := links[p]; return target, ok }
	for p, want := range map[string]string{
		"bin/sh": "usr/bin/sh", "abs/sh": "usr/bin/sh", "x/up/bin": "usr/bin", "self/self/self/x": "x", "deep": "usr/bin", "a/sh": "usr/bin/sh",
		"gone/x": "nothing/here/x", "/bin/sh": "usr/bin/sh", "": ".", "x/up": ".",
		"x/out": "x/out leads out of the tree, by way of x/up -> ..", "x/out/y": "x/out/y leads out of the tree, by way of x/up -> ..", "..": ".. leads out of the tree", "x/up/../y": "x/up/../y leads out of the tree, by way of x/up -> ..",
		"far": "far -> x/../../y leads out of the tree", "loop": "loop: too many links, or links in a circle",
	} {
		got, err := Resolve(readlink, p)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", p, got, want)
		}
	}
	var names []string
	for _, e := range Leaving(links) {
		names = append(names, e.Path)
	}
	if got := strings.Join(names, " "); got != "far x/out" {
		t.Errorf("leaving: %s", got)
	}
}

// Package os follows links in a folder without leaving it, by asking the kernel at each step: about generated trees the two
// agree where a path ends and whether it leads out. With absolute targets os refuses more, so that these are left out.
func TestOSAgrees(t *testing.T) {
	var same, out int
	for seed := range uint64(1000) {
		tree := symlinktest.Generate(rand.New(rand.NewPCG(seed, 0)), false)
		dir := t.TempDir()
		if err := tree.Make(dir); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range tree.Probes() {
			got, err := Resolve(In(root), p)
			want, osErr := root.Stat(p)
			escapes := osErr != nil && strings.Contains(osErr.Error(), "escapes")
			switch {
			case escapes:
				out++
				if !errors.As(err, new(*LeavesError)) {
					t.Errorf("seed %d: %s ends at %q, %v; for os it leads out of %v", seed, p, got, err, tree)
				}
			case osErr == nil:
				same++
				there, statErr := os.Lstat(filepath.Join(dir, got))
				if err != nil || statErr != nil || !os.SameFile(want, there) {
					t.Errorf("seed %d: %s ends at %q, %v; for os elsewhere in %v", seed, p, got, err, tree)
				}
			}
		}
		if err := root.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if same < 1000 || out < 1000 {
		t.Errorf("%d ends and %d ways out were compared: the generator gives too few", same, out)
	}
}

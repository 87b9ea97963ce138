package execroot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func sharedSpec(t *testing.T, r *Runner, key string) Spec {
	t.Helper()
	in := inputs(t, r, map[string]string{"std/lib/a": "rlib\n", "src/main": "source\n"})
	return Spec{Action: shell("cat std/lib/a src/main >out/f", in), Key: key, Shared: []string{"std"}}
}

func TestSharedFoldersAreLaidOutOnce(t *testing.T) {
	r := newRunner(t)
	for _, key := range []string{"one/key", "two/key", ""} {
		if got := mustRun(t, r, sharedSpec(t, r, key)); got != "rlib\nsource\n" {
			t.Errorf("%q: %q", key, got)
		}
	}
	trees, err := filepath.Glob(filepath.Join(r.Dir, sharedName, "*", "tree", "lib", "a"))
	if err != nil || len(trees) != 1 {
		t.Fatalf("%v %v", trees, err)
	}
	for _, key := range []string{"one/key", "two/key"} {
		if to, err := os.Readlink(filepath.Join(r.Dir, key, "std")); err != nil || !strings.HasPrefix(trees[0], to+"/") {
			t.Errorf("%s has no link to it: %q %v", key, to, err)
		}
	}
	// A copy that an exec root of before has makes way.
	dir := filepath.Join(r.Dir, "one/key", "std")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := mustRun(t, r, sharedSpec(t, r, "one/key")); got != "rlib\nsource\n" {
		t.Errorf("with a copy in the way: %q", got)
	}
}

func TestSharedFolderIsMended(t *testing.T) {
	r := newRunner(t)
	mustRun(t, r, sharedSpec(t, r, "one/key"))
	trees, _ := filepath.Glob(filepath.Join(r.Dir, sharedName, "*", "tree"))
	for _, damage := range []func() error{
		func() error { return os.WriteFile(filepath.Join(trees[0], "lib/a"), []byte("other\n"), 0o644) },
		func() error { return os.Remove(filepath.Join(trees[0], "lib/a")) },
		func() error { return os.WriteFile(filepath.Join(trees[0], "lib/b"), nil, 0o644) },
		func() error { return os.RemoveAll(trees[0]) },
	} {
		time.Sleep(100 * time.Millisecond) // so that the stat cache knows the files
		mustRun(t, r, sharedSpec(t, r, "one/key"))
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		if got := mustRun(t, r, sharedSpec(t, r, "two/key")); got != "rlib\nsource\n" {
			t.Errorf("%q", got)
		}
		if _, err := os.Stat(filepath.Join(trees[0], "lib/b")); err == nil {
			t.Error("a stray file stays")
		}
	}
}

// A folder in use is not removed under the command; afterwards it can be.
func TestSharedFolderInUseStays(t *testing.T) {
	r := newRunner(t)
	s := sharedSpec(t, r, "one/key")
	s.Action.Args[2] = "echo up >%{root}/up; while [ ! -e %{root}/go ]; do sleep 0.01; done; cat std/lib/a >out/f"
	s.State = []string{"up", "go"}
	done := make(chan string)
	go func() { done <- mustRun(t, r, s) }()
	root := filepath.Join(r.Dir, "one/key")
	for _, err := os.Stat(filepath.Join(root, "up")); err != nil; _, err = os.Stat(filepath.Join(root, "up")) {
		time.Sleep(time.Millisecond)
	}
	remove := func(want bool) {
		t.Helper()
		folders, err := r.Folders()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range folders {
			if filepath.Base(filepath.Dir(f.Path)) != sharedName {
				continue
			}
			if removed, err := r.Remove(f); removed != want || err != nil {
				t.Errorf("removed %v, want %v (%v)", removed, want, err)
			}
			return
		}
		t.Error("it is not among the folders")
	}
	remove(false)
	if err := os.WriteFile(filepath.Join(root, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got != "rlib\n" {
		t.Errorf("%q", got)
	}
	remove(true)
	if got := mustRun(t, r, sharedSpec(t, r, "one/key")); got != "rlib\nsource\n" {
		t.Errorf("after the removal: %q", got)
	}
}

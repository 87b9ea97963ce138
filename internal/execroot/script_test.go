package execroot

import (
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
)

// A checkout that is used with two caches in turn keeps the scripts of both: what failed in one can still be repeated.
func TestScriptOfAnotherCacheIsKept(t *testing.T) {
	log := filepath.Join(t.TempDir(), "demo.programs.log")
	script := func(name string) string {
		t.Helper()
		said, err := exec.Command("/bin/sh", name).CombinedOutput()
		var failed *exec.ExitError
		if err != nil && !errors.As(err, &failed) {
			t.Fatal(err)
		}
		return string(said)
	}
	fail := func(r *Runner, word string) {
		t.Helper()
		s := Spec{Action: shell("echo "+word+"; exit 1", inputs(t, r, nil)), LogPath: log, Log: io.Discard}
		if _, err := r.Run(t.Context(), s, collectOut(r)); err == nil {
			t.Fatal("it does not fail")
		}
	}
	one, two := newRunner(t), newRunner(t)
	path := filepath.Join(filepath.Dir(log), "demo.programs.sh")
	kept := func(want int) []string {
		t.Helper()
		others, _ := filepath.Glob(filepath.Join(filepath.Dir(log), "demo.programs.*.sh"))
		if len(others) != want {
			t.Fatalf("%d kept scripts %v, want %d", len(others), others, want)
		}
		return others
	}
	fail(one, "first")
	fail(one, "second")
	kept(0)
	fail(two, "third")
	if got := script(path) + script(kept(1)[0]); got != "third\nsecond\n" {
		t.Errorf("%q", got)
	}
	fail(one, "fourth")
	if got := script(path) + script(kept(1)[0]); got != "fourth\nthird\n" {
		t.Errorf("%q", got)
	}
}

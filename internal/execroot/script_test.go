package execroot

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A checkout that is used with two caches in turn keeps logs and scripts of both: what failed in one can still be repeated.
func TestLogAndScriptOfAnotherCacheAreKept(t *testing.T) {
	log := filepath.Join(t.TempDir(), "demo.programs.log")
	script := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(strings.TrimSuffix(name, ".sh") + ".log")
		if err != nil {
			t.Fatal(err)
		}
		said, err := exec.Command("/bin/sh", name).CombinedOutput()
		var failed *exec.ExitError
		if err != nil && !errors.As(err, &failed) {
			t.Fatal(err)
		}
		return string(text) + ": " + string(said)
	}
	fail := func(r *Runner, word string) {
		t.Helper()
		r.KeepOther(log)
		if err := os.WriteFile(log, []byte("log of "+word), 0o644); err != nil {
			t.Fatal(err)
		}
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
	if got := script(path) + script(kept(1)[0]); got != "log of third: third\nlog of second: second\n" {
		t.Errorf("%q", got)
	}
	fail(one, "fourth")
	if got := script(path) + script(kept(1)[0]); got != "log of fourth: fourth\nlog of third: third\n" {
		t.Errorf("%q", got)
	}
}

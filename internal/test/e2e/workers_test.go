package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/test/wants"
)

// Workers with neither network nor a file system of their own compile and link what was changed, to the bytes that are made here.
func TestWorkersMakeTheSameBytes(t *testing.T) {
	wants.BuildBox.On(t)
	w := setUp(t)
	other := w.another(t)
	server := startCASD(t, filepath.Join(t.TempDir(), "casd")) // that of the world is killed by the tests of the cache
	t.Cleanup(server.stop)
	other.env = []string{"REDOX_REMOTE_EXECUTOR=" + server.address}
	// It has all results, and nothing that cargo keeps.
	for _, name := range []string{"actions", "cas"} {
		copyTree(t, filepath.Join(w.cache, name), filepath.Join(other.cache, name), nil)
	}
	change := func(w *world, to func(text []byte) []byte) {
		t.Helper()
		file := filepath.Join(w.checkout, "recipes/demo/hello/src/main.rs")
		text, err := os.ReadFile(file)
		check(t, err)
		check(t, os.WriteFile(file, to(text), 0o644))
		t.Cleanup(func() { check(t, os.WriteFile(file, text, 0o644)) })
	}
	addition := func(text []byte) []byte {
		return fmt.Appendf(text, "\n#[unsafe(no_mangle)]\npub extern \"C\" fn added_by_a_test() -> u64 { %d }\n", os.Getpid())
	}
	change(w, addition)
	change(other, addition)
	out := other.mustRun(t, "demo")
	here := w.mustRun(t, "demo")
	if got, want := other.imageDigest(t), w.imageDigest(t); got != want {
		t.Errorf("workers made %s, here %s\n%s\n%s", got, want, out, here)
	}
	if ran := regexp.MustCompile(`workers ran (\d+) steps\n`).FindStringSubmatch(out); ran == nil || len(ran[1]) > 2 {
		t.Errorf("it does not say what workers ran:\n%s", out)
	}
	for _, step := range []string{"demo.programs", "demo.programs.link.hello"} {
		log, err := os.ReadFile(filepath.Join(other.checkout, "out", target, "log", step+".log"))
		if err != nil || !bytes.HasPrefix(log, []byte("ran on a worker")) {
			t.Errorf("%s: %v, %.200q", step, err, log)
		}
	}
	other.mustRun(t, "cache:verify")
	if out := other.mustRun(t, "demo"); !strings.Contains(out, "no compiler ran") {
		t.Errorf("a build with nothing to do:\n%s", out)
	}

	// A failure is shown as one of this machine is, is not built again here, and the script repeats it here.
	change(other, func(text []byte) []byte { return append(text, "fn wrong() -> u32 {\n    \"two\"\n}\n"...) })
	out = other.mustFail(t, "recipe:build", "demo")
	shown(t, out, "error[E0308]: mismatched types\n", "--> recipes/demo/hello/src/main.rs:", "    \"two\"\n", "demo/programs failed: recipes/demo/hello/src/main.rs:")
	script := filepath.Join(other.checkout, "out", target, "log", "demo.programs.sh")
	text, err := os.ReadFile(script)
	check(t, err)
	if !strings.Contains(string(text), "# It ran on a worker") {
		t.Errorf("the script does not say where it ran:\n%s", text)
	}
	if again, err := exec.Command("/bin/sh", script).CombinedOutput(); err == nil || !strings.Contains(string(again), "E0308") {
		t.Errorf("the script does not repeat it: %v\n%s", err, again)
	}
}

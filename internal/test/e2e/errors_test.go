package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A failed compile shows every error in rustc's own words, at the files that the user can open, and a failed link what was not found.
func TestAFailedCompileShowsWhatTheToolsSay(t *testing.T) {
	w := setUp(t)
	file := filepath.Join(w.checkout, "recipes/demo/hello/src/main.rs")
	before, err := os.ReadFile(file)
	check(t, err)
	defer func() { check(t, os.WriteFile(file, before, 0o644)) }()
	line := bytes.Count(before, []byte("\n")) + 1
	// Another name each time: the cache may be one that has outlived a run of the tests.
	name := fmt.Sprintf("wrong_%d", time.Now().UnixNano())
	wrong := append(bytes.Clone(before), fmt.Sprintf("fn %s() -> u32 {\n    \"two\"\n}\n\nfn other() -> u8 {\n    true\n}\n", name)...)
	check(t, os.WriteFile(file, wrong, 0o644))
	place := fmt.Sprintf("recipes/demo/hello/src/main.rs:%d:5", line+1)
	out := w.mustFail(t, "recipe:build", "demo")
	shown(t, out, "error[E0308]: mismatched types\n", "--> "+place+"\n", fmt.Sprintf("%d |     \"two\"\n", line+1), "\n   |     ^^^^^ expected `u32`, found `&str`",
		"^^^^ expected `u8`, found `bool`", "demo/programs failed: "+place+": error[E0308]")
	if strings.Contains(out, "could not compile") || strings.Contains(out, "\x1b[") {
		t.Errorf("there is more than the errors:\n%s", out)
	}
	out = w.mustFail(t, "-v", "recipe:build", "demo")
	shown(t, out, fmt.Sprintf("demo/programs| %d |     \"two\"\n", line+1), "demo/programs|    |     ^^^^^ expected")

	// An override's file, and a copy of one that a submodule or patch would have changed, are named by their own paths.
	folder := t.TempDir()
	copyTree(t, filepath.Join(w.checkout, "recipes/demo"), folder, func(p string) bool { return p == "recipe.toml" })
	overrides := filepath.Join(w.checkout, "overrides.toml")
	check(t, os.WriteFile(overrides, []byte("[source.demo]\ndir = \""+folder+"\"\n"), 0o644))
	defer os.Remove(overrides)
	shown(t, w.mustFail(t, "recipe:build", "demo"), fmt.Sprintf("--> %s:%d:5\n", filepath.Join(folder, "hello/src/main.rs"), line+1))
	check(t, os.Remove(overrides))

	undefined := bytes.Replace(before, []byte("    0\n}"), fmt.Appendf(nil, "    unsafe { %s() }\n}\nunsafe extern \"C\" { fn %s() -> c_int; }", name, name), 1)
	check(t, os.WriteFile(file, undefined, 0o644))
	out = w.mustFail(t, "recipe:build", "demo")
	shown(t, out, "rust-lld: error: undefined symbol: "+name, ">>> referenced by ", "demo/programs/link/hello failed")
}

func shown(t *testing.T, out string, all ...string) {
	t.Helper()
	for _, want := range all {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
}

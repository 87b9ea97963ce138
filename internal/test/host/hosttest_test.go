package host

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/test/wants"

	"github.com/pannous/redox-clif/internal/patch"
)

// patchesDir holds the series, as seen from this package's folder.
const patchesDir = "../../../patches"

// patched copies the source that the variable names and applies a series to the copy. without names
// files of the series to leave out, to see that a test fails without them.
func patched(t *testing.T, variable wants.Variable, series string, without ...string) string {
	t.Helper()
	source := variable.On(t)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	s, err := patch.Load(os.DirFS(patchesDir), series)
	if err != nil {
		t.Fatal(err)
	}
	kept := s.Patches[:0]
	for _, p := range s.Patches {
		if !contains(without, p.Name) {
			kept = append(kept, p)
		}
	}
	s.Patches = kept
	tree, err := patch.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	report, err := patch.Apply(context.Background(), s, tree, patch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(series, report.Summary())
	return dir
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// cargo runs cargo for the host and returns all it printed. Copies of one source can share the target
// folder, so that their dependencies are compiled once.
func cargo(t *testing.T, dir, target string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("cargo")
	if err != nil {
		t.Skip("there is no cargo")
	}
	// rustup's cargo is there without a toolchain, too.
	if err := exec.Command(path, "-V").Run(); err != nil {
		t.Skip("cargo has no toolchain")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), "CARGO_TARGET_DIR="+target, "CARGO_TERM_COLOR=never", "CARGO_INCREMENTAL=0",
		"CARGO_PROFILE_RELEASE_LTO=off", "CARGO_PROFILE_DEV_DEBUG=false", "CARGO_PROFILE_TEST_DEBUG=false")
	err = cmd.Run()
	return out.String(), err
}

// write replaces a file of a copied source.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// mustContain looks for all of want in what a program printed.
func mustContain(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("%q is missing in:\n%s", w, out)
		}
	}
}

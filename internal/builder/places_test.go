package builder

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/diagnostic"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// An error names the user's file where the copy that was compiled is the same, else the copy; what no file is found for keeps its name.
func TestErrorsNameFilesThatCanBeOpened(t *testing.T) {
	root, own, home := t.TempDir(), t.TempDir(), t.TempDir()
	for path, text := range map[string]string{
		filepath.Join(root, "src/ws/a/same.rs"): "x", filepath.Join(own, "ws/a/same.rs"): "x",
		filepath.Join(root, "src/ws/patched.rs"): "x", filepath.Join(own, "ws/patched.rs"): "y",
		filepath.Join(root, "target/made.rs"): "x", filepath.Join(home, "registry/c.rs"): "x",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := &recipe.Recipe{Name: "r", Dir: own, Source: recipe.Source{Path: "."}, Cargo: recipe.Cargo{Dir: "ws"}}
	b := New(Options{Sources: prepare.Options{Overrides: &source.Overrides{}, Roots: &execroot.Runner{Expand: map[string]string{toolenv.RustSrc: home}}}})
	for named, want := range map[string]string{
		"a/same.rs":                             filepath.Join(own, "ws/a/same.rs"),
		"/build/src/ws/a/same.rs":               filepath.Join(own, "ws/a/same.rs"),
		filepath.Join(root, "src/ws/a/same.rs"): filepath.Join(own, "ws/a/same.rs"),
		"patched.rs":                            filepath.Join(root, "src/ws/patched.rs"),
		"/build/target/made.rs":                 filepath.Join(root, "target/made.rs"),
		"/rustc/std/registry/c.rs":              filepath.Join(home, "registry/c.rs"),
		"/rustc/std/gone.rs":                    "/rustc/std/gone.rs",
		"gone.rs":                               "gone.rs",
	} {
		failed := &execroot.CommandError{Root: root, First: named + ":3:4: error: x",
			Messages: []diagnostic.Message{{Text: "error: x\n --> " + named + ":3:4", Place: diagnostic.Place{File: named, Line: 3, Col: 4}}}}
		places{b: b, r: r, dir: "src/ws"}.rename(failed)
		if got := failed.Messages[0]; got.Place.File != want || got.Text != "error: x\n --> "+want+":3:4" || failed.First != want+":3:4: error: x" {
			t.Errorf("%s: got %q and %q, want %s", named, got.Text, failed.First, want)
		}
	}
}

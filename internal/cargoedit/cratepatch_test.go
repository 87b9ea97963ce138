package cargoedit

import (
	"os"
	"path/filepath"
	"testing"
)

func TestPatchCrates(t *testing.T) {
	files := parse(t, "cratepatch")
	dir := extract(t, files)
	root := filepath.Join(dir, "src")
	report, err := PatchCrates(root, []CratePatch{
		{Name: "libc", Dir: filepath.Join(root, "_deps/libc"), As: "_deps/libc"},
		{Name: "idle", Dir: filepath.Join(root, "_deps/idle"), As: "_deps/idle"},
	})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "cratepatch", dir, files, report)
}

func TestPatchCratesOfAWorkspaceThatPatchesThemItself(t *testing.T) {
	files := parse(t, "cratepatch")
	root := filepath.Join(extract(t, files), "src")
	m, err := readManifest(filepath.Join(root, manifestName))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.doc.Set("elsewhere", "patch", "crates-io", "libc", "path"); err != nil {
		t.Fatal(err)
	}
	if err := m.save(); err != nil {
		t.Fatal(err)
	}
	if _, err := PatchCrates(root, []CratePatch{{Name: "libc", Dir: filepath.Join(root, "_deps/libc"), As: "_deps/libc"}}); err == nil {
		t.Error("two patches of one crate went through")
	}
}

func TestCompatible(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"0.2.149", "0.2.183", true}, {"0.1.9", "0.2.183", false}, {"1.0.0", "1.9.2", true}, {"1.0.0", "2.0.0", false},
		{"0.0.3", "0.0.4", false}, {"0.0.3", "0.0.3", true},
	} {
		if got := compatible(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %v", c.a, c.b, got)
		}
	}
}

func TestUnusedPatch(t *testing.T) {
	dir := t.TempDir()
	lock := "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"1.0.0\"\n\n[[patch.unused]]\nname = \"libc\"\nversion = \"0.2.171\"\n"
	if err := os.WriteFile(filepath.Join(dir, "Cargo.lock"), []byte(lock), 0o644); err != nil {
		t.Fatal(err)
	}
	for crate, want := range map[string]string{"libc": "0.2.171", "app": "", "other": ""} {
		if got, err := UnusedPatch(dir, crate); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", crate, got, err, want)
		}
	}
}

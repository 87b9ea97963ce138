package cargoedit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEncloseBringsOutsideCratesIn(t *testing.T) {
	tree := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		p := filepath.Join(tree, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("boot/Cargo.toml", "[package]\nname = \"boot\"\n[workspace]\nexclude = [\"x\"]\n[dependencies]\nfs = { path = \"../lib/fs\", features = [] } # kept\nin = { path = \"in\" }\n")
	put("boot/in/Cargo.toml", "[package]\nname = \"in\"\n")
	put("lib/fs/Cargo.toml", "[package]\nname = \"fs\"\n[dependencies]\nbase = { path = \"../base\" }\n[dev-dependencies]\ntesting = { path = \"../../testing\" }\n")
	put("lib/fs/src/lib.rs", "")
	put("lib/base/Cargo.toml", "[package]\nname = \"base\"\n")
	root := filepath.Join(tree, "boot")
	report, err := Enclose(tree, root)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(filepath.Join(root, "Cargo.toml"))
	for _, want := range []string{`path = "_deps/lib-fs"`, "# kept", `exclude = ["x", "_deps"]`, `path = "in"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	inner, err := os.ReadFile(filepath.Join(root, "_deps/lib-fs/Cargo.toml"))
	if err != nil || !strings.Contains(string(inner), `path = "../lib-base"`) {
		t.Errorf("the copied crate still reaches outside: %s %v", inner, err)
	}
	if len(report.Edits) != 3 {
		t.Errorf("edits: %+v", report.Edits)
	}
	again, err := Enclose(tree, root)
	if err != nil || !again.Empty() {
		t.Errorf("a second run changed something: %+v %v", again, err)
	}
}

func TestEncloseKeepsCratesApart(t *testing.T) {
	tree := t.TempDir()
	for name, text := range map[string]string{
		"boot/Cargo.toml": "[package]\nname = \"boot\"\n[dependencies]\nx = { path = \"../a/b\" }\ny = { path = \"../a-b\" }\n",
		"a/b/Cargo.toml":  "[package]\nname = \"x\"\n",
		"a-b/Cargo.toml":  "[package]\nname = \"y\"\n",
	} {
		if err := os.MkdirAll(filepath.Join(tree, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Enclose(tree, filepath.Join(tree, "boot")); err != nil {
		t.Fatal(err)
	}
	x, _ := os.ReadFile(filepath.Join(tree, "boot/_deps/a-b/Cargo.toml"))
	y, _ := os.ReadFile(filepath.Join(tree, "boot/_deps/a-b_/Cargo.toml"))
	if len(x) == 0 || len(y) == 0 || string(x) == string(y) {
		t.Errorf("two crates are one: %q and %q", x, y)
	}
}

func TestEncloseRefusesAFolderAroundTheWorkspace(t *testing.T) {
	tree := t.TempDir()
	root := filepath.Join(tree, "fuzz")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"Cargo.toml": "[package]\nname = \"top\"\n", "fuzz/Cargo.toml": "[dependencies]\ntop = { path = \"..\" }\n"} {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Enclose(tree, root); err == nil || !strings.Contains(err.Error(), "copied into itself") {
		t.Errorf("got %v", err)
	}
}

func TestEncloseRefusesToLeaveTheSource(t *testing.T) {
	tree := t.TempDir()
	if err := os.WriteFile(filepath.Join(tree, "Cargo.toml"), []byte("[dependencies]\nx = { path = \"../../etc\" }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Enclose(tree, tree); err == nil || !strings.Contains(err.Error(), "leaves the source") {
		t.Errorf("got %v", err)
	}
}

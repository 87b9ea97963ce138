package cargoedit

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestReach(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"Cargo.toml":                 "[workspace]\nmembers = [\"apps/*\", \"lib\"]\nexclude = [\"_deps\"]\n[workspace.dependencies]\nlib = { path = \"lib\" }\n[patch.crates-io]\npatched = { path = \"_deps/patched\" }\n",
		"apps/a/Cargo.toml":          "[package]\nname = \"a\"\n[dependencies]\nlib.workspace = true\n",
		"apps/b/Cargo.toml":          "[package]\nname = \"b\"\n[target.'cfg(unix)'.dependencies]\nrt = { path = \"../../_deps/c/rt\", optional = true }\n[dev-dependencies]\na = { path = \"../a\" }\n",
		"lib/Cargo.toml":             "[package]\nname = \"lib\"\n",
		"_deps/c/Cargo.toml":         "[package]\nname = \"c\"\n[workspace]\n[workspace.dependencies]\nlow = { path = \"low\" }\n",
		"_deps/c/rt/Cargo.toml":      "[package]\nname = \"rt\"\n[dependencies]\nlow = { workspace = true }\n[dev-dependencies]\nc = { path = \"..\" }\n",
		"_deps/c/low/Cargo.toml":     "[package]\nname = \"low\"\n[build-dependencies]\nmissing = { path = \"../missing\" }\n",
		"_deps/patched/Cargo.toml":   "[package]\nname = \"patched\"\n",
		"_deps/unwanted/Cargo.toml":  "[package]\nname = \"unwanted\"\n",
		"apps/no-package/README.txt": "",
	} {
		p := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ packages, want []string }{
		{[]string{"a"}, []string{"_deps/patched", "apps/a", "lib"}},
		{[]string{"b"}, []string{"_deps/c/low", "_deps/c/rt", "_deps/patched", "apps/a", "apps/b", "lib"}},
		{[]string{"lib"}, []string{"_deps/patched", "lib"}},
		{nil, []string{"_deps/c/low", "_deps/c/rt", "_deps/patched", "apps/a", "apps/b", "lib"}},
	} {
		got, err := Reach(root, c.packages)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v (%v)", c.packages, got, c.want, err)
		}
	}
	if _, err := Reach(root, []string{"nobody"}); err == nil {
		t.Error("a package that is not there is no mistake")
	}
}

package source

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A user's registry may be a folder with the crates' files, which are in no file as they were published.
func TestAFolderInTheRegistrysPlace(t *testing.T) {
	home, vendor := t.TempDir(), t.TempDir()
	c := Crate{Name: "tiny", Version: "1.0.0", SHA256: strings.Repeat("0", 64)}
	put := func(name, text string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(home, "config.toml"), "[source.crates-io]\nreplace-with = 'a'\n[source.a]\nreplace-with = 'b'\n[source.b]\ndirectory = '"+vendor+"'\n")
	put(filepath.Join(vendor, "any name/Cargo.toml"), "[package]\n")
	put(filepath.Join(vendor, "any name/src/lib.rs"), "pub fn f() {}\n")
	digest := hexOf("pub fn f() {}\n")
	put(filepath.Join(vendor, "any name/.cargo-checksum.json"), `{"files":{"src/lib.rs":"`+digest+`"},"package":"`+c.SHA256+`"}`)
	f := &Fetcher{Store: t.TempDir(), CargoHome: home, Offline: true}
	if err := f.Crates(t.Context(), []Crate{c}, func() error { return errors.New("cargo was asked") }); err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	if err := f.ExportCrate(t.Context(), c, nil, dest); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dest, "src/lib.rs")); err != nil || string(text) != "pub fn f() {}\n" {
		t.Errorf("%q, %v", text, err)
	}
	only := t.TempDir()
	if err := f.ExportCrate(t.Context(), c, func(name string) bool { return name == "Cargo.toml" }, only); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(only, "*")); len(found) != 1 {
		t.Errorf("%q", found)
	}
	put(filepath.Join(vendor, "any name/src/lib.rs"), "pub fn g() {}\n")
	if err := f.ExportCrate(t.Context(), c, nil, t.TempDir()); err == nil || !strings.Contains(err.Error(), "any name/src/lib.rs") {
		t.Errorf("a changed file: %v", err)
	}
	other := Crate{Name: "other", Version: "1.0.0", SHA256: strings.Repeat("1", 64)}
	if err := f.Crates(t.Context(), []Crate{other}, func() error { return nil }); err == nil {
		t.Error("a crate that is nowhere was found")
	}
}

func hexOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

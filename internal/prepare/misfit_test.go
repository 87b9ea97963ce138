package prepare

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/cargoedit"
)

// An override of another version than the locked one is named with both, and one that cargo passes over stops the build.
func TestOverridesOfAnotherVersionAreNamed(t *testing.T) {
	const from = " git+https://h/libc.git?branch=redox#0123456789012345678901234567890123456789"
	change := func(file, locked, given string) cargoedit.LockChange {
		return cargoedit.LockChange{File: file, Name: "libc", From: locked, To: given}
	}
	for name, test := range map[string]struct {
		change cargoedit.LockChange
		lock   string
		note   string
		err    string
	}{
		"passed over": {change("Cargo.lock", "0.2.177"+from, "0.2.171"), "[[patch.unused]]\nname = \"libc\"\nversion = \"0.2.171\"\n",
			"locked to libc 0.2.177, and what takes the place of https://h/libc.git has libc 0.2.171", "it has libc 0.2.171, and the workspace, which is locked to 0.2.177,"},
		"taken":          {change("Cargo.lock", "0.2.177"+from, "0.2.178"), "", "locked to libc 0.2.177", ""},
		"the same":       {change("Cargo.lock", "0.2.177"+from, "0.2.177"), "[[patch.unused]]\nname = \"libc\"\nversion = \"0.2.177\"\n", "", ""},
		"of a test":      {change("tests/Cargo.lock", "0.2.177"+from, "0.2.171"), "[[patch.unused]]\nname = \"libc\"\nversion = \"0.2.171\"\n", "", ""},
		"the registry's": {change("Cargo.lock", "0.2.177"+from, "0.2.171 registry+https://github.com/rust-lang/crates.io-index"), "", "", ""},
		"removed":        {change("Cargo.lock", "0.2.177"+from, ""), "", "", ""},
		"another crate":  {change("Cargo.lock", "0.2.177"+from, "0.2.171"), "[[patch.unused]]\nname = \"other\"\nversion = \"1.0.0\"\n", "locked to libc", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "Cargo.lock"), []byte("version = 4\n"+test.lock), 0o644); err != nil {
				t.Fatal(err)
			}
			report := &cargoedit.Report{Lock: []cargoedit.LockChange{test.change}}
			if got := strings.Join(misfits(report), "\n"); !strings.Contains(got, test.note) || (test.note == "") != (got == "") {
				t.Errorf("note %q, want %q", got, test.note)
			}
			err := new(fitting).overridesAreUsed(dir, report)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}

package manifest

import (
	"io/fs"
	"strings"
	"testing"
)

func TestModesAreOctal(t *testing.T) {
	for mode, want := range map[string]fs.FileMode{"0755": 0o755, "4755": 0o4755, "0": 0} {
		f := File{Path: "bin/su", Mode: mode}
		if got, err := f.Perm(); err != nil || got != want {
			t.Errorf("%s: %o, %v", mode, got, err)
		}
	}
	for _, mode := range []string{"", "rwx", "0798", "10000"} {
		f := File{Path: "bin/su", Mode: mode}
		if _, err := f.Perm(); err == nil || !strings.Contains(err.Error(), "bin/su") {
			t.Errorf("%q: %v", mode, err)
		}
	}
}

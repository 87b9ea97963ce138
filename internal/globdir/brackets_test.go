package globdir

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLogsInAFolderWithBrackets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a [x]")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"demo.programs.log", "demo.programs.sh", "demo-sysroot.libc.log"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := In(dir, "demo.*log")
	if err != nil || len(found) != 1 || filepath.Base(found[0]) != "demo.programs.log" {
		t.Errorf("got %q %v", found, err)
	}
	if found, err := In(filepath.Join(dir, "none"), "*"); err != nil || len(found) != 0 {
		t.Errorf("a folder that is not there: %q %v", found, err)
	}
}

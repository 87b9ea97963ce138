package disk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestInjectRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, files := range []string{file, file + ":x", ":/x", file + ":/x:8", file + ":/x:644x", file + ":/x:17777", file + ":/x:-1"} {
		if _, err := (InjectFlags{Files: files}).ops(); err == nil {
			t.Errorf("-files=%s is accepted", files)
		}
	}
}

func TestInjectOps(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("x"), 0o755); err != nil {
		t.Fatal(err)
	}
	ops, err := InjectFlags{Kernel: file, Files: file + ":/usr/bin/f," + file + ":/etc/f:0600"}.ops()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint16{}
	for _, op := range ops {
		got[op.Path] = *op.Mode
	}
	want := map[string]uint16{"/boot/kernel": 0o644, "/usr/lib/boot/kernel": 0o644, "/usr/bin/f": 0o755, "/etc/f": 0o600}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, files := range []string{"f", file + ":etc/f", file + ":/etc/f:9", file + "x:/etc/f"} {
		if _, err := (InjectFlags{Files: files}).ops(); err == nil {
			t.Errorf("%s was accepted", files)
		}
	}
}

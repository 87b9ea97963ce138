package reflink

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// A copy has the bytes and its own permissions, and is another file; where the file system cannot share, nothing is left.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := os.WriteFile(from, []byte("text"), 0o400); err != nil {
		t.Fatal(err)
	}
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := File(src, to, 0o755); err != nil {
		t.Log("this file system shares no blocks:", err)
		if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("something is left: %v", err)
		}
		return
	}
	info, err := os.Stat(to)
	if err != nil || info.Mode() != 0o755 {
		t.Fatalf("%v, %v", info, err)
	}
	if err := os.WriteFile(to, []byte("TEXT"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(from); err != nil || string(got) != "text" {
		t.Errorf("the original is %q, %v", got, err)
	}
}

// What is there already is not touched.
func TestFileThatIsThere(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	for name, text := range map[string]string{from: "text", to: "mine"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := File(src, to, 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(to); err != nil || string(got) != "mine" {
		t.Errorf("%q, %v", got, err)
	}
}

package reserve

import (
	"os"
	"path/filepath"
	"testing"
)

// What is reserved is no part of the file.
func TestReservingDoesNotChangeAFile(t *testing.T) {
	for _, size := range []int64{-1, 0, AtLeast - 1, AtLeast, 1 << 60} {
		path := filepath.Join(t.TempDir(), "f")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		File(f, size)
		if _, err := f.WriteString("text"); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "text" {
			t.Errorf("%d: %q %v", size, got, err)
		}
	}
}

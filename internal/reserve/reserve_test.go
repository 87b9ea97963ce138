package reserve

import (
	"bytes"
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

// What is sent to the disk early is the same file.
func TestWriterWritesAllOfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := &Writer{File: f}
	want := bytes.Repeat([]byte("0123456789abcdef"), (2*flushedAtOnce+100)/16)
	w.Reserve(int64(len(want)))
	for _, size := range []int{1, flushedAtOnce, 0, flushedAtOnce + 7, len(want)} {
		part := want[min(int(w.written), len(want)):min(int(w.written)+size, len(want))]
		if n, err := w.Write(part); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want %d (%v)", len(got), len(want), err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("a closed file was written to")
	}
}

package cas

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// damages are what can become of a file.
var damages = map[string]func(path string) error{
	"a flipped byte":  func(path string) error { return flipMiddle(path, time.Now()) },
	"an unseen flip":  func(path string) error { return flipMiddle(path, blobTime) },
	"emptied":         func(path string) error { return os.Truncate(path, 0) },
	"removed":         os.Remove,
	"a folder":        func(path string) error { return replaced(path, os.Mkdir(aside(path), 0o755)) },
	"a pipe":          func(path string) error { return replaced(path, unix.Mkfifo(aside(path), 0o644)) },
	"a dangling link": func(path string) error { return replaced(path, os.Symlink("nowhere", aside(path))) },
	"a loop":          func(path string) error { return replaced(path, os.Symlink(filepath.Base(path), aside(path))) },
	"no rights":       func(path string) error { return os.Chmod(path, 0) },
}

func aside(path string) string { return path + ".new" }

func replaced(path string, err error) error {
	if err == nil {
		err = os.Remove(path)
	}
	if err == nil {
		err = os.Rename(aside(path), path)
	}
	return err
}

func flipMiddle(path string, when time.Time) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	if err := os.Chmod(path, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(path, b, 0o444); err != nil {
		return err
	}
	return os.Chtimes(path, when, when)
}

// Whatever a blob has become, it is read right or counts as missing, and can be stored again.
func TestADamagedBlobIsStoredAgain(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			s, text := newStore(t), []byte("some text")
			d, err := s.PutBytes(text)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(s.path(d.Hash)); err != nil {
				t.Fatal(err)
			}
			if got, err := s.ReadAll(d); err == nil && !bytes.Equal(got, text) {
				t.Errorf("read %q", got)
			} else if err != nil && s.Has(d) {
				t.Errorf("it cannot be read (%v) and counts as there", err)
			}
			if _, err := s.PutBytes(text); err != nil {
				t.Fatal(err)
			}
			if got, err := s.ReadAll(d); err != nil || !bytes.Equal(got, text) {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
}

// The same of every file of a tree that is laid out, once with and once without what was known of it.
func TestADamagedFileOfALaidOutTreeIsMended(t *testing.T) {
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			source, dir := t.TempDir(), t.TempDir()
			write(t, source, "sub/file", "text")
			want, err := s.PutFolder(t.Context(), source, CaptureOptions{Store: true})
			if err != nil {
				t.Fatal(err)
			}
			stats := OpenStatCache(filepath.Join(t.TempDir(), "stats"))
			lay := func() {
				t.Helper()
				if err := s.Materialise(t.Context(), want, dir, stats, nil); err != nil {
					t.Fatal(err)
				}
			}
			lay()
			time.Sleep(2 * racyWindow)
			lay()
			if err := damage(filepath.Join(dir, "sub", "file")); err != nil {
				t.Fatal(err)
			}
			lay()
			if b, err := os.ReadFile(filepath.Join(dir, "sub", "file")); err != nil || string(b) != "text" {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func written(t *testing.T, entries ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range entries {
		if err := w.Add(name, 7, strings.NewReader("content")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func read(t *testing.T, file []byte) (names []string, err error) {
	t.Helper()
	err = Read(t.Context(), bytes.NewReader(file), func(name string, _ int64, body io.Reader) error {
		text, err := io.ReadAll(body)
		if err == nil && string(text) != "content" {
			t.Errorf("%s is %q", name, text)
		}
		names = append(names, name)
		return err
	})
	return names, err
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	file := written(t, "a/1", "a/2", "b/1")
	names, err := read(t, file)
	if err != nil || strings.Join(names, " ") != "a/1 a/2 b/1" {
		t.Errorf("%q, %v", names, err)
	}
	if !bytes.Equal(file, written(t, "a/1", "a/2", "b/1")) {
		t.Error("the same entries give other bytes")
	}
}

// Cut or changed anywhere, it is known.
func TestADamagedBundleIsRefused(t *testing.T) {
	file := written(t, "a/1", "a/2")
	for n := range file {
		if _, err := read(t, file[:n]); !errors.As(err, new(*DamagedError)) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	for n := range file {
		for _, bit := range []byte{1, 0x80} {
			changed := bytes.Clone(file)
			changed[n] ^= bit
			var got strings.Builder
			err := Read(t.Context(), bytes.NewReader(changed), func(name string, _ int64, body io.Reader) error {
				got.WriteString(name)
				_, err := io.Copy(&got, body)
				return err
			})
			if err == nil && got.String() == "a/1contenta/2content" {
				continue // the compressed form has bits that say nothing
			}
			if !errors.As(err, new(*DamagedError)) {
				t.Errorf("byte %d changed: %v", n, err)
			}
		}
	}
	if _, err := read(t, append(bytes.Clone(file), file...)); err == nil {
		t.Error("two behind each other are one")
	}
}

// packed is a bundle of any entries at all.
func packed(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, h := range append([]tar.Header{{Name: firstName, Size: 2}}, headers...) {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(firstText)[:h.Size]); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHostileNamesAreRefused(t *testing.T) {
	for _, name := range []string{"../a/b", "/etc/passwd", "a/../../b", "a//b", "a/./b", "a", "./a/b", "a\\b/c", ".."} {
		_, err := read(t, packed(t, tar.Header{Name: name}))
		if !errors.As(err, new(*DamagedError)) || !strings.Contains(err.Error(), "name of an entry") {
			t.Errorf("%q: %v", name, err)
		}
	}
	for what, headers := range map[string][]tar.Header{
		"twice":       {{Name: "a/b"}, {Name: "a/b"}},
		"order":       {{Name: "b/b"}, {Name: "a/b"}},
		"a link":      {{Name: "a/b", Typeflag: tar.TypeSymlink, Linkname: "/etc"}},
		"a folder":    {{Name: "a/b/", Typeflag: tar.TypeDir}},
		"without end": {},
	} {
		called := false
		err := Read(t.Context(), bytes.NewReader(packed(t, headers...)), func(name string, _ int64, _ io.Reader) error {
			called = called || what == "a link"
			return nil
		})
		if !errors.As(err, new(*DamagedError)) || called {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := read(t, []byte("no bundle")); !errors.As(err, new(*DamagedError)) {
		t.Error(err)
	}
}

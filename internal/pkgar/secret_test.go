package pkgar

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/secretkey"
)

// A secret key is not packed, whatever its name and packaging, encrypted or not; nothing of it is in the error.
func TestSecretKeyIsNotPacked(t *testing.T) {
	for _, pass := range []string{"", "phrase"} {
		data, err := testKey(t, 1).TOML(rand.Reader, []byte(pass))
		if err != nil {
			t.Fatal(err)
		}
		for _, packaging := range []Packaging{Raw, LZMA2} {
			dir := t.TempDir()
			if err := errors.Join(os.MkdirAll(filepath.Join(dir, "usr/share"), 0o755), os.WriteFile(filepath.Join(dir, "usr/share/notes.txt"), data, 0o644)); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "x.pkgar")
			_, err := CreateFile(t.Context(), out, dir, CreateOptions{Key: testKey(t, 2), Packaging: packaging})
			var secret *secretkey.Error
			if !errors.As(err, &secret) || !strings.HasSuffix(secret.Place, "usr/share/notes.txt") || strings.Contains(err.Error(), string(data[10:40])) {
				t.Errorf("error %v", err)
			}
			if _, err := os.Stat(out); !os.IsNotExist(err) {
				t.Errorf("there is an archive: %v", err)
			}
		}
	}
}

// Reading a secret key as a public one, whole or damaged, shows nothing of it.
func TestSecretKeyIsNotShown(t *testing.T) {
	data, err := testKey(t, 1).TOML(rand.Reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(data), strings.Replace(string(data), "skey = \"", "skey = ", 1), strings.ReplaceAll(string(data), "\"", "")} {
		_, err := ParsePublicKey([]byte(text))
		if err == nil || strings.Contains(err.Error(), text[len(text)-40:len(text)-20]) || strings.Contains(err.Error(), text[20:40]) {
			t.Errorf("error %v", err)
		}
	}
}

// What reads as a secret key is known as one.
func FuzzSecretKeyIsKnown(f *testing.F) {
	for _, pass := range []string{"", "phrase"} {
		data, err := testKey(f, 1).TOML(rand.Reader, []byte(pass))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := ParseSecretKey(data, nil); (err == nil || errors.Is(err, ErrNeedPassphrase)) && !secretkey.Is(data) {
			t.Errorf("not known: %q", data)
		}
	})
}

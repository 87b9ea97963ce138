package pkg

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// The secret key neither gets into a package nor into the folder that a server offers.
func TestSecretKeyStaysOutside(t *testing.T) {
	s := sessiontest.InCheckout(t, map[string]string{"tree/f": "x"})
	dir := func(name string) string { return filepath.Join(s.Config.Root, name) }
	if err := Keygen(s, dir("tree/keys"), false, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir("tree/keys"), dir("link")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{dir("tree/keys"), dir("link"), dir("tree/keys/" + secretKeyFile)} {
		k := Key{Key: key}
		err := Create(t.Context(), s, "p", CreateFlags{Key: k, Dir: dir("tree"), Out: dir("p.pkgar")})
		if err == nil || !strings.Contains(err.Error(), "secret key") {
			t.Errorf("packed with -key=%s: %v", key, err)
		}
		err = Publish(t.Context(), s, dir("tree/keys"), PublishFlags{Key: k, Dir: dir("link"), Name: "p", Version: "1"})
		if err == nil || !strings.Contains(err.Error(), "secret key") {
			t.Errorf("published with -key=%s: %v", key, err)
		}
	}
	if _, err := os.Stat(dir("p.pkgar")); err == nil {
		t.Error("a package was written")
	}
	// A key that comes through a pipe lies nowhere.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := keyOutside(Key{Key: fmt.Sprintf("/dev/fd/%d", r.Fd())}, dir("tree")); err != nil {
		t.Error(err)
	}
}

func TestKeyFiles(t *testing.T) {
	s := sessiontest.InCheckout(t, nil)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	said := func() string {
		b, err := os.ReadFile(log.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	s.Streams.Err = log
	dir := filepath.Join(s.Config.Root, "keys")
	if err := Keygen(s, dir, false, nil); err != nil {
		t.Fatal(err)
	}
	secret, public := filepath.Join(dir, secretKeyFile), filepath.Join(dir, pkgrepo.KeyFile)
	for _, name := range []string{secret, public} { // as an editor of another system leaves them
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(b), "\n", "\r\n")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := signingKey(s, Key{Key: dir}); err != nil || strings.Contains(said(), "others can read") {
		t.Errorf("%v, said %q", err, said())
	}
	if _, err := publicKey(dir); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := signingKey(s, Key{Key: dir}); err != nil || !strings.Contains(said(), "others can read") {
		t.Errorf("%v, said %q", err, said())
	}
	for _, name := range []string{"/dev/zero", t.TempDir()} {
		if _, err := secretKey(Key{Key: name}); err == nil {
			t.Errorf("%s is taken as a secret key", name)
		}
		if _, err := publicKey(name); err == nil {
			t.Errorf("%s is taken as a public key", name)
		}
	}
}

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
	s.Streams.Err = sessiontest.DevNull(t)
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
	if _, err := secretKey(Key{Key: dir}); err != nil {
		t.Error(err)
	}
	if _, err := publicKey(dir); err != nil {
		t.Error(err)
	}
	// One that others can read is not used, as ssh has it, however it is named.
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o602, 0o610} {
		if err := os.Chmod(secret, mode); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{dir, secret} {
			if _, err := secretKey(Key{Key: name}); err == nil || !strings.Contains(err.Error(), "others can read") || !strings.Contains(err.Error(), "`chmod 600 "+secret+"`") {
				t.Errorf("mode %v: %v", mode, err)
			}
		}
	}
	if err := os.Chmod(secret, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := secretKey(Key{Key: dir}); err != nil {
		t.Error(err)
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

// Other keys than the one in use stay outside as well, whatever they are called and wherever they lie.
func TestAnySecretKeyStaysOutside(t *testing.T) {
	s := sessiontest.InCheckout(t, map[string]string{"tree/f": "x", "clean/f": "y"})
	s.Streams.Err = sessiontest.DevNull(t)
	dir := func(name string) string { return filepath.Join(s.Config.Root, name) }
	for _, keys := range []string{"keys", "others"} {
		if err := Keygen(s, dir(keys), false, nil); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(dir("others/" + secretKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	k := Key{Key: dir("keys")}
	publish := func(tree string) error {
		return Publish(t.Context(), s, dir("repo"), PublishFlags{Key: k, Dir: dir(tree), Name: "p", Version: "1"})
	}
	if err := publish("clean"); err != nil {
		t.Fatal(err)
	}
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "is a secret key of packages") || strings.Contains(err.Error(), string(data[100:120])) {
			t.Errorf("%s: %v", what, err)
		}
	}
	sessiontest.WriteFile(t, dir("tree/deep/readme.md"), string(data), 0o644)
	refused("packed", Create(t.Context(), s, "p", CreateFlags{Key: k, Dir: dir("tree"), Out: dir("p.pkgar")}))
	refused("published in a package", publish("tree"))
	sessiontest.WriteFile(t, dir("repo/x/index.html"), string(data), 0o644)
	refused("published beside packages", publish("clean"))
}

package pkgar

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func phrase(s string) Passphrase { return func() ([]byte, error) { return []byte(s), nil } }

func TestKeyFiles(t *testing.T) {
	key := testKey(t, 1)
	for _, pass := range []string{"", "open sesame", strings.Repeat("ö", 2000)} {
		dir := t.TempDir()
		secret, public := filepath.Join(dir, "id.toml"), filepath.Join(dir, "id.pub.toml")
		if err := WriteKeyFiles(secret, public, key, rand.Reader, []byte(pass)); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(secret); err != nil || info.Mode() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		data, err := os.ReadFile(secret)
		if err != nil {
			t.Fatal(err)
		}
		if (pass == "") != strings.Contains(string(data), fmt.Sprintf("%x", key.key[:32])) {
			t.Errorf("passphrase %q: the seed is in the file, or should be", pass)
		}
		got, err := ParseSecretKey(data, phrase(pass))
		if err != nil || got != key {
			t.Errorf("passphrase %q: %v", pass, err)
		}
		pub, err := os.ReadFile(public)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParsePublicKey(pub); err != nil || got != key.Public() {
			t.Errorf("public key %v, %v", got, err)
		}
		if err := WriteKeyFiles(secret, public, testKey(t, 2), rand.Reader, nil); !errors.Is(err, fs.ErrExist) {
			t.Errorf("an existing key is overwritten: %v", err)
		}
		if pass == "" {
			continue
		}
		if _, err := ParseSecretKey(data, phrase("wrong")); !errors.Is(err, ErrPassphrase) {
			t.Errorf("wrong passphrase: %v", err)
		}
		for _, p := range []Passphrase{nil, phrase("")} {
			if _, err := ParseSecretKey(data, p); !errors.Is(err, ErrNeedPassphrase) {
				t.Errorf("no passphrase: %v", err)
			}
		}
	}
}

// TestKeyVector reads files that the reference tools wrote: pkgar-keys 0.1.19 and 0.2.3, passphrase "correct horse". (0.2.4
// panics when it is given a passphrase: the library below it wants a salt of 16 bytes now.)
func TestKeyVector(t *testing.T) {
	for _, name := range []string{"reference-0.1", "reference"} {
		secret, err := os.ReadFile(filepath.Join("testdata", name+".toml"))
		if err != nil {
			t.Fatal(err)
		}
		public, err := os.ReadFile(filepath.Join("testdata", name+".pub.toml"))
		if err != nil {
			t.Fatal(err)
		}
		key, err := ParseSecretKey(secret, phrase("correct horse"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want, err := ParsePublicKey(public)
		if err != nil || key.Public() != want {
			t.Errorf("%s: public key %v, want %v, %v", name, key.Public(), want, err)
		}
		if string(want.TOML()) != string(public) {
			t.Errorf("%s: public key file %q, the reference writes %q", name, want.TOML(), public)
		}
	}
}

func TestBadKeys(t *testing.T) {
	plain, err := testKey(t, 1).TOML(counting(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(plain), "\n")
	swap := func(i int, line string) string {
		l := append([]string{}, lines...)
		l[i] = line
		return strings.Join(l, "\n")
	}
	for name, c := range map[string]struct{ data, want string }{
		"not TOML":    {"skey = 'abc", "not valid TOML"},
		"no salt":     {swap(0, ""), "no salt"},
		"short nonce": {swap(1, `nonce = "00"`), "nonce has 1 bytes, want 24"},
		"no skey":     {swap(2, ""), "no skey"},
		"not hex":     {swap(2, `skey = "zz"`), "skey is not hexadecimal"},
		"half":        {swap(2, lines[2][:8+64]+`"`), "skey has 32 bytes, want 64"},
		"mismatch":    {swap(2, strings.Replace(lines[2], "skey = \"01", "skey = \"02", 1)), "does not belong"},
	} {
		_, err := ParseSecretKey([]byte(c.data), phrase("x"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), lines[2][20:40]) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
	for _, p := range []string{"a\x00b", strings.Repeat("x", MaxPassphrase+1)} {
		if _, err := testKey(t, 1).TOML(rand.Reader, []byte(p)); err == nil {
			t.Errorf("passphrase of %d bytes accepted", len(p))
		}
	}
	for _, s := range []string{fmt.Sprint(testKey(t, 1)), fmt.Sprintf("%v %+v %#v", testKey(t, 1), testKey(t, 1), testKey(t, 1))} {
		if strings.Contains(s, "1 2 3") || strings.Contains(s, "010203") || strings.Contains(s, "0x1, 0x2") {
			t.Errorf("printing a key shows it: %s", s)
		}
	}
}

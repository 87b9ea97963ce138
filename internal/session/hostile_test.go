package session

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/pkgrepo"
)

// Words that are missing are filled with the first flag, and an empty one would be the current folder.
func TestWordsAreChecked(t *testing.T) {
	s := imageCheckout(t, map[string]string{"f": "x"})
	ctx, file, flag := t.Context(), filepath.Join(s.Config.Root, "f"), "-img=x"
	t.Chdir(t.TempDir())
	for name, err := range map[string]error{
		"image:ls flag":         s.ImageLs(ctx, "", flag, false),
		"image:cat flag":        s.ImageCat(ctx, "", flag),
		"image:cat":             s.ImageCat(ctx, "", ""),
		"image:rm":              s.ImageRm(ctx, "", nil),
		"image:rm flag":         s.ImageRm(ctx, "", []string{flag}),
		"pkg:ls flag":           s.PkgLs(ctx, flag, ""),
		"pkg:verify flag":       s.PkgVerify(ctx, flag, ""),
		"pkg:extract":           s.PkgExtract(ctx, file, "", "", true),
		"pkg:extract flag":      s.PkgExtract(ctx, file, "-key=x", "", true),
		"pkg:create":            s.PkgCreate(ctx, "", PkgCreateFlags{}),
		"pkg:keygen":            s.PkgKeygen("", false, nil),
		"pkg:keygen flag":       s.PkgKeygen("-passphrase", false, nil),
		"pkg:publish":           s.PkgPublish(ctx, "", PkgPublishFlags{}),
		"initfs:ls flag":        s.InitfsList("-l", false),
		"initfs:verify":         s.InitfsVerify(""),
		"initfs:extract":        s.InitfsExtract(ctx, file, ""),
		"initfs:replace":        s.InitfsReplace(ctx, file, "", file),
		"initfs:pack flag":      s.InitfsPack(ctx, s.Config.Root, file, "-layout=2", nil),
		"image:snapshots -keep": s.ImageSnapshots(ctx, file, ptrTo(-1)),
	} {
		if err == nil || !strings.Contains(err.Error(), "-keep=-1") && !strings.Contains(err.Error(), "path") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func ptrTo[T any](v T) *T { return &v }

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

// A kernel is an ELF file for the machine.
func TestCheckKernel(t *testing.T) {
	s := imageCheckout(t, nil)
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	for at, v := range map[int]uint16{16: 2, 20: 1, 52: 64} { // type, version, header size
		binary.LittleEndian.PutUint16(header[at:], v)
	}
	tests := map[string]struct {
		content []byte
		machine uint16
		want    string
	}{
		"text":        {[]byte(strings.Repeat("# a read-me\n", 10)), 0, "bad magic"},
		"empty":       {nil, 0, "EOF"},
		"for another": {header, 62, "EM_X86_64"},
		"good":        {header, 183, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "kernel")
			b := append([]byte(nil), tt.content...)
			if tt.machine != 0 {
				binary.LittleEndian.PutUint16(b[18:], tt.machine)
			}
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
			err := s.checkKernel(file)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// The names in somebody else's file do not reach the terminal as they are.
func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{
		"bin/ls": "bin/ls", "with space": "with space", "ü": "ü", "a\nb": `"a\nb"`, "\x1b[2J": `"\x1b[2J"`, "\xff": `"\xff"`, "a\u202eb": `"a\u202eb"`,
	} {
		if got := printable(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestSomeOf(t *testing.T) {
	if got := someOf([]string{"a", "\x1b[2J"}); got != `a, "\x1b[2J"` {
		t.Error(got)
	}
	names := strings.Fields(strings.Repeat("n ", 2000))
	if got := someOf(names); !strings.HasSuffix(got, "and 1985 more") || len(got) > 100 {
		t.Errorf("%q", got)
	}
	if got := someOf(names[:20]); strings.Contains(got, "more") {
		t.Errorf("%q", got)
	}
}

// The secret key neither gets into a package nor into the folder that a server offers.
func TestSecretKeyStaysOutside(t *testing.T) {
	s := imageCheckout(t, map[string]string{"tree/f": "x"})
	dir := func(name string) string { return filepath.Join(s.Config.Root, name) }
	if err := s.PkgKeygen(dir("tree/keys"), false, nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir("tree/keys"), dir("link")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{dir("tree/keys"), dir("link"), dir("tree/keys/" + secretKeyFile)} {
		k := PkgKey{Key: key}
		err := s.PkgCreate(t.Context(), "p", PkgCreateFlags{PkgKey: k, Dir: dir("tree"), Out: dir("p.pkgar")})
		if err == nil || !strings.Contains(err.Error(), "secret key") {
			t.Errorf("packed with -key=%s: %v", key, err)
		}
		err = s.PkgPublish(t.Context(), dir("tree/keys"), PkgPublishFlags{PkgKey: k, Dir: dir("link"), Name: "p", Version: "1"})
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
	if err := keyOutside(PkgKey{Key: fmt.Sprintf("/dev/fd/%d", r.Fd())}, dir("tree")); err != nil {
		t.Error(err)
	}
}

func TestKeyFiles(t *testing.T) {
	s := imageCheckout(t, nil)
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
	if err := s.PkgKeygen(dir, false, nil); err != nil {
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
	if _, err := s.signingKey(PkgKey{Key: dir}); err != nil || strings.Contains(said(), "others can read") {
		t.Errorf("%v, said %q", err, said())
	}
	if _, err := publicKey(dir); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(secret, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.signingKey(PkgKey{Key: dir}); err != nil || !strings.Contains(said(), "others can read") {
		t.Errorf("%v, said %q", err, said())
	}
	for _, name := range []string{"/dev/zero", t.TempDir()} {
		if _, err := secretKey(PkgKey{Key: name}); err == nil {
			t.Errorf("%s is taken as a secret key", name)
		}
		if _, err := publicKey(name); err == nil {
			t.Errorf("%s is taken as a public key", name)
		}
	}
}

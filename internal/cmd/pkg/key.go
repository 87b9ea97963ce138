package pkg

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/secretkey"
	"github.com/pannous/redox-clif/internal/session"
)

// secretKeyFile is the secret key's usual name; the public one's is pkgrepo.KeyFile.
const secretKeyFile = "id_ed25519.toml"

// Keygen makes a pair of keys in a folder: the secret one for its owner's eyes only, encrypted if a passphrase is asked for.
func Keygen(s *session.Session, dir string, passphrase bool, in *os.File) error {
	if err := session.CheckArgs(dir); err != nil {
		return err
	}
	var phrase []byte
	if passphrase {
		var err error
		if phrase, err = newPassphrase(in); err != nil {
			return err
		}
	}
	key, err := pkgar.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	secret, public := filepath.Join(dir, secretKeyFile), filepath.Join(dir, pkgrepo.KeyFile)
	err = pkgar.WriteKeyFiles(secret, public, key, rand.Reader, phrase)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already and is never overwritten: choose another folder, or remove it if no package is signed by it", secret)
	}
	if err != nil {
		return err
	}
	s.Say("%s: keep it secret (mode 0600); %s: public key %v", secret, public, key.Public())
	return nil
}

// newPassphrase asks twice where nobody sees what is typed.
func newPassphrase(in *os.File) ([]byte, error) {
	phrase, err := readPassphrase(in, "passphrase: ")
	if err != nil {
		return nil, err
	}
	if len(phrase) == 0 {
		return nil, errors.New("the passphrase is empty; leave -passphrase out for a plain key")
	}
	if in != nil && term.IsTerminal(int(in.Fd())) {
		again, err := readPassphrase(in, "once more: ")
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(phrase, again) {
			return nil, errors.New("the two passphrases differ")
		}
	}
	return phrase, nil
}

// readPassphrase reads a line: from a terminal without echo, from anything else as it is.
func readPassphrase(in *os.File, prompt string) ([]byte, error) {
	if in == nil {
		return nil, pkgar.ErrNeedPassphrase
	}
	if fd := int(in.Fd()); term.IsTerminal(fd) {
		fmt.Fprint(os.Stderr, prompt)
		phrase, err := term.ReadPassword(fd)
		fmt.Fprintln(os.Stderr)
		return phrase, err
	}
	line, err := bufio.NewReader(io.LimitReader(in, pkgar.MaxPassphrase+2)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// readKeyFile reads a key file; a secret one has to be its owner's alone, as ssh has it.
func readKeyFile(name string, secret bool) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); secret && mode.IsRegular() && mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others can read this secret key (mode %04o), so it is not used: `chmod 600 %s`, or make a new one if they may have",
			name, mode.Perm(), process.Quote([]string{name}))
	}
	data, err := io.ReadAll(io.LimitReader(f, secretkey.MaxSize+1))
	if err == nil && len(data) > secretkey.MaxSize {
		err = fmt.Errorf("%s is too long for a key file", name)
	}
	return data, err
}

// secretKey reads the key to sign with.
func secretKey(k Key) (pkgar.SecretKey, error) {
	if k.Key == "" {
		return pkgar.SecretKey{}, errors.New("no key to sign with: `mage pkg:keygen DIR` makes one, -key=DIR uses it")
	}
	file := inFolder(k.Key, secretKeyFile)
	data, err := readKeyFile(file, true)
	if errors.Is(err, fs.ErrNotExist) {
		return pkgar.SecretKey{}, fmt.Errorf("%w; `mage pkg:keygen DIR` makes a key", err)
	}
	if err != nil {
		return pkgar.SecretKey{}, err
	}
	key, err := pkgar.ParseSecretKey(data, func() ([]byte, error) { return readPassphrase(k.In, "passphrase of "+file+": ") })
	if errors.Is(err, pkgar.ErrNeedPassphrase) {
		err = fmt.Errorf("%w on the terminal or as the first line of standard input", err)
	}
	if err != nil {
		return key, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}

// keyOutside refuses to hand out a folder with the secret key in it.
func keyOutside(k Key, dir string) error {
	if dir == "" {
		return nil
	}
	file := inFolder(k.Key, secretKeyFile)
	if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
		return nil // a pipe, and it leads nowhere
	}
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	file, err1 := filepath.Abs(file)
	top, err2 := filepath.EvalSymlinks(dir)
	if err2 != nil {
		return nil // whoever packs it says so
	}
	top, err2 = filepath.Abs(top)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if rel, err := filepath.Rel(top, file); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("%s is the secret key, and lies in the folder that others get, %s", file, dir)
	}
	return nil
}

// publicKey reads the key that has to have signed something.
func publicKey(key string) (pkgar.PublicKey, error) {
	if raw, err := hex.DecodeString(key); err == nil && len(raw) == len(pkgar.PublicKey{}) {
		return pkgar.PublicKey(raw), nil
	}
	file := inFolder(key, pkgrepo.KeyFile)
	data, err := readKeyFile(file, false)
	if err != nil {
		return pkgar.PublicKey{}, fmt.Errorf("-key: %w (want a public key file, a folder with %s, or 64 hex digits)", err, pkgrepo.KeyFile)
	}
	public, err := pkgar.ParsePublicKey(data)
	if secretkey.Is(data) || err != nil && strings.Contains(string(data), "skey") {
		return public, fmt.Errorf("%s is a secret key; packages are checked with the public one, %s", file, pkgrepo.KeyFile)
	}
	if err != nil {
		return public, fmt.Errorf("%s: %w", file, err)
	}
	return public, nil
}

// inFolder is the file itself, or the usual one of a folder.
func inFolder(path, usual string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, usual)
	}
	return path
}

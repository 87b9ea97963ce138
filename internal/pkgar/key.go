package pkgar

import (
	"bytes"
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/BurntSushi/toml"
	"github.com/google/renameio/v2"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/nacl/secretbox"

	"github.com/pannous/redox-clif/internal/secretkey"
)

// How a secret key file is encrypted: the interactive limits of libsodium's crypto_pwhash with Argon2id 1.3, over the full 32
// bytes of salt, give the key of an XSalsa20-Poly1305 box around the 64-byte secret key.
const (
	argonTime    = 2
	argonMemory  = 64 << 10 // KiB
	argonThreads = 1

	saltSize  = 32
	nonceSize = 24
	plainSize = 64
	boxedSize = plainSize + secretbox.Overhead
)

// MaxPassphrase is the longest passphrase in bytes that the reference tools accept.
const MaxPassphrase = 4095

// PublicKey is an Ed25519 public key.
type PublicKey [32]byte

// String is the key in hexadecimal.
func (k PublicKey) String() string { return hex.EncodeToString(k[:]) }

// TOML is the content of a public key file, by convention id_ed25519.pub.toml.
func (k PublicKey) TOML() []byte { return fmt.Appendf(nil, "pkey = %q\n", k.String()) }

// ParsePublicKey reads the content of a public key file.
func ParsePublicKey(data []byte) (PublicKey, error) {
	var file struct {
		PKey string `toml:"pkey"`
	}
	var key PublicKey
	if secretkey.Is(data) {
		return key, errors.New("public key: this is a secret key")
	}
	if _, err := toml.Decode(string(data), &file); err != nil {
		// The parser's message quotes the line, and the file may be a damaged secret key.
		return key, errors.New("public key file is not valid TOML")
	}
	err := decodeHex(key[:], "pkey", file.PKey)
	return key, err
}

// decodeHex fills all of dst. The value is not part of any error, it may be secret.
func decodeHex(dst []byte, field, value string) error {
	if value == "" {
		return fmt.Errorf("key file has no %s", field)
	}
	b, err := hex.DecodeString(value)
	if err != nil {
		return fmt.Errorf("%s is not hexadecimal", field)
	}
	if len(b) != len(dst) {
		return fmt.Errorf("%s has %d bytes, want %d", field, len(b), len(dst))
	}
	copy(dst, b)
	return nil
}

// SecretKey is an Ed25519 secret key. The zero value is not a key.
type SecretKey struct {
	key [plainSize]byte // seed and public key
}

// String hides the key, so that it cannot end up in a log.
func (SecretKey) String() string { return "secret key" }

// GoString hides the key too.
func (SecretKey) GoString() string { return "pkgar.SecretKey{}" }

// IsZero reports whether k is no key.
func (k SecretKey) IsZero() bool { return k.key == [plainSize]byte{} }

// Public is the public half.
func (k SecretKey) Public() PublicKey { return PublicKey(k.key[32:]) }

// signedHeader is the length in bytes of what an archive's signature covers. Any other message has more, so that a signature of one
// is never a signature of the other.
const signedHeader = HeaderSize - publicKeyAt

// Sign signs a message of more than 72 bytes that says by itself what it is; the caller's format sees to both.
func (k SecretKey) Sign(message []byte) ([]byte, error) {
	if k.IsZero() {
		return nil, errors.New("no secret key to sign with")
	}
	if len(message) <= signedHeader {
		return nil, fmt.Errorf("a message of %d bytes could be taken for an archive's header", len(message))
	}
	return ed25519.Sign(k.key[:], message), nil
}

// Verify reports whether a signature is one of Sign.
func (k PublicKey) Verify(message, signature []byte) bool {
	return len(message) > signedHeader && ed25519.Verify(k[:], message, signature)
}

// GenerateKey makes a key from 32 bytes of random, usually crypto/rand.Reader.
func GenerateKey(random io.Reader) (SecretKey, error) {
	var seed [ed25519.SeedSize]byte
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return SecretKey{}, fmt.Errorf("random seed: %w", err)
	}
	return SecretKey{key: [plainSize]byte(ed25519.NewKeyFromSeed(seed[:]))}, nil
}

// Passphrase asks for the passphrase of a key. It is called only if the key is encrypted.
type Passphrase func() ([]byte, error)

// ParseSecretKey reads the content of a secret key file, plain or encrypted. passphrase may be nil, then an encrypted key is
// ErrNeedPassphrase.
func ParseSecretKey(data []byte, passphrase Passphrase) (SecretKey, error) {
	var file struct {
		Salt  string `toml:"salt"`
		Nonce string `toml:"nonce"`
		SKey  string `toml:"skey"`
	}
	if len(data) > secretkey.MaxSize {
		return SecretKey{}, fmt.Errorf("%d bytes are too many for a secret key file", len(data))
	}
	if _, err := toml.Decode(string(data), &file); err != nil {
		// The parser's message quotes the line, which may be the secret.
		return SecretKey{}, errors.New("secret key file is not valid TOML")
	}
	var salt [saltSize]byte
	var nonce [nonceSize]byte
	if err := decodeHex(salt[:], "salt", file.Salt); err != nil {
		return SecretKey{}, err
	}
	if err := decodeHex(nonce[:], "nonce", file.Nonce); err != nil {
		return SecretKey{}, err
	}
	if len(file.SKey) == 2*boxedSize {
		return openKey(file.SKey, salt, nonce, passphrase)
	}
	var k SecretKey
	if err := decodeHex(k.key[:], "skey", file.SKey); err != nil {
		return SecretKey{}, err
	}
	return k, k.check()
}

// check makes sure that the public half belongs to the secret one.
func (k SecretKey) check() error {
	want := ed25519.NewKeyFromSeed(k.key[:ed25519.SeedSize])
	if subtle.ConstantTimeCompare(want, k.key[:]) != 1 {
		return errors.New("skey: public half does not belong to the secret half")
	}
	return nil
}

func openKey(boxedHex string, salt [saltSize]byte, nonce [nonceSize]byte, passphrase Passphrase) (SecretKey, error) {
	var boxed [boxedSize]byte
	if err := decodeHex(boxed[:], "skey", boxedHex); err != nil {
		return SecretKey{}, err
	}
	if passphrase == nil {
		return SecretKey{}, ErrNeedPassphrase
	}
	phrase, err := passphrase()
	if err != nil {
		return SecretKey{}, fmt.Errorf("passphrase: %w", err)
	}
	if len(phrase) == 0 {
		return SecretKey{}, ErrNeedPassphrase
	}
	if err := checkPassphrase(phrase); err != nil {
		return SecretKey{}, err
	}
	boxKey := passphraseKey(phrase, salt)
	plain, ok := secretbox.Open(nil, boxed[:], &nonce, &boxKey)
	if !ok {
		return SecretKey{}, ErrPassphrase
	}
	k := SecretKey{key: [plainSize]byte(plain)}
	return k, k.check()
}

func checkPassphrase(phrase []byte) error {
	if len(phrase) > MaxPassphrase {
		return fmt.Errorf("passphrase has %d bytes, more than %d", len(phrase), MaxPassphrase)
	}
	if bytes.IndexByte(phrase, 0) >= 0 {
		return errors.New("passphrase contains a zero byte, which the reference tools take for its end")
	}
	return nil
}

func passphraseKey(phrase []byte, salt [saltSize]byte) [32]byte {
	return [32]byte(argon2.IDKey(phrase, salt[:], argonTime, argonMemory, argonThreads, 32))
}

// TOML is the content of a secret key file. An empty passphrase leaves the key plain. random gives the salt and the
// nonce, new ones for every call.
func (k SecretKey) TOML(random io.Reader, passphrase []byte) ([]byte, error) {
	if k.IsZero() {
		return nil, errors.New("no secret key")
	}
	if err := checkPassphrase(passphrase); err != nil {
		return nil, err
	}
	var salt [saltSize]byte
	var nonce [nonceSize]byte
	if _, err := io.ReadFull(random, salt[:]); err != nil {
		return nil, fmt.Errorf("random salt: %w", err)
	}
	if _, err := io.ReadFull(random, nonce[:]); err != nil {
		return nil, fmt.Errorf("random nonce: %w", err)
	}
	secret := k.key[:]
	if len(passphrase) > 0 {
		boxKey := passphraseKey(passphrase, salt)
		secret = secretbox.Seal(nil, k.key[:], &nonce, &boxKey)
	}
	return fmt.Appendf(nil, "salt = \"%x\"\nnonce = \"%x\"\nskey = \"%x\"\n", salt, nonce, secret), nil
}

// WriteKeyFiles writes the secret key, readable by its owner only, and then the public key. An existing secret key file is
// an error (fs.ErrExist); it is never overwritten.
func WriteKeyFiles(secretPath, publicPath string, key SecretKey, random io.Reader, passphrase []byte) error {
	data, err := key.TOML(random, passphrase)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(secretPath, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(secretPath))
	}
	return renameio.WriteFile(publicPath, key.Public().TOML(), 0o644)
}

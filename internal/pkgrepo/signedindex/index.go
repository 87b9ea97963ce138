// Package signedindex is the signed index of a package repository: one file for each target that says what the repository's owner vouches
// for, which the descriptions of upstream's layout, being unsigned, do not.
//
// It owns the bytes of that file and what its signature covers. It must not know where the file comes from, what was seen before, or which
// names packages may have.
//
// # Format
//
// The file <target>/repo.signed.json is a DSSE envelope (https://github.com/secure-systems-lab/dsse, version 1.0.2): JSON with payloadType,
// payload (base64) and signatures. A signature is Ed25519, by the key that signs the archives, over
//
//	"DSSEv1" SP LEN(payloadType) SP payloadType SP LEN(payload) SP payload
//
// with lengths in decimal. The type names the format and its version, so that no signature counts for anything else; an archive's header,
// of which 72 bytes are signed, is always shorter.
//
// The payload is JSON in one form only: the keys in the order of [Index] and [Package], none left out but where they say so, no white space,
// strings as Go's encoding/json writes them, packages sorted by the bytes of their names. Anything else is refused, signed or not.
package signedindex

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/pkgar"
)

// FileName is the index's name in the folder of a target.
const FileName = "repo.signed.json"

// payloadType says what is signed.
const payloadType = "application/vnd.redox-clif.package-index.v1+json"

// MaxSerial is the highest serial: every reader of JSON has integers up to there.
const MaxSerial = 1<<53 - 1

// maxSignatures bounds the work that a forged envelope makes.
const maxSignatures = 8

// Index is what a repository has for one target.
type Index struct {
	Target string `json:"target"`
	Key    string `json:"key"` // the repository's public key, 64 hexadecimal digits
	// Repository tells it from others of the same key: see [NewID]. Indexes of earlier versions have none.
	Repository string `json:"repository,omitempty"`
	Serial     uint64 `json:"serial"` // 1 to MaxSerial, higher in each later index
	Date       string `json:"date"`   // when it was made: RFC 3339, UTC, whole seconds
	// Packages are sorted by name.
	Packages []Package `json:"packages"`
}

// Package is one package. One without a version is a metapackage and has no archive.
type Package struct {
	Name        string   `json:"name"`
	Since       uint64   `json:"since"` // serial of the first index that has it as it is
	Version     string   `json:"version,omitempty"`
	Depends     []string `json:"depends,omitempty"`
	Table       string   `json:"table,omitempty"`       // BLAKE3 of the archive's entry table
	Archive     string   `json:"archive,omitempty"`     // SHA-256 of the archive
	NetworkSize uint64   `json:"networkSize,omitempty"` // bytes of the archive
	StorageSize uint64   `json:"storageSize,omitempty"` // bytes of its files
	// What it was built from, as in upstream's description.
	Source string `json:"source,omitempty"`
	Commit string `json:"commit,omitempty"`
	Patch  string `json:"patch,omitempty"`
	Time   string `json:"time,omitempty"`
}

// envelope is the file.
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"` // base64
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"` // a hint, not signed: the public key
	Sig   string `json:"sig"`   // base64
}

// signedBytes is DSSE's pre-authentication encoding.
func signedBytes(payload []byte) []byte {
	return append(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(payloadType), payloadType, len(payload)), payload...)
}

// idBytes is the length of a repository's identity, which nobody meets twice by chance.
const idBytes = 16

// NewID makes the identity of a repository: 32 hexadecimal digits from the system's randomness, so that two repositories of one key differ.
func NewID() (string, error) {
	raw := make([]byte, idBytes)
	_, err := rand.Read(raw)
	return hex.EncodeToString(raw), err
}

// CheckID refuses what is not the identity of a repository.
func CheckID(id string) error {
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != idBytes || strings.ToLower(id) != id {
		return fmt.Errorf("%q is not the identity of a repository, %d hexadecimal digits", id, 2*idBytes)
	}
	return nil
}

// Date is a time as an index has it.
func Date(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// Find is the package of a name, or nil.
func (x *Index) Find(name string) *Package {
	i, ok := slices.BinarySearchFunc(x.Packages, name, func(p Package, name string) int { return cmp.Compare(p.Name, name) })
	if !ok {
		return nil
	}
	return &x.Packages[i]
}

// Sign makes the file. It sorts the packages and fills in the key.
func (x *Index) Sign(key pkgar.SecretKey) ([]byte, error) {
	slices.SortFunc(x.Packages, func(a, b Package) int { return cmp.Compare(a.Name, b.Name) })
	x.Key = key.Public().String()
	payload, err := x.encode()
	if err != nil {
		return nil, err
	}
	if _, err := decode(payload); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	sig, err := key.Sign(signedBytes(payload))
	if err != nil {
		return nil, err
	}
	file, err := json.Marshal(envelope{PayloadType: payloadType, Payload: base64.StdEncoding.EncodeToString(payload),
		Signatures: []signature{{KeyID: x.Key, Sig: base64.StdEncoding.EncodeToString(sig)}}})
	return append(file, '\n'), err
}

func (x *Index) encode() ([]byte, error) {
	if x.Packages == nil {
		x.Packages = []Package{}
	}
	return json.Marshal(x)
}

// Errors that callers tell apart.
var (
	// ErrSignature: no signature of the file is one by the key.
	ErrSignature = errors.New("the index is not signed by the repository's key")
	// ErrForm: the file, or what is signed, is not of the form that it has to have.
	ErrForm = errors.New("the index is malformed")
)

// Verify reads a file that key has to have signed, for a target. digest is of the signed bytes: what does not change it, does not change
// anything.
func Verify(file []byte, key pkgar.PublicKey, target string) (x *Index, digest string, err error) {
	payload, err := open(file, key)
	if err != nil {
		return nil, "", err
	}
	if x, err = decode(payload); err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrForm, err)
	}
	switch {
	case x.Key != key.String():
		return nil, "", fmt.Errorf("%w: it names the key %s, not %v", ErrForm, x.Key, key)
	case x.Target != target:
		return nil, "", fmt.Errorf("%w: it is for %q, not for %q", ErrForm, x.Target, target)
	}
	return x, fmt.Sprintf("%x", sha256.Sum256(payload)), nil
}

// open is the payload of an envelope that key signed. Nothing in it is looked at before.
func open(file []byte, key pkgar.PublicKey) ([]byte, error) {
	var e envelope
	if err := json.Unmarshal(file, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	if e.PayloadType != payloadType {
		return nil, fmt.Errorf("%w: its type is %q, not %q", ErrForm, e.PayloadType, payloadType)
	}
	payload, err := base64.StdEncoding.Strict().DecodeString(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	message := signedBytes(payload)
	for _, s := range e.Signatures[:min(len(e.Signatures), maxSignatures)] {
		if sig, err := base64.StdEncoding.DecodeString(s.Sig); err == nil && key.Verify(message, sig) {
			return payload, nil
		}
	}
	return nil, fmt.Errorf("%w, %v", ErrSignature, key)
}

// decode reads a payload, which has to be what encode writes.
func decode(payload []byte) (*Index, error) {
	x := &Index{}
	in := json.NewDecoder(bytes.NewReader(payload))
	in.DisallowUnknownFields()
	if err := in.Decode(x); err != nil {
		return nil, err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows it")
	}
	if again, err := x.encode(); err != nil || !bytes.Equal(again, payload) {
		return nil, errors.New("it is not encoded in the one form that it can have")
	}
	return x, x.check()
}

func (x *Index) check() error {
	if x.Serial < 1 || x.Serial > MaxSerial {
		return fmt.Errorf("serial %d is not one of 1 to %d", x.Serial, uint64(MaxSerial))
	}
	if at, err := time.Parse(time.RFC3339, x.Date); err != nil || Date(at) != x.Date {
		return fmt.Errorf("date %q is not one in UTC with whole seconds", x.Date)
	}
	if x.Repository != "" {
		if err := CheckID(x.Repository); err != nil {
			return err
		}
	}
	folded := map[string]string{}
	for i := range x.Packages {
		p := &x.Packages[i]
		if i > 0 && x.Packages[i-1].Name >= p.Name {
			return fmt.Errorf("package %q does not come after %q", p.Name, x.Packages[i-1].Name)
		}
		// Where a file system tells no case, one would take the other's place.
		if other, ok := folded[strings.ToLower(p.Name)]; ok {
			return fmt.Errorf("packages %q and %q differ in case only", other, p.Name)
		}
		folded[strings.ToLower(p.Name)] = p.Name
		if p.Since < 1 || p.Since > x.Serial {
			return fmt.Errorf("package %q: since %d is not one of 1 to %d", p.Name, p.Since, x.Serial)
		}
		if err := p.check(); err != nil {
			return fmt.Errorf("package %q: %w", p.Name, err)
		}
	}
	return nil
}

func (p *Package) check() error {
	if p.Version == "" {
		if p.Table != "" || p.Archive != "" || p.NetworkSize != 0 || p.StorageSize != 0 {
			return errors.New("it has an archive and no version")
		}
		return nil
	}
	for what, text := range map[string]string{"table": p.Table, "archive": p.Archive} {
		if raw, err := hex.DecodeString(text); err != nil || len(raw) != 32 || strings.ToLower(text) != text {
			return fmt.Errorf("%s %q is not a hash", what, text)
		}
	}
	return nil
}

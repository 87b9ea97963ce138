package pkgrepo

import (
	"encoding/hex"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/pkgar"
)

// Source says what a package was built from. All fields are optional.
type Source struct {
	SourceIdentifier string `toml:"source_identifier"` // commit or hash of the source
	CommitIdentifier string `toml:"commit_identifier"` // commit of the repository with the recipes
	PatchIdentifier  string `toml:"patch_identifier"`  // hash of the patches
	TimeIdentifier   string `toml:"time_identifier"`   // ISO 8601
}

// Package is the description of a package, NAME.toml.
type Package struct {
	Name        string `toml:"name"`
	Version     string `toml:"version"` // empty for a metapackage
	Target      string `toml:"target"`
	Blake3      string `toml:"blake3"` // entry table of the archive
	Source             // embedded fields stand at top level
	StorageSize uint64 `toml:"storage_size"` // unpacked bytes
	NetworkSize uint64 `toml:"network_size"` // bytes of the archive
	Depends     []Name `toml:"depends"`
	// Archive is the archive's SHA-256 where a signed index says it, else "".
	Archive string `toml:"-"`
}

// IsMeta reports whether the package consists of its dependencies only.
func (p *Package) IsMeta() bool { return p.Version == "" }

// TableHash is Blake3 decoded.
func (p *Package) TableHash() (pkgar.Hash, error) {
	var h pkgar.Hash
	b, err := hex.DecodeString(p.Blake3)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("blake3 %q is not a hash", p.Blake3)
	}
	return pkgar.Hash(b), nil
}

// ParsePackage decodes and checks a description. Unknown keys are allowed, the layout grows.
func ParsePackage(data []byte) (*Package, error) {
	p := &Package{}
	if _, err := toml.Decode(string(data), p); err != nil {
		return nil, err
	}
	if err := p.validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// validate checks names, numbers, texts and hash.
func (p *Package) validate() error {
	if _, err := ParseName(p.Name); err != nil {
		return err
	}
	for _, d := range p.Depends {
		if _, err := ParseName(string(d)); err != nil {
			return fmt.Errorf("depends: %w", err)
		}
	}
	if err := p.check(); err != nil || p.IsMeta() {
		return err
	}
	_, err := p.TableHash()
	return err
}

// check refuses what the types cannot: the decoder wraps negative numbers, and these texts are shown to people.
func (p *Package) check() error {
	for key, n := range map[string]uint64{"storage_size": p.StorageSize, "network_size": p.NetworkSize} {
		if n > math.MaxInt64 {
			return fmt.Errorf("%s is negative", key)
		}
	}
	for key, text := range map[string]string{"version": p.Version, "target": p.Target, "source_identifier": p.SourceIdentifier,
		"commit_identifier": p.CommitIdentifier, "patch_identifier": p.PatchIdentifier, "time_identifier": p.TimeIdentifier} {
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return fmt.Errorf("%s %q has a character that is not printable", key, text)
		}
	}
	return nil
}

// TOML is the description as a file, in the reference's order of keys.
func (p *Package) TOML() []byte {
	var b strings.Builder
	b.WriteString("name = " + quote(p.Name) + "\n")
	text := func(key, value string) {
		if value != "" {
			b.WriteString(key + " = " + quote(value) + "\n")
		}
	}
	number := func(key string, value uint64) {
		if value != 0 {
			fmt.Fprintf(&b, "%s = %d\n", key, value)
		}
	}
	text("version", p.Version)
	b.WriteString("target = " + quote(p.Target) + "\n")
	text("blake3", p.Blake3)
	p.Source.write(text)
	number("storage_size", p.StorageSize)
	number("network_size", p.NetworkSize)
	b.WriteString("depends = " + quoteList(p.Depends) + "\n")
	return []byte(b.String())
}

func (s *Source) write(text func(key, value string)) {
	text("source_identifier", s.SourceIdentifier)
	text("commit_identifier", s.CommitIdentifier)
	text("patch_identifier", s.PatchIdentifier)
	text("time_identifier", s.TimeIdentifier)
}

// Index is the list of a repository, repo.toml.
type Index struct {
	BuildID  string            `toml:"build_id"`
	Packages map[string]string `toml:"packages"`          // hash of the entry table, "" for a metapackage
	Outdated map[string]Source `toml:"outdated_packages"` // packages whose source is newer than the archive
}

// ParseIndex decodes a list. Unknown keys are allowed.
func ParseIndex(data []byte) (*Index, error) {
	x := &Index{}
	_, err := toml.Decode(string(data), x)
	return x, err
}

// validate checks the hashes that a list from elsewhere has.
func (x *Index) validate() error {
	for name, hash := range x.Packages {
		p := Package{Blake3: hash}
		if _, err := p.TableHash(); err != nil && hash != "" {
			return fmt.Errorf("package %q: %w", name, err)
		}
	}
	return nil
}

// TOML is the list as a file.
func (x *Index) TOML() []byte {
	var b strings.Builder
	if x.BuildID != "" {
		b.WriteString("build_id = " + quote(x.BuildID) + "\n\n")
	}
	b.WriteString("[packages]\n")
	for _, name := range sortedKeys(x.Packages) {
		b.WriteString(quoteKey(name) + " = " + quote(x.Packages[name]) + "\n")
	}
	b.WriteString("\n[outdated_packages]\n")
	for _, name := range sortedKeys(x.Outdated) {
		b.WriteString("\n[outdated_packages." + quoteKey(name) + "]\n")
		source := x.Outdated[name]
		source.write(func(key, value string) {
			if value != "" {
				b.WriteString(key + " = " + quote(value) + "\n")
			}
		})
	}
	return []byte(b.String())
}

func sortedKeys[K ~string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	return keys
}

// quote is a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == 0x7f:
			b.WriteString(`\u` + fmt.Sprintf("%04X", r))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// quoteKey is a bare key if it can be one.
func quoteKey(s string) string {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
			return quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

func quoteList(names []Name) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = quote(string(n))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func quoteBool(b bool) string { return strconv.FormatBool(b) }

// Package manifest is the form of manifest.json, which lies beside every staged tree and every initfs image: each
// file with its size, digest and origin.
//
// It owns the JSON and what is reckoned from it (bytes by backend, purity). It must not know how anything is
// built, nor where manifests lie beyond their name.
package manifest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"

	"github.com/pannous/redox-clif/internal/recipe"
)

// FileName is how a manifest is called, beside the root/ of a staged tree or beside an image.
const FileName = "manifest.json"

// Manifest is what lies beside a staged tree or an image: every file and where it comes from.
type Manifest struct {
	Schema    int    `json:"schema"`
	Recipe    string `json:"recipe"`
	Target    string `json:"target"`
	Set       string `json:"set,omitempty"`
	Toolchain string `json:"toolchain"`
	// Spec is the SHA-256 of the user-space target's JSON, which `mage drift` compares.
	Spec string `json:"spec_sha256,omitempty"`
	// Image is the digest of the image, for an image's manifest.
	Image *Image `json:"image,omitempty"`
	Files []File `json:"files"`
	// Bytes sums the sizes of compiled files by backend.
	Bytes map[string]int64 `json:"bytes_by_backend"`
	// Sysroots are the C libraries linked into files, by recipe: what in them LLVM or clang compiled, with the reason.
	Sysroots map[string][]string `json:"sysroots,omitempty"`
	// Purity is how much of what is compiled Cranelift compiled, the bootstrap included.
	Purity *Purity `json:"purity,omitempty"`
}

// Purity counts whole files, by the backend of the crates they are named for. What is linked into them from the C library
// and the standard library's assembly is in their count.
type Purity struct {
	Cranelift int64   `json:"cranelift_bytes"`
	Compiled  int64   `json:"compiled_bytes"`
	Percent   float64 `json:"percent"` // rounded down to tenths, so that 100 means all
}

// Image describes an initfs image.
type Image struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Layout int    `json:"layout"`
	// Entry is the bootstrap's entry point, a virtual address.
	Entry uint64 `json:"bootstrap_entry"`
	// BootstrapSize and BootstrapSHA256 are of the ELF file as it was packed.
	BootstrapSize   int64  `json:"bootstrap_size"`
	BootstrapSHA256 string `json:"bootstrap_sha256"`
	// Bootstrap is where the bootstrap comes from; its Path is "".
	Bootstrap *File `json:"bootstrap,omitempty"`
}

// File is one file of a manifest. Mode is octal text. Backend is "cranelift", "llvm" or "" for what
// no compiler made. Source is what the recipe names; Overridden says that the user had put something else in its place, or in
// that of one of its submodules.
type File struct {
	Path       string   `json:"path"`
	Size       int64    `json:"size"`
	SHA256     string   `json:"sha256,omitempty"`
	Mode       string   `json:"mode"`
	Link       string   `json:"link,omitempty"`
	Backend    string   `json:"backend,omitempty"`
	Recipe     string   `json:"recipe"`
	Source     string   `json:"source"`
	Patches    []string `json:"patches,omitempty"`
	Overridden bool     `json:"source_overridden,omitempty"`
	// Compiler is the rustc that compiled it, with Backend.
	Compiler string `json:"compiler,omitempty"`
	// Reason is why LLVM, when it is LLVM.
	Reason string `json:"backend_reason,omitempty"`
	// C says that the crates have C code, which clang compiled.
	C bool `json:"c,omitempty"`
	// Sysroot is the recipe whose C library is linked in.
	Sysroot string `json:"sysroot,omitempty"`
}

// Schema is raised when a field changes its meaning.
const Schema = 1

// Encode sorts the files, sums them up and returns the JSON, with a line end.
func (m *Manifest) Encode() ([]byte, error) {
	sort.Slice(m.Files, func(i, j int) bool { return m.Files[i].Path < m.Files[j].Path })
	m.Schema = Schema
	m.Bytes = map[string]int64{}
	for _, f := range m.Files {
		if f.Backend != "" {
			m.Bytes[f.Backend] += f.Size
		}
	}
	m.Purity = m.purity()
	text, err := json.MarshalIndent(m, "", "  ")
	return append(text, '\n'), err
}

// Perm is the file's permission bits.
func (f *File) Perm() (fs.FileMode, error) {
	n, err := strconv.ParseUint(f.Mode, 8, 12)
	if err != nil {
		return 0, fmt.Errorf("the manifest gives %s the mode %q, which is not octal like 0755", f.Path, f.Mode)
	}
	return fs.FileMode(n), nil
}

// purity is nil when nothing was compiled.
func (m *Manifest) purity() *Purity {
	p := &Purity{Cranelift: m.Bytes[string(recipe.Cranelift)]}
	for _, n := range m.Bytes {
		p.Compiled += n
	}
	if m.Image != nil && m.Image.Bootstrap != nil && m.Image.Bootstrap.Backend != "" {
		p.Compiled += m.Image.BootstrapSize
		if m.Image.Bootstrap.Backend == string(recipe.Cranelift) {
			p.Cranelift += m.Image.BootstrapSize
		}
	}
	if p.Compiled == 0 {
		return nil
	}
	p.Percent = float64(p.Cranelift*1000/p.Compiled) / 10
	return p
}

// Read decodes a manifest.
func Read(text []byte) (*Manifest, error) {
	m := &Manifest{}
	return m, json.Unmarshal(text, m)
}

// ReadIn reads the manifest that lies in a folder.
func ReadIn(dir string) (*Manifest, error) {
	path := filepath.Join(dir, FileName)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := Read(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

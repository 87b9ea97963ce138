package builder

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"

	"github.com/pannous/redox-clif/internal/recipe"
)

// Manifest is what lies beside a staged tree or an image: every file and where it comes from.
type Manifest struct {
	Schema    int    `json:"schema"`
	Recipe    string `json:"recipe"`
	Target    string `json:"target"`
	Profile   string `json:"profile,omitempty"`
	Toolchain string `json:"toolchain"`
	// Spec is the SHA-256 of the user-space target's JSON, which `mage drift` compares.
	Spec string `json:"spec_sha256,omitempty"`
	// Image is the digest of the image, for an image's manifest.
	Image *ImageRecord `json:"image,omitempty"`
	Files []FileRecord `json:"files"`
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

// ImageRecord describes an initfs image.
type ImageRecord struct {
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
	Bootstrap *FileRecord `json:"bootstrap,omitempty"`
}

// FileRecord is one file of a manifest. Mode is octal text. Backend is "cranelift", "llvm" or "" for what
// no compiler made.
type FileRecord struct {
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

// manifestSchema is raised when a field changes its meaning.
const manifestSchema = 1

// provenance is what is known of everything a node makes.
type provenance struct {
	backend string
	recipe  *recipe.Recipe
	step    *recipe.Step // that compiled it; nil if none did
}

// record fills in where a file comes from.
func (b *Builder) record(f *FileRecord, p provenance) error {
	f.Backend = p.backend
	f.Recipe = p.recipe.Name
	if p.backend != "" && p.step != nil {
		f.Compiler, f.C, f.Sysroot = b.Tools.Name, p.step.CC, p.step.Sysroot
		f.Reason = reasonFor(p)
	}
	r := p.recipe
	for r.Source.SameAs != "" {
		var err error
		if r, err = b.recipe(r.Source.SameAs); err != nil {
			return err
		}
	}
	res, err := b.Resolved(r)
	if err != nil {
		return err
	}
	f.Overridden = res.AnyOverridden()
	f.Patches = r.Patches
	f.Source = sourceText(r, res.Source.String(), f.Overridden)
	return nil
}

// sysroots describes the C libraries that the files of a manifest are linked with.
func (b *Builder) sysroots(m *Manifest) {
	m.Sysroots = map[string][]string{}
	for _, f := range m.Files {
		if _, done := m.Sysroots[f.Sysroot]; f.Sysroot != "" && !done {
			uses := b.usesOfLLVM(f.Sysroot, map[string]bool{})
			slices.Sort(uses)
			m.Sysroots[f.Sysroot] = slices.Compact(uses)
		}
	}
}

// usesOfLLVM are the steps of a recipe, and of those it takes files from, that LLVM or clang compiles.
func (b *Builder) usesOfLLVM(name string, seen map[string]bool) []string {
	r, err := b.recipe(name)
	if err != nil || seen[name] {
		return nil
	}
	seen[name] = true
	var uses []string
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Kind != "cargo" && s.Kind != "rustc" {
			continue
		}
		pkgs := s.Packages
		if s.Kind == "rustc" {
			pkgs = []string{s.Name}
		}
		for _, pkg := range pkgs {
			if b.Backends.choose(r, s, pkg, b.tied(s)) == recipe.LLVM || !b.Tools.Cranelift {
				reason := reasonFor(provenance{backend: string(recipe.LLVM), recipe: r, step: s})
				uses = append(uses, fmt.Sprintf("%s/%s by LLVM: %s", name, s.Name, reason))
			}
		}
		if s.CC {
			uses = append(uses, fmt.Sprintf("%s/%s has C, compiled by clang", name, s.Name))
		}
	}
	for _, f := range r.Files {
		if ref, err := recipe.ParseRef(f.From); err == nil && ref.Recipe != "" {
			uses = append(uses, b.usesOfLLVM(ref.Recipe, seen)...)
		}
	}
	return uses
}

// reasonFor is why LLVM compiled something: the recipe's word, or the user's.
func reasonFor(p provenance) string {
	switch {
	case p.backend != string(recipe.LLVM):
		return ""
	case p.step.Target == "host":
		return "runs on the host"
	case p.step.Backend == recipe.LLVM:
		return p.step.Reason
	}
	return "the recipe says Cranelift; LLVM was chosen for this build (-backend), or Cranelift was not there"
}

// sourceText names a source without a path of this machine: manifests are compared between machines.
func sourceText(r *recipe.Recipe, resolved string, overridden bool) string {
	s := r.Source
	switch {
	case s.Path != "":
		return "recipes/" + r.Name
	case overridden && s.Git != "":
		return s.Git + " at " + s.Commit + ", overridden"
	case overridden && s.Archive != "":
		return s.Archive + ", overridden"
	case overridden:
		return "crate " + s.Crate + " " + s.Version + ", overridden"
	case s.Git != "":
		return s.Git + " at " + s.Commit
	}
	return resolved
}

// finish sorts the files, sums them up and encodes the manifest.
func (m *Manifest) finish() ([]byte, error) {
	sort.Slice(m.Files, func(i, j int) bool { return m.Files[i].Path < m.Files[j].Path })
	m.Schema = manifestSchema
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

// ReadManifest decodes a manifest.
func ReadManifest(text []byte) (*Manifest, error) {
	m := &Manifest{}
	return m, json.Unmarshal(text, m)
}

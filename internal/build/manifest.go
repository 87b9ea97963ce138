package build

import (
	"encoding/json"
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
}

// manifestSchema is raised when a field changes its meaning.
const manifestSchema = 1

// provenance is what is known of everything a node makes.
type provenance struct {
	backend string
	recipe  *recipe.Recipe
}

// record fills in where a file comes from.
func (b *Builder) record(f *FileRecord, p provenance) error {
	f.Backend = p.backend
	f.Recipe = p.recipe.Name
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
	text, err := json.MarshalIndent(m, "", "  ")
	return append(text, '\n'), err
}

// ReadManifest decodes a manifest.
func ReadManifest(text []byte) (*Manifest, error) {
	m := &Manifest{}
	return m, json.Unmarshal(text, m)
}

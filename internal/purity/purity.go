// Package purity says what compiled every file of an initfs image, and where LLVM, clang or C have a part.
//
// It owns how a file's own record (the note of what made it, .comment) and the manifest beside the image are put together, and
// what counts as a use of LLVM. It must not know how files are built, nor print.
package purity

import (
	"bytes"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/recipe"
)

// BootstrapPath stands for the bootstrap, which is no file of the image's tree.
const BootstrapPath = "(bootstrap)"

// Report is what made an image.
type Report struct {
	Image string `json:"image"`
	Files []File `json:"files"`
	// Uses are those of LLVM, clang or C, sorted.
	Uses   []Use           `json:"uses"`
	Purity manifest.Purity `json:"purity"`
	// Manifest tells whether one that belongs to the image lies beside it; without it the report is what the files themselves say.
	Manifest bool `json:"manifest"`
}

// File is one file of an image, with everything that is known of its making.
type File struct {
	Path string `json:"path"`
	Size int64  `json:"size"` // bytes
	// Backend is "cranelift" or "llvm", with a question mark where only .comment tells; "" for what no compiler made, or where nothing tells.
	Backend  string   `json:"backend,omitempty"`
	Compiler string   `json:"compiler,omitempty"`
	Recipe   string   `json:"recipe,omitempty"`
	Source   string   `json:"source,omitempty"`
	Patches  []string `json:"patches,omitempty"`
	Reason   string   `json:"backend_reason,omitempty"`
	Sysroot  string   `json:"sysroot,omitempty"` // the recipe whose C library is linked in
	C        bool     `json:"c,omitempty"`       // its crates have C code
	// Linked are the code generators that .comment names: of what is linked in as well.
	Linked []string `json:"linked,omitempty"`
}

// Use is one use of LLVM, clang or C.
type Use struct {
	What  string   `json:"what"`
	Files []string `json:"files"`
}

// Of reads an image file.
func Of(file string) (*Report, error) {
	img, err := initfs.OpenFile(file)
	if err != nil {
		return nil, err
	}
	defer img.Close()
	m := Manifest(file)
	r := &Report{Image: file, Manifest: m != nil}
	records := Records(m)
	err = img.Walk(func(path string, n *initfs.Node) error {
		if n.Kind == initfs.File {
			name := strings.TrimPrefix(path, "/")
			r.Files = append(r.Files, FileOf(name, n, records[name]))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var sysroots map[string][]string
	if img.Bootstrap != nil {
		var record manifest.File
		if m != nil && m.Image.Bootstrap != nil {
			record = *m.Image.Bootstrap
		}
		r.Files = append(r.Files, FileOf(BootstrapPath, &initfs.Node{Kind: initfs.File, Content: img.Bootstrap}, record))
	}
	if m != nil {
		sysroots = m.Sysroots
	}
	r.Uses, r.Purity = uses(r.Files, sysroots), share(r.Files)
	return r, nil
}

// Manifest reads the manifest beside an image when it is that image's: the digest decides. nil without one.
func Manifest(image string) *manifest.Manifest {
	m, err := manifest.ReadIn(filepath.Dir(image))
	if err != nil || m.Image == nil {
		return nil
	}
	d, err := cas.DigestFile(image)
	if err != nil || d.Hash != m.Image.SHA256 {
		return nil
	}
	return m
}

// Records are the files of a manifest by path; m may be nil.
func Records(m *manifest.Manifest) map[string]manifest.File {
	records := map[string]manifest.File{}
	if m != nil {
		for _, f := range m.Files {
			records[f.Path] = f
		}
	}
	return records
}

// FileOf joins what a file says of itself with what the manifest says of it. What the file does not say (one that is no program,
// an image made elsewhere) is taken from the manifest's record.
func FileOf(name string, n *initfs.Node, record manifest.File) File {
	making, linked := provenance(n)
	if making.Backend == "" {
		making = completed(making, record)
	}
	f := File{
		Path: name, Size: n.Size(), Backend: making.Backend, Compiler: making.Compiler, Recipe: making.Recipe, Source: making.Source, Patches: making.Patches,
		Reason: record.Reason, Sysroot: making.Sysroot, C: making.C, Linked: linked,
	}
	if record.Overridden {
		f.Source += ", overridden"
	}
	// Not ours, and still a program: what .comment names is all that is known.
	if f.Backend == "" && slices.Contains(linked, "cranelift") {
		f.Backend = "cranelift?"
	} else if f.Backend == "" && slices.Contains(linked, "llvm") {
		f.Backend = "llvm?"
	}
	return f
}

func completed(making elfcheck.Making, record manifest.File) elfcheck.Making {
	if record.Backend != "" || making.Compiler == "" {
		making.Compiler = record.Compiler
	}
	making.Backend, making.Recipe, making.Source, making.Patches = record.Backend, record.Recipe, record.Source, record.Patches
	making.C, making.Sysroot = record.C, record.Sysroot
	return making
}

// provenance reads our note of an ELF file and the code generators that .comment names. Without our note the
// compiler is what .comment says.
func provenance(n *initfs.Node) (elfcheck.Making, []string) {
	if n.Kind != initfs.File {
		return elfcheck.Making{}, nil
	}
	b, err := initfs.ReadContent(n.Content)
	if err != nil {
		return elfcheck.Making{}, nil
	}
	p, err := elfcheck.ReadProvenance(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return elfcheck.Making{}, nil
	}
	making, ours := p.Making()
	if i := slices.IndexFunc(p.Comments, func(c string) bool { return strings.Contains(c, "rustc") }); !ours && i >= 0 {
		making.Compiler = p.Comments[i]
	}
	return making, p.Compilers()
}

// uses are the uses of LLVM, clang or C, each once, with the files concerned.
func uses(files []File, sysroots map[string][]string) []Use {
	by := map[string][]string{}
	add := func(what string, f File) { by[what] = append(by[what], f.Path) }
	for _, f := range files {
		switch {
		case strings.HasPrefix(f.Backend, "llvm") && f.Reason != "":
			add("compiled by LLVM: "+f.Reason, f)
		case strings.HasPrefix(f.Backend, "llvm"):
			add("compiled by LLVM, for a reason that the image does not tell", f)
		case strings.HasPrefix(f.Backend, "cranelift"):
			// rustc assembles for Cranelift with its LLVM backend, and the two leave the same .comment.
			add("assembly in the crates (core, compiler_builtins, system calls) is assembled by LLVM", f)
		}
		if f.C {
			add("C code of its crates, by clang", f)
		}
		for _, compiler := range []string{"clang", "gcc"} {
			if !f.C && slices.Contains(f.Linked, compiler) {
				add("objects by "+compiler+" are linked in", f)
			}
		}
		if parts, known := sysroots[f.Sysroot]; known {
			for _, part := range parts {
				add("linked with "+part, f)
			}
		} else if f.Sysroot != "" {
			add("linked with the C library of recipe "+f.Sysroot, f)
		}
	}
	var all []Use
	for _, what := range slices.Sorted(maps.Keys(by)) {
		all = append(all, Use{what, by[what]})
	}
	return all
}

// share counts as the manifest does.
func share(files []File) manifest.Purity {
	var p manifest.Purity
	for _, f := range files {
		if f.Backend == "" {
			continue
		}
		p.Compiled += f.Size
		if strings.HasPrefix(f.Backend, string(recipe.Cranelift)) {
			p.Cranelift += f.Size
		}
	}
	if p.Compiled > 0 {
		p.Percent = float64(p.Cranelift*1000/p.Compiled) / 10
	}
	return p
}

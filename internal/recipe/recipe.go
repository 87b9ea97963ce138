// Package recipe is what a recipe.toml can say: a typed model, the strict reader and
// the checks that need nothing but the recipes themselves.
//
// It owns the schema and the references between recipes. It must not know how
// anything is fetched, built or cached; package builder turns recipes into a graph.
package recipe

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Backend is the code generator of rustc that a component is built with.
type Backend string

const (
	// Cranelift is the default backend.
	Cranelift Backend = "cranelift"
	// LLVM needs a reason in the recipe.
	LLVM Backend = "llvm"
)

// What the sources of a step may need of a backend beyond plain Rust.
const (
	Variadic  = "variadic-definition" // they define C-variadic functions
	AsmSym    = "sym-operands-global" // their assembly names a private function
	AsmObject = "asm-object"          // --emit obj of a crate that has assembly
)

// Needs lists them. Each is the name of a probe of the toolchain.
func Needs() []string { return []string{Variadic, AsmSym, AsmObject} }

// Recipe is one recipes/<name>/recipe.toml.
type Recipe struct {
	// Name is the folder's name.
	Name string `toml:"-"`
	// Dir is the recipe's folder.
	Dir string `toml:"-"`
	// Path is the file, for messages.
	Path string `toml:"-"`

	// Description is one line for lists: "coreutils as one multicall program".
	Description string `toml:"description"`
	// Source says where the source comes from.
	Source Source `toml:"source"`
	// Patches are series below patches/, applied in this order: ["randd", "pcid"].
	Patches []string `toml:"patches"`
	// Cargo says how the source's Cargo workspace is fitted.
	Cargo Cargo `toml:"cargo"`
	// Steps are run as far as something asks for their outputs.
	Steps []Step `toml:"step"`
	// Files is the staged tree.
	Files []File `toml:"file"`
	// Initfs makes the recipe's stage an initfs image.
	Initfs *Initfs `toml:"initfs"`
	// Boot says how `mage demo` boots the stage in QEMU.
	Boot *Boot `toml:"boot"`
	// Profiles replace source, patches and cargo, by profile name.
	Profiles map[string]Profile `toml:"profile"`
}

// Source is exactly one of git, archive, crate, path and same-as.
type Source struct {
	Git    string `toml:"git"`    // URL
	Commit string `toml:"commit"` // 40 hex digits
	// Submodules are explicit: path in the tree -> repository and commit.
	Submodules map[string]Submodule `toml:"submodules"`

	Archive string `toml:"archive"` // URL of a tar archive
	SHA256  string `toml:"sha256"`  // of the archive or crate file
	Strip   int    `toml:"strip"`   // leading path components dropped on extraction

	Crate   string `toml:"crate"` // name in the crate registry
	Version string `toml:"version"`

	Path string `toml:"path"` // relative to the recipe's folder

	SameAs string `toml:"same-as"` // another recipe's source and patches
}

// Submodule is a repository placed inside another one.
type Submodule struct {
	Git    string `toml:"git"`
	Commit string `toml:"commit"`
}

// Cargo fits a workspace to this build.
type Cargo struct {
	// Dir is the folder of the workspace in the source ("" is the top).
	Dir string `toml:"dir"`
	// Members are the workspace members kept; what they need by path stays as well.
	Members []string `toml:"members"`
	// Replace maps the URL of a git dependency to the recipe whose patched source takes its place.
	Replace map[string]string `toml:"replace"`
	// Patch maps the name of a crate of the registry to the recipe whose patched source takes its place.
	Patch map[string]string `toml:"patch"`
	// Lock names a Cargo.lock beside the recipe, for a source that has none or one that does not do.
	Lock string `toml:"lock"`
	// Whole gives each of several cargo steps the whole workspace, for sources that read Rust files of packages
	// they do not depend on. A change of any of them then runs cargo in all of these steps.
	Whole bool `toml:"whole"`
}

// Profile is what another set of sources changes.
type Profile struct {
	Source  *Source   `toml:"source"`
	Patches *[]string `toml:"patches"`
	Cargo   *Cargo    `toml:"cargo"`
	// Packages are added to those of a step, by its name.
	Packages map[string][]string `toml:"packages"`
	// BuildStd names the steps that build the standard library themselves in this profile.
	BuildStd []string `toml:"build-std"`
	// Files are added to the staged tree.
	Files []File `toml:"file"`
}

// Step is one action of a recipe, told apart by Kind.
type Step struct {
	Name string `toml:"name"`
	// Kind is what the step does.
	Kind Kind `toml:"kind"`

	// Target is what it is compiled for, by default user space.
	Target TargetKind `toml:"target"`
	// Backend is "cranelift" (the default) or "llvm" with a reason.
	Backend Backend `toml:"backend"`
	Reason  string  `toml:"backend-reason"`
	// Needs is what the sources ask of a backend beyond plain Rust, see [Needs]. Beside backend = "llvm" it is
	// why: where the toolchain's Cranelift passes these probes, the step is not tied to LLVM.
	Needs []string `toml:"needs"`

	// For cargo. Dir is the manifest's folder in the source; for c-programs that of the C files.
	Dir             string   `toml:"dir"`
	Packages        []string `toml:"packages"`
	Bins            []string `toml:"bins"`     // default: the packages
	Artifact        Artifact `toml:"artifact"` // default: bin
	Features        []string `toml:"features"`
	DefaultFeatures *bool    `toml:"default-features"`
	// Std is the crates of the standard library it is compiled against, by default all; they are prepared once.
	Std Std `toml:"std"`
	// BuildStd has cargo build these crates itself by -Zbuild-std, in place of those prepared once.
	BuildStd bool `toml:"build-std"`
	// Sysroot is the recipe whose stage has lib/crt0.o and the C libraries; for c-programs as well.
	Sysroot   string            `toml:"sysroot"`
	RustFlags []string          `toml:"rustflags"`
	Env       map[string]string `toml:"env"`
	// CC gives the build scripts of C in crates a C compiler for the target, which takes its headers
	// from the sysroot.
	CC bool `toml:"cc"`

	// For rustc, link, archive and rename-symbols: references, see [ParseRef].
	Inputs []string `toml:"inputs"`
	Output string   `toml:"output"`
	Script string   `toml:"script"` // linker script, a reference; for cargo steps as well
	Args   []string `toml:"args"`   // for c-programs those of the C compiler

	// Rules are the checks of the linked file, by default those for programs where the step links some.
	Rules Rules `toml:"rules"`
}

// File places something into the staged tree.
type File struct {
	// From is a reference; a folder brings everything below it.
	From string `toml:"from"`
	// To is the path in the stage.
	To string `toml:"to"`
	// Mode is octal, default 0755 for executables and 0644 for others.
	Mode string `toml:"mode"`
	// Strip takes symbols and debug information out of an ELF file: "all" or "debug".
	Strip string `toml:"strip"`
	// Links are paths in the stage that become symbolic links to To: the names of a program that does
	// what it is called.
	Links []string `toml:"links"`
}

// Initfs makes an image out of the stage.
type Initfs struct {
	// Version is the layout, 1 or 2 (facts in package initfs).
	Version int `toml:"version"`
	// Bootstrap is a reference to the bootstrap ELF.
	Bootstrap string `toml:"bootstrap"`
	// MaxSize bounds the image in MiB; 0 means 64, upstream's release limit.
	MaxSize int `toml:"max-size-mib"`
}

// Boot says how an image is booted by a smoke kernel.
type Boot struct {
	// Kernel is a reference to the ELF given to QEMU's -kernel.
	Kernel string `toml:"kernel"`
	// Canaries are the names of the checks that init has to report as passed.
	Canaries []string `toml:"canaries"`
	// Exits are the programs that init runs and the status each has to end with.
	Exits map[string]int `toml:"exits"`
}

// WithProfile returns the recipe as a profile has it. The empty profile is the recipe itself, and
// a recipe without an entry for the profile is the same in all of them.
func (r *Recipe) WithProfile(name string) *Recipe {
	p, ok := r.Profiles[name]
	if !ok {
		return r
	}
	c := *r
	if p.Source != nil {
		c.Source = *p.Source
	}
	if p.Patches != nil {
		c.Patches = *p.Patches
	}
	if p.Cargo != nil {
		c.Cargo = *p.Cargo
	}
	c.Steps = slices.Clone(r.Steps)
	for i := range c.Steps {
		st := &c.Steps[i]
		st.Packages = slices.Concat(st.Packages, p.Packages[st.Name])
		st.BuildStd = st.BuildStd || slices.Contains(p.BuildStd, st.Name)
	}
	c.Files = slices.Concat(r.Files, p.Files)
	return &c
}

// Step returns the step of that name.
func (r *Recipe) Step(name string) (*Step, bool) {
	for i := range r.Steps {
		if r.Steps[i].Name == name {
			return &r.Steps[i], true
		}
	}
	return nil, false
}

// Ref names a file or folder: what a step made, a file of the source, or part of another
// recipe's stage.
type Ref struct {
	Recipe string // other recipe, or "" for the same one
	Step   string // step of the same recipe, "source" for the patched source, "recipe" for the recipe's own folder
	Path   string // slash path, "" for everything
}

// ParseRef reads a reference:
//
//	programs/init          output init of the step programs
//	source/init.rc         a file of the patched source
//	recipe/stubs.rs        a file beside recipe.toml
//	base:bin/init          a file of the stage of the recipe base
//	base:                  the whole stage of base
func ParseRef(s string) (Ref, error) {
	if name, path, ok := strings.Cut(s, ":"); ok {
		if !validName.MatchString(name) || !validPath(path) {
			return Ref{}, fmt.Errorf("%q is no reference to another recipe's stage (want recipe:path)", s)
		}
		return Ref{Recipe: name, Path: path}, nil
	}
	step, path, _ := strings.Cut(s, "/")
	if !validName.MatchString(step) || !validPath(path) {
		return Ref{}, fmt.Errorf("%q is no reference (want step/file, source/file, recipe/file or recipe:file)", s)
	}
	return Ref{Step: step, Path: path}, nil
}

var (
	validName   = regexp.MustCompile(`^[a-z0-9][a-z0-9_.+-]*$`)
	validCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)
	validSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// validPath accepts relative slash paths that stay where they are.
func validPath(p string) bool {
	if p == "" {
		return true
	}
	for _, part := range strings.Split(p, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

// BackendOrDefault is the step's backend, Cranelift when it does not say.
func (s *Step) BackendOrDefault() Backend {
	if s.Backend == "" {
		return Cranelift
	}
	return s.Backend
}

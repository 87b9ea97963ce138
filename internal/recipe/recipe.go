// Package recipe is what a recipe.toml can say: a typed model, the strict reader and
// the checks that need nothing but the recipes themselves.
//
// It owns the schema and the references between recipes. It must not know how
// anything is fetched, built or cached; package builder turns recipes into a graph.
package recipe

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Backend is the code generator of rustc that a component is built with.
type Backend string

// The backends.
const (
	Cranelift Backend = "cranelift" // the default
	LLVM      Backend = "llvm"      // needs a reason in the recipe
)

// Values are both.
func (Backend) Values() []string { return tomlfile.Values(Cranelift, LLVM) }

// Need is what the sources of a step may ask of a backend beyond plain Rust. It is the name of a probe of the toolchain.
type Need string

// The needs.
const (
	Variadic  Need = "variadic-definition" // they define C-variadic functions
	AsmSym    Need = "sym-operands-global" // their assembly names a private function
	AsmObject Need = "asm-object"          // --emit obj of a crate that has assembly
)

// Needs lists them.
func Needs() []Need { return []Need{Variadic, AsmSym, AsmObject} }

// Values are all of them.
func (Need) Values() []string { return tomlfile.Values(Needs()...) }

// Recipe is recipes/<name>/recipe.toml: what is built, of which source, and what of it is staged. Keys that take a reference take
//
//	programs/init          output init of the step programs
//	source/init.rc         a file of the patched source
//	recipe/stubs.rs        a file beside recipe.toml
//	base:bin/init          a file of the stage of the recipe base
//	base:                  the whole stage of base
type Recipe struct {
	// Name is the folder's name.
	Name string `toml:"-"`
	// Dir is the recipe's folder.
	Dir string `toml:"-"`
	// Path is the file, for messages.
	Path string `toml:"-"`

	// Description is one line for lists: "coreutils as one multicall program".
	Description string `toml:"description,required"`
	// Source says where the source comes from.
	Source Source `toml:"source,required"`
	// Patches are series below patches/, applied in this order: ["randd", "pcid"].
	Patches []string `toml:"patches"`
	// Cargo says how the source's Cargo workspace is fitted.
	Cargo Cargo `toml:"cargo"`
	// Steps are run as far as something asks for their outputs.
	Steps []Step `toml:"step"`
	// Files are the staged tree, which is what the recipe gives.
	Files []File `toml:"file"`
	// Install is the short form of `file`, for what keeps its name and gets a file's defaults: the folder in the stage, and references to what
	// goes there, as in bin = ["programs/init", "programs/logd"].
	Install map[string][]string `toml:"install"`
	// Initfs makes the recipe's stage an initfs image.
	Initfs *Initfs `toml:"initfs"`
	// Boot says how `mage demo` boots the stage in QEMU.
	Boot *Boot `toml:"boot"`
	// Sets are what differs in release sets, by name: with -set=NAME (REDOX_SET) what one says takes the place of the recipe's.
	Sets map[string]Difference `toml:"set,was=profile"`

	// Release is the release set that the source and the patches are of; "" for those that the file says first.
	Release string `toml:"-"`
	// SourceOf and PatchesOf are the release sets that have said the source and the patches, "" for the recipe.
	SourceOf, PatchesOf string `toml:"-"`
}

// Source says where a source comes from. Everything but `path` is fetched, and held to its digest.
type Source struct {
	// Git is a repository's URL.
	Git string `toml:"git,oneof"`
	// Commit is that of the repository, 40 hex digits: branches and tags move. `git` needs it.
	Commit string `toml:"commit"`
	// Submodules are the repository's that are wanted, by their path in it. Others stay empty.
	Submodules map[string]Submodule `toml:"submodules"`

	// Archive is the URL of a tar archive.
	Archive string `toml:"archive,oneof"`
	// SHA256 is the digest of the archive or of the crate's file, 64 hex digits. `crate` needs it, `archive` this or `blake3`.
	SHA256 string `toml:"sha256"`
	// Blake3 is a digest of the archive by BLAKE3, 64 hex digits. Beside `sha256` both have to be right.
	Blake3 string `toml:"blake3"`
	// Strip is how many leading components of the paths in an archive are dropped; 0 by default.
	Strip int `toml:"strip"`

	// Crate is a name in the crate registry.
	Crate string `toml:"crate,oneof"`
	// Version is the crate's; `crate` needs it.
	Version string `toml:"version"`

	// Path is a folder, relative to the recipe's: "." for sources of our own beside recipe.toml.
	Path string `toml:"path,oneof"`

	// SameAs is the name of another recipe: its source is taken, with its patches.
	SameAs string `toml:"same-as,oneof"`
}

// Submodule is a repository placed inside another one.
type Submodule struct {
	// Git is the repository's URL.
	Git string `toml:"git,required"`
	// Commit has 40 hex digits.
	Commit string `toml:"commit,required"`
}

// Cargo fits a workspace to this build.
type Cargo struct {
	// Dir is the folder of the workspace in the source, by default the top.
	Dir string `toml:"dir"`
	// Members are the workspace members kept; what they need by path stays as well. By default they are the packages of the recipe's cargo
	// steps, where the source is a repository or an archive and all these packages are members. ["*"] keeps all, as `whole` does.
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

// AllMembers are [Cargo.Members] that keep all.
var AllMembers = []string{"*"}

// Step is one action of a recipe. What it does is its `kind`. A user step is one that links programs for the user space of Redox: a cargo step
// with `target = "user"` and programs as its artifact, or c-programs. What makes libraries or objects, is linked by the rules of a kernel or
// bootstrap, or is for the firmware or the host is none.
type Step struct {
	// Name is what references, logs and `mage why RECIPE/NAME` call the step: lower-case letters, digits and ._+-, but neither "source"
	// nor "recipe".
	Name string `toml:"name,required"`
	// Kind is what the step does.
	Kind Kind `toml:"kind,required"`

	// Target is what it is compiled for, by default user space.
	Target TargetKind `toml:"target"`
	// Backend is the code generator of rustc.
	Backend Backend `toml:"backend"`
	// Reason says why Cranelift cannot build the step. LLVM needs one, except on the host.
	Reason string `toml:"backend-reason"`
	// Needs is what the sources ask of a backend beyond plain Rust. Beside `backend = "llvm"` it is why: where the toolchain's Cranelift
	// passes these probes, the step is not tied to LLVM.
	Needs []Need `toml:"needs"`

	// Dir is the manifest's folder for a cargo step, below that of the workspace and by default itself; for c-programs the folder of C
	// files in the source.
	Dir string `toml:"dir"`
	// Packages are what cargo builds, by name; a cargo step needs some.
	Packages []string `toml:"packages"`
	// Bins are the programs taken of a cargo step; by default those named like the packages.
	Bins []string `toml:"bins"`
	// Artifact is what a cargo step takes of its packages, by default programs.
	Artifact Artifact `toml:"artifact"`
	// Features are turned on for cargo's packages.
	Features []string `toml:"features"`
	// DefaultFeatures says whether the packages' own default features are on; true by default.
	DefaultFeatures *bool `toml:"default-features"`
	// Std is the crates of the standard library that a cargo or rustc step is compiled against, by default all; they are prepared once.
	Std Std `toml:"std"`
	// BuildStd has cargo build these crates itself by -Zbuild-std, in place of those prepared once.
	BuildStd bool `toml:"build-std"`
	// Sysroot is the recipe whose stage has lib/crt0.o and the C libraries, for cargo steps that link programs and for c-programs. By default it is
	// the recipe sysroot for a user step, and none for others; "none" is without.
	Sysroot string `toml:"sysroot"`
	// RustFlags are added to those of rustc in a cargo step.
	RustFlags []string `toml:"rustflags"`
	// Env is added to the environment of cargo, where nothing of the user's gets. %{commit} in a value is the commit of the source.
	Env map[string]string `toml:"env"`
	// CC gives the build scripts of C in crates a C compiler for the target, which takes its headers
	// from the sysroot.
	CC bool `toml:"cc"`

	// Inputs are references, for every kind but cargo: what is compiled, linked, packed or renamed. For c-headers it is cbindgen.
	Inputs []string `toml:"inputs"`
	// Output is the name of the file or folder made; every kind but cargo needs it.
	Output string `toml:"output"`
	// Script is a linker script, a reference, for link and cargo steps.
	Script string `toml:"script"`
	// Args are added to the arguments of the tool: cargo, rustc, the linker, the C compiler.
	Args []string `toml:"args"`

	// Rules are the checks of the linked file, by default those for programs where the step links some.
	Rules Rules `toml:"rules"`
}

// File places something into the staged tree.
type File struct {
	// From is a reference; a folder brings everything below it.
	From string `toml:"from,required"`
	// To is the path in the stage; "" (the default) is the top.
	To string `toml:"to"`
	// Mode has the permission bits, octal; by default 0755 for executables and 0644 for others.
	Mode string `toml:"mode"`
	// Strip takes symbols and debug information out of an ELF file: by default all of them out of a program of a user step, nothing out of others.
	Strip Strip `toml:"strip"`
	// Links are paths in the stage that become symbolic links to `to`: the names of a program that does
	// what it is called.
	Links []string `toml:"links"`

	// key is where the recipe's file says it.
	key []string
}

// Strip is what is taken out of an ELF file.
type Strip string

// What can be taken out. The section that names the compilers stays.
const (
	StripAll   Strip = "all"   // all symbols and debug information
	StripDebug Strip = "debug" // debug information
	StripNone  Strip = "none"  // nothing
)

// Values are all of them.
func (Strip) Values() []string { return tomlfile.Values(StripAll, StripDebug, StripNone) }

// Initfs makes an image out of the stage.
type Initfs struct {
	// Version is the layout: 1 (upstream's base until February 2026) or 2 (from the end of April 2026).
	Version int `toml:"version,required"`
	// Bootstrap is a reference to the bootstrap ELF.
	Bootstrap string `toml:"bootstrap,required"`
	// MaxSize bounds the image in MiB; 0 (the default) means 64, upstream's release limit.
	MaxSize int `toml:"max-size-mib"`
}

// Boot says how an image is booted by a smoke kernel.
type Boot struct {
	// Kernel is a reference to the ELF given to QEMU's -kernel.
	Kernel string `toml:"kernel,required"`
	// Canaries are the names of the checks that init has to report as passed.
	Canaries []string `toml:"canaries"`
	// Exits are the programs that init runs and the status each has to end with.
	Exits map[string]int `toml:"exits"`
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

// ParseRef reads a reference; see [Recipe] for what there is.
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
	validSum    = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// CheckName says what is wrong with the name of a recipe.
func CheckName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("%q is no recipe name (lower-case letters, digits and ._+-)", name)
	}
	return nil
}

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

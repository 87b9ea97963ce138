package recipe

import (
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Kind is what a step does.
type Kind string

// The kinds of step.
const (
	KindCargo         Kind = "cargo"          // cargo builds packages of the workspace
	KindRustc         Kind = "rustc"          // rustc makes an object of one file
	KindLink          Kind = "link"           // rust-lld links the inputs
	KindArchive       Kind = "archive"        // puts the inputs into a static library
	KindRenameSymbols Kind = "rename-symbols" // keeps the symbols of a C library's Rust out of the way of a program's
	KindCHeaders      Kind = "c-headers"      // cbindgen makes the C headers of relibc
	KindCPrograms     Kind = "c-programs"     // clang makes a program of every C file of a folder
)

// TargetKind is what a step is compiled for.
type TargetKind string

// The targets of steps. Their triples follow from the user-space target.
const (
	TargetUser   TargetKind = "user"   // Redox programs, the default
	TargetKernel TargetKind = "kernel" // freestanding
	TargetUEFI   TargetKind = "uefi"   // the firmware
	TargetHost   TargetKind = "host"   // the machine that builds
)

// Values are all of them.
func (TargetKind) Values() []string {
	return tomlfile.Values(TargetUser, TargetKernel, TargetUEFI, TargetHost)
}

// Artifact is what a cargo step takes of its packages.
type Artifact string

// The artifacts of cargo steps.
const (
	ArtifactBin       Artifact = "bin"       // programs, the default
	ArtifactStaticlib Artifact = "staticlib" // static libraries, lib<package>.a
	ArtifactObject    Artifact = "object"    // an object file for each package
)

// Values are all of them.
func (Artifact) Values() []string {
	return tomlfile.Values(ArtifactBin, ArtifactStaticlib, ArtifactObject)
}

// Std is the set of library crates that a step is compiled against.
type Std string

// The sets of library crates.
const (
	StdFull Std = "std"  // core, alloc and std, the default
	StdCore Std = "core" // core and alloc, with the memory functions
	StdNone Std = "none" // the host's own, or what the source brings
)

// Values are all of them.
func (Std) Values() []string { return tomlfile.Values(StdFull, StdCore, StdNone) }

// Rules are the checks of what a step links; package elfcheck has them.
type Rules string

// The rules for linked files.
const (
	RulesProgram   Rules = "program"   // the default for programs of user space
	RulesBootstrap Rules = "bootstrap" // the bootstrap of an initfs
	RulesKernel    Rules = "kernel"    // a kernel
	RulesNone      Rules = "none"      // the default for all else
)

// Values are all of them.
func (Rules) Values() []string {
	return tomlfile.Values(RulesProgram, RulesBootstrap, RulesKernel, RulesNone)
}

// kindText is what the text of a recipe says of one kind of step.
type kindText struct {
	kind Kind
	// check finds what is missing in a step of the kind, or out of place there.
	check func(*Step) []fault
	// components are the names by which a backend is chosen for parts of the step; nil where rustc compiles nothing.
	components func(*Step) []string
	// linksPrograms says that the step links programs unless it says otherwise.
	linksPrograms func(*Step) bool
}

// kindTexts is the table of the kinds of step. A kind has its other row, which says how it is built, in package
// builder (kinds); a test there holds the two tables to the same kinds.
var kindTexts = []kindText{
	{kind: KindCargo, check: (*Step).checkCargo, components: func(s *Step) []string { return s.Packages }, linksPrograms: (*Step).isProgram},
	{kind: KindRustc, check: (*Step).checkTool, components: func(s *Step) []string { return []string{s.Name} }},
	{kind: KindLink, check: (*Step).checkOutput},
	{kind: KindArchive, check: (*Step).checkTool},
	{kind: KindRenameSymbols, check: (*Step).checkTool},
	{kind: KindCHeaders, check: (*Step).checkCHeaders},
	{kind: KindCPrograms, check: (*Step).checkCPrograms},
}

// Kinds are all kinds of step.
func Kinds() []Kind {
	var all []Kind
	for _, row := range kindTexts {
		all = append(all, row.kind)
	}
	return all
}

// Values are all kinds of step.
func (Kind) Values() []string { return tomlfile.Values(Kinds()...) }

// text is the row of a kind; one without any checks for a kind that there is not.
func (k Kind) text() kindText {
	for _, row := range kindTexts {
		if row.kind == k {
			return row
		}
	}
	return kindText{check: func(*Step) []fault { return nil }}
}

func (s *Step) checkCargo() []fault {
	var faults []fault
	if s.BuildStd && (s.Target == TargetHost || s.Std == StdNone) {
		faults = append(faults, at("build-std")("build-std is for cargo steps that have a standard library of the target"))
	}
	if len(s.Packages) == 0 {
		faults = append(faults, at("kind")("a cargo step needs packages"))
	}
	if s.CC && s.Sysroot == "" {
		faults = append(faults, at("cc")("cc is for the C in crates of a cargo step: it takes its headers from the sysroot"))
	}
	return faults
}

// checkOutput is for every kind whose step makes one output of its inputs.
func (s *Step) checkOutput() []fault {
	var faults []fault
	if s.BuildStd {
		faults = append(faults, at("build-std")("build-std is for cargo steps that have a standard library of the target"))
	}
	if s.Output == "" {
		faults = append(faults, at("kind")("a %s step needs output", s.Kind))
	}
	if s.CC {
		faults = append(faults, at("cc")("cc is for the C in crates of a cargo step: it takes its headers from the sysroot"))
	}
	return faults
}

// checkTool is for those of them that have no use for a linker script.
func (s *Step) checkTool() []fault {
	faults := s.checkOutput()
	if s.Script != "" {
		faults = append(faults, at("script")("script is for the linker of a cargo or link step"))
	}
	return faults
}

func (s *Step) checkCHeaders() []fault {
	faults := s.checkTool()
	if len(s.Inputs) != 1 {
		faults = append(faults, at("kind")("a c-headers step has one input: cbindgen"))
	}
	return faults
}

func (s *Step) checkCPrograms() []fault {
	faults := s.checkTool()
	if s.Dir == "" || s.Sysroot == "" {
		faults = append(faults, at("kind")("a c-programs step needs dir, the folder of C files in the source, and sysroot"))
	}
	return faults
}

// isProgram tells whether a cargo step links programs for user space.
func (s *Step) isProgram() bool {
	return s.TargetOrDefault() == TargetUser && (s.Artifact == "" || s.Artifact == ArtifactBin)
}

// TargetOrDefault is what the step is compiled for.
func (s *Step) TargetOrDefault() TargetKind {
	if s.Target == "" {
		return TargetUser
	}
	return s.Target
}

// StdOrDefault is the set of library crates the step is compiled against.
func (s *Step) StdOrDefault() Std {
	if s.Std == "" {
		return StdFull
	}
	return s.Std
}

// RulesOrDefault are the rules for what the step links: its own word, else those for programs where its kind links some.
func (s *Step) RulesOrDefault() Rules {
	if s.Rules != "" {
		return s.Rules
	}
	if links := s.Kind.text().linksPrograms; links != nil && links(s) {
		return RulesProgram
	}
	return RulesNone
}

// IsUser tells whether the step is a user step: see [Step].
func (s *Step) IsUser() bool {
	if s.Rules == RulesBootstrap || s.Rules == RulesKernel {
		return false
	}
	return s.Kind == KindCargo && s.isProgram() || s.Kind == KindCPrograms && s.TargetOrDefault() == TargetUser
}

// Programs are the programs that a cargo step takes.
func (s *Step) Programs() []string {
	if len(s.Bins) > 0 {
		return s.Bins
	}
	return s.Packages
}

// OutputOf is the file name of what a cargo step takes of a package or, where it takes programs, of a program.
func (s *Step) OutputOf(name string) string {
	switch {
	case s.Artifact == ArtifactStaticlib:
		return "lib" + strings.ReplaceAll(name, "-", "_") + ".a"
	case s.Artifact == ArtifactObject:
		return name + ".o"
	case s.Target == TargetUEFI:
		return name + ".efi"
	}
	return name
}

// Outputs are the names of the files that the step makes, or of its one file or folder.
func (s *Step) Outputs() []string {
	if s.Kind != KindCargo {
		return []string{s.Output}
	}
	taken := s.Programs()
	if s.Artifact == ArtifactStaticlib || s.Artifact == ArtifactObject {
		taken = s.Packages
	}
	var names []string
	for _, name := range taken {
		names = append(names, s.OutputOf(name))
	}
	return names
}

// makes tells whether a path is one of the step's outputs, or may be in the folder that it makes.
func (s *Step) makes(path string) bool {
	return slices.ContainsFunc(s.Outputs(), func(output string) bool {
		return path == output || s.Kind != KindCargo && strings.HasPrefix(path, output+"/")
	})
}

// Components are the names, beside the step's own, by which a backend is chosen for what the step compiles: a cargo
// step's packages, a rustc step itself. There are none where rustc compiles nothing.
func (s *Step) Components() []string {
	if components := s.Kind.text().components; components != nil {
		return components(s)
	}
	return nil
}

// Packages are those of all cargo steps, each once, in the order of the steps.
func (r *Recipe) Packages() []string {
	var names []string
	for i := range r.Steps {
		if r.Steps[i].Kind != KindCargo {
			continue
		}
		for _, name := range r.Steps[i].Packages {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// UsesCargo tells whether cargo builds any step of the recipe, so that its source is a Cargo workspace.
func (r *Recipe) UsesCargo() bool {
	return slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Kind == KindCargo })
}

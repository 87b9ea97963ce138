package targetspec

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Triples lists the targets of the folder, sorted: every .toml file directly
// in it. Files in folders below are there to be inherited from only.
func Triples(fsys fs.FS) ([]string, error) {
	names, err := fs.Glob(fsys, "*.toml")
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(name, ".toml")
	}
	slices.Sort(names)
	return names, nil
}

// Target is a target of the folder, as lists show it.
type Target struct {
	Triple      string `json:"triple"`
	Kind        Kind   `json:"kind"`
	Description string `json:"description"`
}

// List reads every target of the folder, sorted by triple.
func List(fsys fs.FS) ([]Target, error) {
	triples, err := Triples(fsys)
	if err != nil {
		return nil, err
	}
	all := make([]Target, len(triples))
	for i, triple := range triples {
		spec, err := Load(fsys, triple)
		if err != nil {
			return nil, err
		}
		all[i] = Target{triple, spec.Kind, spec.Description}
	}
	return all, nil
}

// Arch is the architecture that a triple begins with: "aarch64" of "aarch64-unknown-redox-clif".
func Arch(triple string) string {
	arch, _, _ := strings.Cut(triple, "-")
	return arch
}

// Load reads the target named triple from the targets folder, follows its
// inheritance and checks the result against the rules of its kind.
//
// Every file is applied once, bases first, in the order the inherits lists
// name them; a base that two others share is applied at its first mention. A
// scalar overrides the inherited one; features append, a later sign of the
// same feature winning; lists per linker flavor or output kind append; the
// other lists replace.
//
// An unknown triple is an error that is fs.ErrNotExist and names the known
// ones; a cycle lists who inherits whom; every violated rule is reported.
func Load(fsys fs.FS, triple string) (*Spec, error) {
	if strings.ContainsAny(triple, "/\\") {
		return nil, fmt.Errorf("%q is no target name: want the name of a file in targets/ without .toml", triple)
	}
	merged := &Spec{Triple: triple}
	l := &loader{fsys: fsys, applied: map[string]bool{}}
	if err := l.apply(merged, triple); err != nil {
		return nil, l.explain(triple, err)
	}
	if err := merged.check(); err != nil {
		return nil, err
	}
	return merged, nil
}

// loader applies files to one Spec.
type loader struct {
	fsys    fs.FS
	applied map[string]bool
	chain   []string // from the target down to the file being read
}

// apply merges the bases of the file called name and then the file itself.
func (l *loader) apply(into *Spec, name string) error {
	if at := slices.Index(l.chain, name); at >= 0 {
		return fmt.Errorf("targets inherit in a circle: %s", strings.Join(append(l.chain[at:], name), " inherits "))
	}
	if l.applied[name] {
		return nil
	}
	l.applied[name] = true
	l.chain = append(l.chain, name)
	defer func() { l.chain = l.chain[:len(l.chain)-1] }()

	file, err := l.read(name)
	if err != nil {
		return err
	}
	for _, base := range file.Inherits {
		if err := l.apply(into, base); err != nil {
			return err
		}
	}
	into.merge(file)
	return nil
}

func (l *loader) read(name string) (*Spec, error) {
	file := name + ".toml"
	if !fs.ValidPath(file) {
		return nil, fmt.Errorf("%s is no file of targets/%s", file, l.from())
	}
	data, err := fs.ReadFile(l.fsys, file)
	if err != nil {
		return nil, fmt.Errorf("read target%s: %w", l.from(), err)
	}
	spec := &Spec{}
	if err := tomlfile.Decode(path.Join("targets", file), data, spec); err != nil {
		return nil, err
	}
	return spec, nil
}

// from says who asked for the file that cannot be read.
func (l *loader) from() string {
	if len(l.chain) < 2 {
		return ""
	}
	return fmt.Sprintf(" (inherited by %s)", l.chain[len(l.chain)-2])
}

// explain adds the known targets where the wanted one itself is missing.
func (l *loader) explain(triple string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) || len(l.applied) != 1 {
		return err
	}
	known, listErr := Triples(l.fsys)
	if listErr != nil || len(known) == 0 {
		return err
	}
	return fmt.Errorf("no target %s; there are %s: %w", triple, strings.Join(known, ", "), fs.ErrNotExist)
}

// merge lays file over what is inherited so far.
func (s *Spec) merge(file *Spec) {
	if file.Kind != "" {
		s.Kind = file.Kind
	}
	if file.Description != "" {
		s.Description = file.Description
	}
	over(&s.PointerWidth, file.PointerWidth)
	over(&s.MaxAtomicWidth, file.MaxAtomicWidth)
	over(&s.SoftFloat, file.SoftFloat)
	over(&s.StackProbes, file.StackProbes)
	texts, flags, lists := file.strings(), file.bools(), file.perKey()
	for key, mine := range s.strings() {
		over(mine, *texts[key])
	}
	for key, mine := range s.bools() {
		over(mine, *flags[key])
	}
	for key, mine := range s.perKey() {
		appendPerKey(mine, *lists[key])
	}
	if file.Families != nil {
		s.Families = file.Families
	}
	if file.SplitDebugKinds != nil {
		s.SplitDebugKinds = file.SplitDebugKinds
	}
	s.Features = appendFeatures(s.Features, file.Features)
}

func over[T any](mine **T, theirs *T) {
	if theirs != nil {
		*mine = theirs
	}
}

func appendPerKey(mine *map[string][]string, theirs map[string][]string) {
	for key, list := range theirs {
		if *mine == nil {
			*mine = map[string][]string{}
		}
		(*mine)[key] = append((*mine)[key], list...)
	}
}

// appendFeatures keeps one entry per feature, the last one given.
func appendFeatures(inherited, own []string) []string {
	for _, feature := range own {
		inherited = slices.DeleteFunc(inherited, func(old string) bool {
			return strings.TrimLeft(old, "+-") == strings.TrimLeft(feature, "+-")
		})
		inherited = append(inherited, feature)
	}
	return inherited
}

// check holds a merged target to what rustc needs and to what this project
// knows about its kind.
func (s *Spec) check() error {
	rules := &rules{file: path.Join("targets", s.Triple+".toml")}
	rules.needed("arch", s.Arch)
	rules.needed("os", s.OS)
	rules.needed("llvm-target", s.LLVMTarget)
	rules.needed("data-layout", s.DataLayout)
	rules.needed("linker-flavor", s.LinkerFlavor)
	rules.holds(s.PointerWidth != nil, "pointer-width is not set, here or in what it inherits")
	for _, feature := range s.Features {
		rules.holds(len(feature) > 1 && strings.ContainsAny(feature[:1], "+-") && !strings.Contains(feature, ","),
			"feature %q must start with + or - and be one feature", feature)
	}
	switch s.Kind {
	case User:
		s.checkUser(rules)
	case Kernel:
		s.checkKernel(rules)
	case UEFI:
		rules.holds(is(s.OS, "uefi"), `a uefi target needs os = "uefi"`)
		rules.holds(is(s.BinaryFormat, "coff"), `a uefi target needs binary-format = "coff"`)
	default:
		rules.holds(false, "kind is not set, here or in what it inherits: one of %s", strings.Join(s.Kind.Values(), ", "))
	}
	return rules.broken.ErrorOrNil()
}

// checkUser: the image builder maps programs where they were linked, so no
// PIE; the CRT objects are named here and nowhere else, and bare, because a
// folder would make the JSON differ from machine to machine.
func (s *Spec) checkUser(rules *rules) {
	rules.holds(s.PIE != nil && !*s.PIE, "a user target needs position-independent-executables = false")
	rules.holds(is(s.RelocationModel, "static"), `a user target needs relocation-model = "static"`)
	rules.holds(is(s.PanicStrategy, "abort"), `a user target needs panic-strategy = "abort"`)
	rules.holds(len(s.PreLinkObjects["static-nopic-exe"]) > 0, "a user target needs pre-link-objects.static-nopic-exe")
	rules.holds(len(s.PostLinkObjects["static-nopic-exe"]) > 0, "a user target needs post-link-objects.static-nopic-exe")
	for _, objects := range []map[string][]string{s.PreLinkObjects, s.PostLinkObjects} {
		for _, names := range objects {
			for _, name := range names {
				rules.holds(path.Base(name) == name, "CRT object %q must be a bare file name, found along -L", name)
			}
		}
	}
}

// checkKernel: Cranelift crashes ("binary format is unknown") on an LLVM
// target whose operating system tells it no object format.
func (s *Spec) checkKernel(rules *rules) {
	known := s.LLVMTarget == nil || strings.HasSuffix(*s.LLVMTarget, "-redox") || strings.HasSuffix(*s.LLVMTarget, "-elf")
	rules.holds(known, "a kernel target needs an llvm-target that names an ELF system (*-unknown-redox): "+
		"Cranelift knows no object format for others")
	rules.holds(is(s.OS, "none"), `a kernel target needs os = "none"`)
	rules.holds(s.DisableRedzone != nil && *s.DisableRedzone, "a kernel target needs disable-redzone = true")
}

func is(value *string, want string) bool { return value != nil && *value == want }

// rules collects what is broken.
type rules struct {
	file   string
	broken *multierror.Error
}

func (r *rules) holds(ok bool, format string, args ...any) {
	if !ok {
		r.broken = multierror.Append(r.broken, fmt.Errorf("%s: %s", r.file, fmt.Sprintf(format, args...)))
	}
}

func (r *rules) needed(key string, value *string) {
	r.holds(value != nil && *value != "", "%s is not set, here or in what it inherits", key)
}

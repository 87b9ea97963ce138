package builder

import (
	"fmt"
	"slices"

	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/recipe"
)

// provenance is what is known of everything a node makes.
type provenance struct {
	backend recipe.Backend // "" for what no compiler of ours made
	recipe  *recipe.Recipe
	step    *recipe.Step // that compiled it; nil if none did
}

// record is where a file comes from, in the form of a manifest.
func (b *Builder) record(p provenance) (manifest.File, error) {
	f := manifest.File{Backend: string(p.backend), Recipe: p.recipe.Name}
	if p.backend != "" && p.step != nil {
		f.Compiler, f.C, f.Sysroot = b.o.Tools.Name, p.step.CC, p.step.Sysroot
		f.Reason = reasonFor(p)
	}
	r, err := b.sources.Origin(p.recipe)
	if err != nil {
		return f, err
	}
	res, err := b.sources.Resolved(r)
	if err != nil {
		return f, err
	}
	f.Overridden = res.AnyOverridden()
	f.Patches = r.Patches
	f.Source = sourceText(r)
	return f, nil
}

// sysroots describes the C libraries that the files of a manifest are linked with.
func (b *Builder) sysroots(m *manifest.Manifest) {
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
		for _, component := range s.Components() {
			if b.choose(r, s, component) == recipe.LLVM || !b.o.Tools.Cranelift {
				reason := reasonFor(provenance{backend: recipe.LLVM, recipe: r, step: s})
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
	case p.backend != recipe.LLVM:
		return ""
	case p.step.Target == recipe.TargetHost:
		return "runs on the host"
	case p.step.Backend == recipe.LLVM:
		return p.step.Reason
	}
	return "the recipe says Cranelift; LLVM was chosen for this build (-backend), or Cranelift was not there"
}

// sourceText is the source that a recipe names, without a path of this machine: manifests are compared between machines. What the user has put
// in its place does not show, so that the same content makes the same programs: that there is something is [manifest.File.Overridden].
func sourceText(r *recipe.Recipe) string {
	switch s := r.Source; {
	case s.Path != "":
		return "recipes/" + r.Name
	case s.Git != "":
		return s.Git + " at " + s.Commit
	case s.Archive != "":
		return s.Archive
	default:
		return "crate " + s.Crate + " " + s.Version
	}
}

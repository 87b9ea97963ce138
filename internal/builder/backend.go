package builder

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/recipe"
)

// Backends is the user's choice over what the recipes say: a backend by component (a package, or
// recipe/step), and one for all components that a recipe does not tie to LLVM.
type Backends struct {
	byName map[string]recipe.Backend
	other  recipe.Backend
}

// ParseBackends reads "llvm:init,cranelift:*" or just "llvm", which is "llvm:*". Empty text
// is no choice.
func ParseBackends(text string) (Backends, error) {
	b := Backends{byName: map[string]recipe.Backend{}}
	if text == "" {
		return b, nil
	}
	for _, part := range strings.Split(text, ",") {
		name, component, ok := strings.Cut(strings.TrimSpace(part), ":")
		if !ok {
			component = "*"
		}
		backend := recipe.Backend(name)
		if backend != recipe.Cranelift && backend != recipe.LLVM {
			return b, fmt.Errorf("backend %q in %q is neither cranelift nor llvm (want backend:component, like llvm:init,cranelift:*)", name, text)
		}
		if component == "*" {
			b.other = backend
			continue
		}
		if component == "" {
			return b, fmt.Errorf("%q names no component (want backend:component, like llvm:init,cranelift:*)", part)
		}
		b.byName[component] = backend
	}
	return b, nil
}

// Unknown lists, in order, the components chosen for that no recipe of the set has: a choice that
// does nothing costs hours.
func (b Backends) Unknown(set recipe.Set) []string {
	known := map[string]bool{}
	for name := range set {
		known[name] = true
		for _, s := range set[name].Steps {
			known[name+"/"+s.Name] = true
			for _, component := range s.Components() {
				known[component] = true
			}
		}
	}
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(b.byName)) {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// choose is the backend of one component of a step. A choice for all leaves a step alone that is tied to LLVM.
func (b Backends) choose(r *recipe.Recipe, s *recipe.Step, component string, tied bool) recipe.Backend {
	for _, name := range []string{component, r.Name + "/" + s.Name, r.Name} {
		if backend, ok := b.byName[name]; ok {
			return backend
		}
	}
	switch {
	case tied:
		return recipe.LLVM
	case b.other != "":
		return b.other
	default:
		return recipe.Cranelift
	}
}

// tied says whether a step has to be compiled by LLVM: its recipe says so, and what it needs is not all
// there in the toolchain's Cranelift. A reason without needs holds for every toolchain.
func (b *Builder) tied(s *recipe.Step) bool {
	if s.Backend != recipe.LLVM {
		return false
	}
	return len(s.Needs) == 0 || !b.o.Tools.Cranelift || b.lacking(s) != ""
}

// lacking is the first need of a step that the toolchain's Cranelift does not meet.
func (b *Builder) lacking(s *recipe.Step) recipe.Need {
	for _, need := range s.Needs {
		if _, lacks := b.o.Tools.CraneliftLacks[need]; lacks {
			return need
		}
	}
	return ""
}

// choose is the backend of one component of a step.
func (b *Builder) choose(r *recipe.Recipe, s *recipe.Step, component string) recipe.Backend {
	return b.o.Backends.choose(r, s, component, b.tied(s))
}

// available answers for a backend that the toolchain does not have.
func (b *Builder) available(r *recipe.Recipe, s *recipe.Step, want recipe.Backend) (recipe.Backend, error) {
	if s.Target == recipe.TargetHost {
		return recipe.LLVM, nil
	}
	if want == recipe.Cranelift && b.o.Tools.Cranelift {
		return want, b.able(r, s)
	}
	if want == recipe.LLVM {
		return want, nil
	}
	if b.o.MayFallBack {
		b.announceFallBack()
		return recipe.LLVM, nil
	}
	return "", &NoCraneliftError{Toolchain: b.o.Tools.Name, Component: r.Name + "/" + s.Name, Problem: b.o.Tools.CraneliftProblem}
}

// announceFallBack says once that LLVM takes Cranelift's place.
func (b *Builder) announceFallBack() {
	if !b.fellBack && b.o.Sources.Notice != nil {
		b.o.Sources.Notice(b.o.Tools.Name + " has no Cranelift backend that works: going on with LLVM")
	}
	b.fellBack = true
}

// able refuses what Cranelift is known to fail at, before hours are lost on the way there.
func (b *Builder) able(r *recipe.Recipe, s *recipe.Step) error {
	need := b.lacking(s)
	if need == "" {
		return nil
	}
	return &UnableError{Toolchain: b.o.Tools.Name, Component: r.Name + "/" + s.Name, Need: need, Problem: b.o.Tools.CraneliftLacks[need]}
}

// UnableError says that Cranelift was asked for and cannot do what the component's sources need.
type UnableError struct {
	Toolchain, Component string
	Need                 recipe.Need
	Problem              string // the compiler's words
}

func (e *UnableError) Error() string {
	text := fmt.Sprintf("%s needs %s, which the Cranelift of %s cannot (%s)", e.Component, e.Need, e.Toolchain, e.Problem)
	if e.Need == recipe.Variadic {
		text += "\n  upstream: https://github.com/rust-lang/rustc_codegen_cranelift/issues/1677"
	}
	name, _, _ := strings.Cut(e.Component, "/")
	return text + "\n  build it with LLVM: leave it to its recipe, or -backend=llvm:" + name
}

// NoCraneliftError says that Cranelift was asked for and is not there, and the three ways out.
type NoCraneliftError struct {
	Toolchain string
	Component string
	Problem   string // what the probe found
}

func (e *NoCraneliftError) Error() string {
	return fmt.Sprintf(`%s wants Cranelift and %s does not have it, or not one that works (%s). Three ways out:
  1. add it to the pinned toolchain:  mage toolchain:install -cranelift
  2. use one that has it:             REDOX_TOOLCHAIN=DIR mage … (mage toolchain:build makes one)
  3. build with LLVM this time:       mage … -backend=llvm:*`, e.Component, e.Toolchain, e.Problem)
}

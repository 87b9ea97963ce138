package recipe

import (
	"fmt"
	"sort"
	"strings"
)

// Requires lists the recipes that r needs, in order, each once.
func (r *Recipe) Requires() []string {
	need := map[string]bool{}
	ref := func(s string) {
		if p, err := ParseRef(s); err == nil && p.Recipe != "" {
			need[p.Recipe] = true
		}
	}
	for _, s := range r.Steps {
		if s.Sysroot != "" {
			need[s.Sysroot] = true
		}
		ref(s.Script)
		for _, in := range s.Inputs {
			ref(in)
		}
	}
	for _, f := range r.Files {
		ref(f.From)
	}
	if r.Initfs != nil {
		ref(r.Initfs.Bootstrap)
	}
	if r.Boot != nil {
		ref(r.Boot.Kernel)
	}
	names := make([]string, 0, len(need))
	for name := range need {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// sourceOf lists the recipes whose source r needs, not what they build.
func (r *Recipe) sourceOf() []string {
	var names []string
	if r.Source.SameAs != "" {
		names = append(names, r.Source.SameAs)
	}
	for _, taken := range []map[string]string{r.Cargo.Replace, r.Cargo.Patch} {
		for _, name := range taken {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// checkReferences finds, in the recipes and in every profile of them, references to what is not there and
// recipes that wait for each other.
func (s Set) checkReferences() []error {
	errs := s.checkProfile()
	said := map[string]bool{}
	for _, err := range errs {
		said[err.Error()] = true
	}
	for _, profile := range s.Profiles() {
		with := Set{}
		for name, r := range s {
			with[name] = r.WithProfile(profile)
		}
		for _, err := range with.checkProfile() {
			if !said[err.Error()] {
				said[err.Error()] = true
				errs = append(errs, fmt.Errorf("profile %s: %w", profile, err))
			}
		}
	}
	return errs
}

// checkProfile checks the references as one profile has them.
func (s Set) checkProfile() []error {
	var errs []error
	for _, name := range s.Names() {
		r := s[name]
		for _, dep := range append(r.Requires(), r.sourceOf()...) {
			if s[dep] == nil {
				errs = append(errs, fmt.Errorf("%s: there is no recipe %q", r.Path, dep))
			}
		}
		errs = append(errs, r.checkSteps()...)
	}
	if len(errs) > 0 {
		return errs
	}
	if cycle := s.cycle((*Recipe).Requires); cycle != nil {
		errs = append(errs, cycleError("recipes wait for each other", cycle))
	}
	if cycle := s.cycle((*Recipe).sourceOf); cycle != nil {
		errs = append(errs, cycleError("sources wait for each other", cycle))
	}
	return errs
}

// checkSteps finds references to steps that are not there or wait for each other.
func (r *Recipe) checkSteps() []error {
	var errs []error
	check := func(where, s string) {
		p, err := ParseRef(s)
		if err != nil || p.Recipe != "" || p.Step == "source" || p.Step == "recipe" {
			return
		}
		if _, ok := r.Step(p.Step); !ok {
			errs = append(errs, fmt.Errorf("%s: %s: %q: there is no step %q", r.Path, where, s, p.Step))
		}
	}
	deps := map[string][]string{}
	for _, s := range r.Steps {
		for _, in := range append([]string{s.Script}, s.Inputs...) {
			check("step "+s.Name, in)
			if p, err := ParseRef(in); err == nil && p.Recipe == "" {
				deps[s.Name] = append(deps[s.Name], p.Step)
			}
		}
	}
	for _, f := range r.Files {
		check("file", f.From)
	}
	if r.Initfs != nil {
		check("initfs.bootstrap", r.Initfs.Bootstrap)
	}
	if r.Boot != nil {
		check("boot.kernel", r.Boot.Kernel)
	}
	if len(errs) == 0 {
		if cycle := findCycle(stepNames(r), func(n string) []string { return deps[n] }); cycle != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.Path, cycleError("steps wait for each other", cycle)))
		}
	}
	return errs
}

func stepNames(r *Recipe) []string {
	var names []string
	for _, s := range r.Steps {
		names = append(names, s.Name)
	}
	return names
}

func (s Set) cycle(deps func(*Recipe) []string) []string {
	return findCycle(s.Names(), func(name string) []string { return deps(s[name]) })
}

// findCycle returns a chain whose last element is its first, or nil.
func findCycle(names []string, deps func(string) []string) []string {
	done := map[string]bool{}
	var chain []string
	var visit func(string) []string
	visit = func(name string) []string {
		for i, c := range chain {
			if c == name {
				return append(append([]string(nil), chain[i:]...), name)
			}
		}
		if done[name] {
			return nil
		}
		chain = append(chain, name)
		for _, d := range deps(name) {
			if c := visit(d); c != nil {
				return c
			}
		}
		chain = chain[:len(chain)-1]
		done[name] = true
		return nil
	}
	for _, name := range names {
		if c := visit(name); c != nil {
			return c
		}
	}
	return nil
}

func cycleError(what string, chain []string) error {
	return fmt.Errorf("%s: %s", what, strings.Join(chain, " needs "))
}

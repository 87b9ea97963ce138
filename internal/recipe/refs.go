package recipe

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/nearest"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// reference is a place of a recipe that names another one.
type reference struct {
	key    []string
	recipe string
	source bool // its source is meant, not what it builds
}

// unknown says that there is no such recipe.
func (r *reference) unknown() string {
	text := fmt.Sprintf("there is no recipe %q; `mage recipe:list` shows all", r.recipe)
	if r.recipe == defaultSysroot && r.key[len(r.key)-1] == "sysroot" {
		text += fmt.Sprintf("; a user step is linked against it unless it says sysroot = %q or another one", none)
	}
	return text
}

// references are all of them, in the order of the file's parts.
func (r *Recipe) references() []reference {
	var all []reference
	ref := func(s string, key ...string) {
		if p, err := ParseRef(s); err == nil && p.Recipe != "" {
			all = append(all, reference{key: key, recipe: p.Recipe})
		}
	}
	for i, s := range r.Steps {
		step := []string{"step", strconv.Itoa(i)}
		if s.Sysroot != "" {
			all = append(all, reference{key: append(slices.Clone(step), "sysroot"), recipe: s.Sysroot})
		}
		ref(s.Script, append(slices.Clone(step), "script")...)
		for j, in := range s.Inputs {
			ref(in, append(slices.Clone(step), "inputs", strconv.Itoa(j))...)
		}
	}
	for _, f := range r.Files {
		ref(f.From, f.at("from")...)
	}
	if r.Initfs != nil {
		ref(r.Initfs.Bootstrap, "initfs", "bootstrap")
	}
	if r.Boot != nil {
		ref(r.Boot.Kernel, "boot", "kernel")
	}
	source := func(recipe string, key ...string) {
		all = append(all, reference{key: key, recipe: recipe, source: true})
	}
	if r.Source.SameAs != "" {
		source(r.Source.SameAs, "source", "same-as")
	}
	for _, url := range slices.Sorted(maps.Keys(r.Cargo.Replace)) {
		source(r.Cargo.Replace[url], "cargo", "replace", url)
	}
	for _, crate := range slices.Sorted(maps.Keys(r.Cargo.Patch)) {
		source(r.Cargo.Patch[crate], "cargo", "patch", crate)
	}
	return all
}

// Requires lists the recipes that r needs, in order, each once.
func (r *Recipe) Requires() []string { return r.named(false) }

// sourceOf lists the recipes whose source r needs, not what they build.
func (r *Recipe) sourceOf() []string { return r.named(true) }

func (r *Recipe) named(source bool) []string {
	need := map[string]bool{}
	for _, ref := range r.references() {
		if ref.source == source {
			need[ref.recipe] = true
		}
	}
	return slices.Sorted(maps.Keys(need))
}

// Fits checks the references of a recipe that would join the set, or take the place of one.
func (s Set) Fits(r *Recipe) error {
	with := maps.Clone(s)
	with[r.Name] = r
	var all *multierror.Error
	for _, p := range with.checkReferences(nil, nil) {
		all = multierror.Append(all, p.err)
	}
	return listed(all)
}

// problem is what is wrong with the references of a recipe.
type problem struct {
	recipe string
	err    error
}

// checkReferences finds, in the recipes as every release set has them, references to what is not there and recipes that wait for each
// other.
func (s Set) checkReferences(broken Broken, releases Releases) []problem {
	problems := s.checkRelease((*Recipe).problemAt, broken)
	// Said with its line, and not again for a set that has it too.
	seen := map[string]bool{}
	for _, p := range s.checkRelease((*Recipe).problemIn, broken) {
		seen[p.err.Error()] = true
	}
	for _, release := range releases.names() {
		for _, p := range s.In(releases[release]...).checkRelease((*Recipe).problemIn, broken) {
			if !seen[p.err.Error()] {
				seen[p.err.Error()] = true
				problems = append(problems, problem{p.recipe, fmt.Errorf("release set %s: %w", release, p.err)})
			}
		}
	}
	return problems
}

// problemAt is a mistake with its line in the file.
func (r *Recipe) problemAt(key []string, text string) error {
	b, err := os.ReadFile(r.Path)
	if err != nil {
		return r.problemIn(key, text)
	}
	return tomlfile.At(r.Path, b, key, "%s", text)
}

// problemIn is one in what a release set has made of the file: the parts are not where the keys say.
func (r *Recipe) problemIn(key []string, text string) error {
	return fmt.Errorf("%s: %s: %s", r.Path, strings.Join(key, "."), text)
}

type placing func(r *Recipe, key []string, text string) error

// checkRelease checks the references as one release set has them.
func (s Set) checkRelease(place placing, broken Broken) []problem {
	var problems []problem
	for _, name := range s.Names() {
		r := s[name]
		for _, ref := range r.references() {
			switch {
			case s[ref.recipe] != nil:
			case broken[ref.recipe] != nil:
				problems = append(problems, problem{name, place(r, ref.key, fmt.Sprintf("recipe %q cannot be used: %s", ref.recipe, errs.FirstLine(broken[ref.recipe].Error())))})
			default:
				problems = append(problems, problem{name, place(r, ref.key, ref.unknown())})
			}
		}
		for _, err := range r.checkSteps(place) {
			problems = append(problems, problem{name, err})
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return append(s.cycleProblems("recipes wait for each other", (*Recipe).Requires), s.cycleProblems("sources wait for each other", (*Recipe).sourceOf)...)
}

// cycleProblems are those of the recipes that wait for each other.
func (s Set) cycleProblems(what string, deps func(*Recipe) []string) []problem {
	cycle := s.cycle(deps)
	var problems []problem
	for _, name := range cycle[:max(len(cycle)-1, 0)] { // the last is the first again
		problems = append(problems, problem{name, cycleError(what, cycle)})
	}
	return problems
}

// notMade says why a reference leads to no output of a step of the recipe; "" where it does, or is to something else.
func (r *Recipe) notMade(text string) string {
	p, err := ParseRef(text)
	if err != nil || p.Recipe != "" || p.Step == "source" || p.Step == "recipe" {
		return ""
	}
	step, ok := r.Step(p.Step)
	if ok && (p.Path == "" || step.makes(p.Path)) {
		return ""
	}
	near := r.nearOutput(text)
	switch {
	case !ok:
		return fmt.Sprintf("%q: there is no step %q; there are %s%s", text, p.Step, strings.Join(append(stepNames(r), "source", "recipe"), ", "), near)
	case near != "":
		return fmt.Sprintf("%q: the step %s makes no %q%s", text, step.Name, p.Path, near)
	default:
		return fmt.Sprintf("%q: the step %s makes no %q; it makes %s", text, step.Name, p.Path, strings.Join(step.Outputs(), ", "))
	}
}

// nearOutput offers the output of a step that is called much like what was written; "" when none is.
func (r *Recipe) nearOutput(text string) string {
	var outputs []string
	for i := range r.Steps {
		for _, output := range r.Steps[i].Outputs() {
			outputs = append(outputs, r.Steps[i].Name+"/"+output)
		}
	}
	names := nearest.Names(text, outputs)
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", names[0])
}

// checkSteps finds references to steps that are not there or wait for each other, and to what no step makes.
func (r *Recipe) checkSteps(place placing) []error {
	var faults []error
	check := func(s string, key ...string) {
		if wrong := r.notMade(s); wrong != "" {
			faults = append(faults, place(r, key, wrong))
		}
	}
	deps := map[string][]string{}
	for i, s := range r.Steps {
		check(s.Script, "step", strconv.Itoa(i), "script")
		for j, in := range s.Inputs {
			check(in, "step", strconv.Itoa(i), "inputs", strconv.Itoa(j))
		}
		for _, in := range append([]string{s.Script}, s.Inputs...) {
			if p, err := ParseRef(in); err == nil && p.Recipe == "" {
				deps[s.Name] = append(deps[s.Name], p.Step)
			}
		}
	}
	for _, f := range r.Files {
		check(f.From, f.at("from")...)
	}
	if r.Initfs != nil {
		check(r.Initfs.Bootstrap, "initfs", "bootstrap")
	}
	if r.Boot != nil {
		check(r.Boot.Kernel, "boot", "kernel")
	}
	if len(faults) == 0 {
		if cycle := findCycle(stepNames(r), func(n string) []string { return deps[n] }); cycle != nil {
			faults = append(faults, fmt.Errorf("%s: %w", r.Path, cycleError("steps wait for each other", cycle)))
		}
	}
	return faults
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

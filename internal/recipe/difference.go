package recipe

import (
	"maps"
	"path"
	"slices"
	"strconv"
)

// Difference is what a recipe says otherwise in a release set.
type Difference struct {
	// Source takes the place of the recipe's.
	Source *Source `toml:"source"`
	// Patches take the place of the recipe's; [] is none.
	Patches *[]string `toml:"patches"`
	// Cargo takes the place of the recipe's.
	Cargo *Cargo `toml:"cargo"`
	// Steps are the steps that differ, by name: a key that is said here takes the place of the step's.
	Steps map[string]StepDifference `toml:"step"`
	// Files are added to the staged tree; one takes the place of the recipe's that has the same `to`.
	Files []File `toml:"file"`
	// Install takes the place of the recipe's, folder by folder; [] is an empty one.
	Install map[string][]string `toml:"install"`
	// Without are paths in the stage where the recipe places something and the set nothing.
	Without []string `toml:"without"`
	// Initfs takes the place of the recipe's.
	Initfs *Initfs `toml:"initfs"`
}

// StepDifference is what a step says otherwise in a release set. Every key means what it means in a step.
type StepDifference struct {
	// Dir takes the place of the step's, as every key here does.
	Dir *string `toml:"dir"`
	// Packages are all packages, not more of them.
	Packages *[]string `toml:"packages"`
	// Bins are all programs.
	Bins *[]string `toml:"bins"`
	// Features are all features.
	Features *[]string `toml:"features"`
	// Needs are all needs.
	Needs *[]Need `toml:"needs"`
	// BuildStd has cargo build the standard library, or not.
	BuildStd *bool `toml:"build-std"`
	// RustFlags are all flags.
	RustFlags *[]string `toml:"rustflags"`
	// Env is the whole environment.
	Env *map[string]string `toml:"env"`
	// Inputs are all references.
	Inputs *[]string `toml:"inputs"`
	// Script is the linker script.
	Script *string `toml:"script"`
	// Args are all arguments.
	Args *[]string `toml:"args"`
}

// in is the step with what differs.
func (d *StepDifference) in(s Step) Step {
	replace(&s.Dir, d.Dir)
	replace(&s.Packages, d.Packages)
	replace(&s.Bins, d.Bins)
	replace(&s.Features, d.Features)
	replace(&s.Needs, d.Needs)
	replace(&s.BuildStd, d.BuildStd)
	replace(&s.RustFlags, d.RustFlags)
	replace(&s.Env, d.Env)
	replace(&s.Inputs, d.Inputs)
	replace(&s.Script, d.Script)
	replace(&s.Args, d.Args)
	return s
}

func replace[T any](to *T, with *T) {
	if with != nil {
		*to = *with
	}
}

// In returns the recipe as it is in a release set, whose tables are given in the order in which they hold, the last over the others. A
// recipe that says nothing of a set is the same there.
func (r *Recipe) In(tables ...string) *Recipe {
	for _, name := range tables {
		if d, ok := r.Sets[name]; ok {
			r = r.with(name, &d)
		}
	}
	return r
}

func (r *Recipe) with(name string, d *Difference) *Recipe {
	c := *r
	if d.Source != nil || d.Patches != nil {
		c.Release = name
	}
	if d.Source != nil {
		c.SourceOf = name
	}
	if d.Patches != nil {
		c.PatchesOf = name
	}
	replace(&c.Source, d.Source)
	replace(&c.Patches, d.Patches)
	replace(&c.Cargo, d.Cargo)
	if d.Initfs != nil {
		c.Initfs = d.Initfs
	}
	c.Steps = slices.Clone(r.Steps)
	for i := range c.Steps {
		if step, ok := d.Steps[c.Steps[i].Name]; ok {
			c.Steps[i] = step.in(c.Steps[i])
		}
	}
	c.Files = slices.Concat(slices.DeleteFunc(slices.Clone(r.Files), d.replaces), d.Files)
	return &c
}

// PatchesKey is where the recipe's file says the patches.
func (r *Recipe) PatchesKey() []string {
	if r.PatchesOf != "" {
		return []string{"set", r.PatchesOf, "patches"}
	}
	return []string{"patches"}
}

// SourceKey is where the recipe's file says the source.
func (r *Recipe) SourceKey() []string {
	if r.SourceOf != "" {
		return []string{"set", r.SourceOf, "source"}
	}
	return []string{"source"}
}

// replaces tells whether a file of the recipe has no place in the set, or another one's.
func (d *Difference) replaces(f File) bool {
	if len(f.key) > 2 && f.key[len(f.key)-3] == "install" {
		if _, ok := d.Install[f.key[len(f.key)-2]]; ok {
			return true
		}
	}
	return slices.Contains(d.Without, f.To) || slices.ContainsFunc(d.Files, func(own File) bool { return own.To == f.To })
}

// fillSets writes out what the sets leave to defaults.
func (r *Recipe) fillSets() {
	for name, d := range r.Sets {
		d.Files = r.In(name).filled(d.Files, d.Install, "set", name)
		r.Sets[name] = d
	}
}

// checkSets finds what is wrong in the tables of release sets, as far as the recipe itself tells.
func (r *Recipe) checkSets() []fault {
	var faults []fault
	for _, name := range slices.Sorted(maps.Keys(r.Sets)) {
		d := r.Sets[name]
		faults = append(faults, below(d.check(r), "set", name)...)
		if d.Source != nil || d.Patches != nil {
			faults = append(faults, r.In(name).checkSeries("set", name)...)
		}
		faults = append(faults, onlyBelow(checkPlaces(r.In(name).Files, map[string]File{}), "set", name)...)
	}
	return faults
}

func (d *Difference) check(r *Recipe) []fault {
	var faults []fault
	if d.Source != nil {
		faults = append(faults, below(d.Source.check(), "source")...)
	}
	if d.Cargo != nil {
		faults = append(faults, below(d.Cargo.check(), "cargo")...)
	}
	if d.Initfs != nil {
		faults = append(faults, below(d.Initfs.check(), "initfs")...)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Steps)) {
		step, own := r.Step(name)
		if !own {
			faults = append(faults, at("step", name)("there is no step %q that could differ", name))
			continue
		}
		change := d.Steps[name]
		changed := change.in(*step)
		faults = append(faults, below(changed.check(), "step", name)...)
	}
	for i, to := range d.Without {
		if !slices.ContainsFunc(r.Files, func(f File) bool { return f.To == to }) {
			faults = append(faults, at("without", strconv.Itoa(i))("the recipe places nothing at %q", path.Clean(to)))
		}
	}
	return append(faults, checkInstall(d.Install, true)...)
}

// onlyBelow are the faults at a key or below it: the recipe's own are said once.
func onlyBelow(faults []fault, key ...string) []fault {
	return slices.DeleteFunc(faults, func(f fault) bool { return len(f.key) < len(key) || !slices.Equal(f.key[:len(key)], key) })
}

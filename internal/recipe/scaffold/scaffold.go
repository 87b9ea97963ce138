// Package scaffold makes a new recipe of what cargo says of a source.
//
// It owns the choice of packages and programs of a workspace, the files of a new program, and how a recipe's files are written: all of
// them or none, and none over another. It must not fetch anything, run cargo or know where a source is from; what it makes is read
// by package recipe.
package scaffold

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/cargoedit"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/recipe/draft"
	"github.com/pannous/redox-clif/internal/source"
)

// Workspace is what is known of a source's Cargo workspace.
type Workspace struct {
	// Dir is its folder in the source, a slash path; "" is the top.
	Dir string
	// Packages are its members, in cargo's order.
	Packages []Package
	// Manifest is the Cargo.toml at its top, Lock the Cargo.lock that it is built by.
	Manifest, Lock []byte
	// OwnLock: the source does not have Lock, or another, so that it comes with the recipe.
	OwnLock bool
}

// Package is a member of a workspace.
type Package struct {
	Name, Description string
	// Default: cargo builds it when no package is named.
	Default bool
	// Programs are those that are built with the features that are on by default, Gated the others.
	Programs, Gated []string
}

// Result is a recipe with what was found out on the way.
type Result struct {
	draft.Draft
	// Remarks are what was chosen, and what a person may want to fill in, a line each.
	Remarks []string
}

func (r *Result) remark(format string, args ...any) {
	r.Remarks = append(r.Remarks, fmt.Sprintf(format, args...))
}

// ReadMetadata reads what `cargo metadata --no-deps` prints of a workspace (format version 1, in the Cargo book) whose folder on this
// machine was top.
func ReadMetadata(text []byte, top string) (*Workspace, error) {
	var m struct {
		Packages []struct {
			ID, Name, Description string
			Features              map[string][]string
			Targets               []struct {
				Name     string
				Kind     []string
				Required []string `json:"required-features"`
			}
		}
		Members  []string `json:"workspace_members"`
		Defaults []string `json:"workspace_default_members"`
		Root     string   `json:"workspace_root"`
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("reading what cargo says of the workspace: %w", err)
	}
	dir, err := filepath.Rel(top, m.Root)
	if err != nil || !filepath.IsLocal(dir) {
		return nil, fmt.Errorf("the workspace of the source begins above it, in %s", m.Root)
	}
	w := &Workspace{Dir: filepath.ToSlash(dir)}
	if dir == "." {
		w.Dir = ""
	}
	for _, p := range m.Packages {
		if !slices.Contains(m.Members, p.ID) {
			continue
		}
		made := Package{Name: p.Name, Description: p.Description, Default: len(m.Defaults) == 0 || slices.Contains(m.Defaults, p.ID)}
		on := reached(p.Features, "default")
		for _, t := range p.Targets {
			switch {
			case !slices.Contains(t.Kind, "bin"):
			case containsAll(on, t.Required):
				made.Programs = append(made.Programs, t.Name)
			default:
				made.Gated = append(made.Gated, t.Name)
			}
		}
		w.Packages = append(w.Packages, made)
	}
	return w, nil
}

// reached are the features that one turns on, itself among them.
func reached(features map[string][]string, name string) map[string]bool {
	on, todo := map[string]bool{}, []string{name}
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		if !on[next] {
			on[next] = true
			todo = append(todo, features[next]...)
		}
	}
	return on
}

func containsAll(on map[string]bool, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !on[name] })
}

// FromWorkspace makes a recipe that builds the programs of a workspace. recipes are those that there are: their sources take the place
// of the same git dependencies. The error says why no program could be chosen.
func FromWorkspace(name string, from recipe.Source, w *Workspace, recipes recipe.Set) (*Result, error) {
	chosen, err := w.choose(name)
	if err != nil {
		return nil, err
	}
	r := &Result{Draft: draft.Draft{Source: from, Step: recipe.Step{Name: "programs", Kind: recipe.KindCargo}}}
	r.Cargo.Dir = w.Dir
	if w.OwnLock {
		r.Cargo.Lock = LockName
	}
	for _, p := range chosen {
		r.Step.Packages = append(r.Step.Packages, p.Name)
		r.Programs = append(r.Programs, p.Programs...)
		if len(p.Gated) > 0 {
			r.remark("left out, since they want features that are off: %s of %s", strings.Join(p.Gated, ", "), p.Name)
		}
	}
	r.describe(name, chosen)
	r.others(w)
	if err := r.strip(w.Manifest); err != nil {
		return nil, err
	}
	return r, r.readLock(w.Lock, recipes)
}

// choose picks the packages: the one that has the recipe's name or a program of that name; else all with programs that cargo builds
// by default, or else that there are.
func (w *Workspace) choose(name string) ([]Package, error) {
	var all, byDefault []Package
	for _, p := range w.Packages {
		switch {
		case len(p.Programs) == 0:
			continue
		case p.Name == name || slices.Contains(p.Programs, name):
			return []Package{p}, nil
		case p.Default:
			byDefault = append(byDefault, p)
		}
		all = append(all, p)
	}
	switch {
	case len(byDefault) > 0:
		return byDefault, nil
	case len(all) > 0:
		return all, nil
	}
	var names []string
	for _, p := range w.Packages {
		names = append(names, p.Name)
	}
	return nil, fmt.Errorf("the source has no program to build: of its packages (%s) none has one without features that are off", strings.Join(names, ", "))
}

// describe takes the first sentence of the package that the recipe is of.
func (r *Result) describe(name string, chosen []Package) {
	sentence, _, _ := strings.Cut(strings.Join(strings.Fields(chosen[0].Description), " "), ". ")
	r.Description = strings.TrimSuffix(sentence, ".")
	if r.Description == "" || len(chosen) > 1 {
		r.Description = name
		r.remark("description: no single package has one to take, write what it is")
	}
}

// others says which programs are not built.
func (r *Result) others(w *Workspace) {
	var names []string
	for _, p := range w.Packages {
		if len(p.Programs) > 0 && !slices.Contains(r.Step.Packages, p.Name) {
			names = append(names, p.Name)
		}
	}
	if len(names) > 0 {
		r.remark("other packages with programs, which the recipe leaves out: %s", strings.Join(names, ", "))
	}
}

// strip keeps cargo from stripping: the checks of what was linked read the symbols first, and the recipe strips behind them.
func (r *Result) strip(manifest []byte) error {
	var m struct {
		Profile struct {
			Release struct{ Strip any }
		}
	}
	if _, err := toml.NewDecoder(bytes.NewReader(manifest)).Decode(&m); err != nil {
		return fmt.Errorf("the source's %s: %w", path.Join(r.Cargo.Dir, manifestName), err)
	}
	if s := m.Profile.Release.Strip; s != nil && s != false && s != "none" {
		r.Step.Env = map[string]string{"CARGO_PROFILE_RELEASE_STRIP": "none"}
	}
	return nil
}

// readLock finds what the crates ask for: sources of other recipes, and what a person has to decide.
func (r *Result) readLock(text []byte, recipes recipe.Set) error {
	lock, err := cargoedit.ParseLock(text)
	if err != nil {
		return fmt.Errorf("the Cargo.lock: %w", err)
	}
	for _, p := range lock.Packages {
		switch p.Name {
		case "libc":
			r.remark("it has the crate libc %s; `[cargo.patch] libc = \"libc\"` puts the one with our patches in its place", p.Version)
		case "cc":
			r.remark("it has the crate cc; where that compiles C for Redox, the step needs `cc = true`")
		}
	}
	known := replacements(recipes)
	r.Cargo.Replace = map[string]string{}
	var others []string
	for _, d := range lock.GitDependencies() {
		if instead := known[source.NormalizeURL(d.URL)]; instead != "" {
			r.Cargo.Replace[d.URL] = instead
		} else {
			others = append(others, d.URL)
		}
	}
	for _, url := range slices.Sorted(maps.Keys(r.Cargo.Replace)) {
		r.remark("%s is taken from the recipe %s", url, r.Cargo.Replace[url])
	}
	if len(others) > 0 {
		r.remark("cargo itself gets these repositories: %s", strings.Join(others, ", "))
	}
	return nil
}

// replacements are the recipes that take the place of git dependencies, by URL: those that other recipes name for it, and those whose
// source the repository is.
func replacements(recipes recipe.Set) map[string]string {
	known := map[string]string{}
	for _, name := range slices.Backward(recipes.Names()) {
		if url := recipes[name].Source.Git; url != "" {
			known[source.NormalizeURL(url)] = name
		}
	}
	for _, name := range recipes.Names() {
		for url, instead := range recipes[name].Cargo.Replace {
			known[source.NormalizeURL(url)] = instead
		}
	}
	return known
}

// TopManifest finds the folder of the one workspace of a source among the paths of its files: that of the Cargo.toml with none above it.
func TopManifest(paths []string) (dir string, err error) {
	var top []string
	for _, p := range paths {
		if path.Base(p) == manifestName {
			top = append(top, strings.TrimSuffix(strings.TrimSuffix(p, manifestName), "/"))
		}
	}
	slices.SortStableFunc(top, func(a, b string) int { return len(a) - len(b) })
	switch {
	case len(top) == 0:
		return "", errors.New("the source has no Cargo.toml, and a recipe for anything but cargo is written by hand (docs/recipes.md)")
	case top[0] == "" || !slices.ContainsFunc(top, func(dir string) bool { return dir != top[0] && !strings.HasPrefix(dir, top[0]+"/") }):
		return top[0], nil
	}
	return "", fmt.Errorf("the source has several workspaces (Cargo.toml in %s): write the recipe by hand and name one by [cargo] dir", strings.Join(top, ", "))
}

package recipe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// FileName is the file that makes a folder a recipe.
const FileName = "recipe.toml"

// Set is all recipes of a tree by name.
type Set map[string]*Recipe

// Names are the recipes' names in order.
func (s Set) Names() []string {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// LoadAll reads every recipe below dir and checks each one and the references among them. All
// mistakes of all files come back at once.
func LoadAll(dir string) (Set, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the recipes: %w", err)
	}
	set := Set{}
	var all *multierror.Error
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		r, err := Load(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			all = multierror.Append(all, err)
			continue
		}
		set[r.Name] = r
	}
	if all == nil {
		all = multierror.Append(all, set.checkReferences()...)
	}
	return set, all.ErrorOrNil()
}

// Load reads one recipe from its folder.
func Load(dir string) (*Recipe, error) {
	path := filepath.Join(dir, FileName)
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, b)
}

// Parse reads a recipe from the bytes of its file. The folder's name is the recipe's.
func Parse(path string, b []byte) (*Recipe, error) {
	r := &Recipe{Dir: filepath.Dir(path), Path: path}
	r.Name = filepath.Base(r.Dir)
	if err := tomlfile.Decode(path, b, r); err != nil {
		return nil, err
	}
	var all *multierror.Error
	for _, err := range r.check() {
		all = multierror.Append(all, fmt.Errorf("%s: %w", path, err))
	}
	if err := all.ErrorOrNil(); err != nil {
		return nil, err
	}
	return r, nil
}

// check finds what the types cannot say.
func (r *Recipe) check() []error {
	var errs []error
	if !validName.MatchString(r.Name) {
		errs = append(errs, fmt.Errorf("the folder's name %q is no recipe name (lower-case letters, digits and ._+-)", r.Name))
	}
	if r.Description == "" {
		errs = append(errs, errors.New("description is missing: one line for `mage recipe:list`"))
	}
	errs = append(errs, r.Source.check("source")...)
	for name, p := range r.Profiles {
		if p.Source != nil {
			errs = append(errs, p.Source.check("profile."+name+".source")...)
		}
	}
	seen := map[string]bool{"source": true, "recipe": true}
	for i := range r.Steps {
		s := &r.Steps[i]
		if seen[s.Name] {
			errs = append(errs, fmt.Errorf("step %q: the name is taken", s.Name))
		}
		seen[s.Name] = true
		for _, err := range s.check() {
			errs = append(errs, fmt.Errorf("step %q: %w", s.Name, err))
		}
	}
	for _, f := range r.Files {
		errs = append(errs, f.check()...)
	}
	if r.Initfs != nil && r.Initfs.Version != 1 && r.Initfs.Version != 2 {
		errs = append(errs, fmt.Errorf("initfs.version is %d, not 1 or 2", r.Initfs.Version))
	}
	return errs
}

func (s *Source) check(where string) []error {
	var kinds []string
	for kind, v := range map[string]string{"git": s.Git, "archive": s.Archive, "crate": s.Crate, "path": s.Path, "same-as": s.SameAs} {
		if v != "" {
			kinds = append(kinds, kind)
		}
	}
	sort.Strings(kinds)
	if len(kinds) != 1 {
		return []error{fmt.Errorf("%s needs exactly one of git, archive, crate, path and same-as (it has: %s)", where, orNone(kinds))}
	}
	var errs []error
	switch kinds[0] {
	case "git":
		if !validCommit.MatchString(s.Commit) {
			errs = append(errs, fmt.Errorf("%s.commit %q is not a full commit id (40 hex digits); branches and tags move", where, s.Commit))
		}
	case "archive", "crate":
		if !validSHA256.MatchString(s.SHA256) {
			errs = append(errs, fmt.Errorf("%s.sha256 %q is not a SHA-256 (64 hex digits)", where, s.SHA256))
		}
	}
	if s.Crate != "" && s.Version == "" {
		errs = append(errs, fmt.Errorf("%s.version is missing", where))
	}
	for path, sub := range s.Submodules {
		if !validPath(path) || path == "" {
			errs = append(errs, fmt.Errorf("%s.submodules: %q is no path inside the source", where, path))
		}
		if sub.Git == "" || !validCommit.MatchString(sub.Commit) {
			errs = append(errs, fmt.Errorf("%s.submodules.%q needs git and a full commit id", where, path))
		}
	}
	return errs
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// The values that the words of a step can have.
var (
	stepKinds = []string{"cargo", "rustc", "link", "archive", "rename-symbols"}
	targets   = []string{"", "user", "kernel", "uefi", "host"}
	artifacts = []string{"", "bin", "staticlib", "object"}
	stds      = []string{"", "std", "core", "none"}
	backends  = []string{"", string(Cranelift), string(LLVM)}
	rules     = []string{"", "program", "bootstrap", "kernel", "none"}
	strips    = []string{"", "all", "debug"}
)

func (s *Step) check() []error {
	var errs []error
	word := func(key, value string, allowed []string) {
		for _, a := range allowed {
			if value == a {
				return
			}
		}
		errs = append(errs, fmt.Errorf("%s is %q, not one of %s", key, value, strings.TrimPrefix(strings.Join(allowed, ", "), ", ")))
	}
	if !validName.MatchString(s.Name) {
		errs = append(errs, fmt.Errorf("name %q is missing or has other characters than a-z, 0-9 and ._+-", s.Name))
	}
	word("kind", s.Kind, stepKinds)
	word("target", s.Target, targets)
	word("artifact", s.Artifact, artifacts)
	word("std", s.Std, stds)
	word("backend", string(s.Backend), backends)
	word("rules", s.Rules, rules)
	if s.Backend == LLVM && s.Reason == "" && s.Target != "host" {
		errs = append(errs, errors.New(`backend = "llvm" needs backend-reason: why Cranelift cannot build it`))
	}
	if s.Kind == "cargo" && len(s.Packages) == 0 {
		errs = append(errs, errors.New("a cargo step needs packages"))
	}
	if s.Kind != "cargo" && s.Output == "" {
		errs = append(errs, fmt.Errorf("a %s step needs output", s.Kind))
	}
	for _, ref := range append([]string{s.Script}, s.Inputs...) {
		if ref == "" {
			continue
		}
		if _, err := ParseRef(ref); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func (f *File) check() []error {
	var errs []error
	if _, err := ParseRef(f.From); err != nil {
		errs = append(errs, fmt.Errorf("file: %w", err))
	}
	if !validPath(f.To) {
		errs = append(errs, fmt.Errorf("file %q: to = %q is no path inside the stage", f.From, f.To))
	}
	if f.Mode != "" {
		if _, err := f.Perm(false); err != nil {
			errs = append(errs, fmt.Errorf("file %q: %w", f.From, err))
		}
	}
	if f.Strip != "" && f.Strip != "all" && f.Strip != "debug" {
		errs = append(errs, fmt.Errorf("file %q: strip is %q, not one of %s", f.From, f.Strip, strings.Join(strips[1:], ", ")))
	}
	return errs
}

// Perm is the file's permission bits.
func (f *File) Perm(executable bool) (fs.FileMode, error) {
	if f.Mode == "" {
		if executable {
			return 0o755, nil
		}
		return 0o644, nil
	}
	n, err := strconv.ParseUint(f.Mode, 8, 12)
	if err != nil {
		return 0, fmt.Errorf("mode %q is not an octal mode like 0755", f.Mode)
	}
	return fs.FileMode(n), nil
}

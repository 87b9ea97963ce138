package recipe

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/nearest"
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

// Broken is what is wrong with the recipes that cannot be used, by name. The errors name file, line and column.
type Broken map[string]error

// UnknownError names a recipe that is not there.
type UnknownError struct {
	Name  string
	Known []string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("there is no recipe %q; there are %s", e.Name, strings.Join(e.Known, ", "))
}

// Get returns a recipe. Where there is none of that name, the error is an [UnknownError].
func (s Set) Get(name string) (*Recipe, error) {
	r, ok := s[name]
	if !ok {
		return nil, &UnknownError{Name: name, Known: s.Names()}
	}
	return r, nil
}

// In is the set with every recipe as it is in a release set, see [Recipe.In].
func (s Set) In(tables ...string) Set {
	in := make(Set, len(s))
	for name, r := range s {
		in[name] = r.In(tables...)
	}
	return in
}

// placedError is an error with the recipe file it is about.
type placedError struct {
	path string
	err  error
}

func (e *placedError) Error() string { return e.path + ": " + e.err.Error() }

func (e *placedError) Unwrap() error { return e.err }

// Place puts the recipe's file in front of an error that is about it, unless another recipe's is there already: the chain
// of all recipes that need the one at fault helps nobody.
func (r *Recipe) Place(err error) error {
	if errors.As(err, new(*placedError)) {
		return err
	}
	return &placedError{r.Path, err}
}

// LoadAll reads every recipe below dir and checks each one and the references among them. All
// mistakes of all files come back at once.
func LoadAll(dir string, releases Releases) (Set, error) {
	set, broken, err := LoadEach(dir, releases)
	if err != nil {
		return nil, err
	}
	var all *multierror.Error
	for _, name := range slices.Sorted(maps.Keys(broken)) {
		all = multierror.Append(all, broken[name])
	}
	return set, listed(all)
}

// Releases are the release sets by name, each with the names under which recipes say what differs in it, in the order in which they hold.
type Releases map[string][]string

// names are theirs, those that inherit after those that they inherit from.
func (r Releases) names() []string {
	return slices.SortedFunc(maps.Keys(r), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(r[a]), len(r[b])), cmp.Compare(a, b))
	})
}

// LoadEach reads every recipe below dir: those that can be used in all of the release sets, and what is wrong with the others. One
// that needs a broken one is broken too.
func LoadEach(dir string, releases Releases) (Set, Broken, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the recipes: %w", err)
	}
	set, broken := Set{}, Broken{}
	for _, e := range entries {
		is, err := leadsToFolder(dir, e)
		if err != nil {
			broken[e.Name()] = err
		}
		if !is {
			continue
		}
		r, err := Load(filepath.Join(dir, e.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			broken[e.Name()] = err
		default:
			set[r.Name] = r
		}
	}
	set.breakUnknown(broken, releases)
	for set.breakWrong(broken, releases) {
	}
	return set, broken, nil
}

// leadsToFolder follows a link: recipes may be kept elsewhere.
func leadsToFolder(dir string, e fs.DirEntry) (bool, error) {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir(), nil
	}
	path := filepath.Join(dir, e.Name())
	info, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("the link %s leads nowhere: mend it, or remove it (%w)", path, err)
	}
	return info.IsDir(), nil
}

// breakUnknown takes out the recipes that say something of a release set that there is not: nothing would ever ask for it.
func (s Set) breakUnknown(broken Broken, releases Releases) {
	known := slices.Sorted(maps.Keys(releases))
	for name, r := range s {
		var all *multierror.Error
		for _, set := range slices.Sorted(maps.Keys(r.Sets)) {
			if !slices.Contains(known, set) {
				all = multierror.Append(all, r.problemAt([]string{"set", set}, unknownRelease(set, known)))
			}
		}
		if all != nil {
			broken[name] = listed(all)
			delete(s, name)
		}
	}
}

func unknownRelease(name string, known []string) string {
	text := fmt.Sprintf("there is no release set %q", name)
	if near := nearest.Names(name, known); len(near) > 0 {
		return text + fmt.Sprintf("; did you mean %q?", near[0])
	}
	return text + "; toolchain/sets/" + name + "/toolchain.toml would make it one"
}

// breakWrong takes the recipes out of the set whose references are wrong, and tells whether there were any: others may need
// them.
func (s Set) breakWrong(broken Broken, releases Releases) bool {
	problems := s.checkReferences(broken, releases)
	by := map[string]*multierror.Error{}
	for _, p := range problems {
		by[p.recipe] = multierror.Append(by[p.recipe], p.err)
	}
	for name, all := range by {
		broken[name] = listed(all)
		delete(s, name)
	}
	return len(problems) > 0
}

// listed is the mistakes, each from a line of its own: they bring their place and their source line.
func listed(all *multierror.Error) error {
	if all != nil {
		all.ErrorFormat = errs.Lines
	}
	return errs.One(all)
}

// Load reads one recipe from its folder.
func Load(dir string) (*Recipe, error) {
	path := filepath.Join(dir, FileName)
	b, err := tomlfile.Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, b)
}

// Parse reads a recipe from the bytes of its file. The folder's name is the recipe's. What it leaves to defaults that depend on other keys is
// filled in: Files has what Install says too, and Sysroot and Strip are what holds, "" for none.
func Parse(path string, b []byte) (*Recipe, error) {
	r := &Recipe{Dir: filepath.Dir(path), Path: path}
	r.Name = filepath.Base(r.Dir)
	err := tomlfile.Decode(path, b, r, func() []*tomlfile.Problem {
		r.fill()
		var all []*tomlfile.Problem
		for _, f := range r.check() {
			all = append(all, tomlfile.At(path, b, f.key, "%s", f.text))
		}
		return all
	})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// fault is a mistake at a key of the file; elements of arrays are named by their position.
type fault struct {
	key  []string
	text string
}

func at(key ...string) func(format string, args ...any) fault {
	return func(format string, args ...any) fault { return fault{key, fmt.Sprintf(format, args...)} }
}

// below puts faults of a part under the key of the whole.
func below(faults []fault, key ...string) []fault {
	for i := range faults {
		faults[i].key = append(slices.Clone(key), faults[i].key...)
	}
	return faults
}

// check finds what the types cannot say.
func (r *Recipe) check() []fault {
	var faults []fault
	switch {
	case r.Name == none:
		faults = append(faults, at()("no recipe can be named %q: `sysroot = %[1]q` is without one", none))
	case !validName.MatchString(r.Name):
		faults = append(faults, at()("the folder's name %q is no recipe name (lower-case letters, digits and ._+-)", r.Name))
	}
	faults = append(faults, below(r.Source.check(), "source")...)
	faults = append(faults, r.checkSeries()...)
	seen := map[string]bool{"source": true, "recipe": true}
	for i := range r.Steps {
		s := &r.Steps[i]
		key := []string{"step", strconv.Itoa(i)}
		if seen[s.Name] {
			faults = append(faults, at(append(key, "name")...)("two steps cannot both be named %q (source and recipe are names of the build)", s.Name))
		}
		seen[s.Name] = true
		faults = append(faults, below(s.check(), key...)...)
	}
	faults = append(faults, r.checkFiles()...)
	faults = append(faults, below(r.Cargo.check(), "cargo")...)
	if r.Initfs != nil {
		faults = append(faults, below(r.Initfs.check(), "initfs")...)
	}
	return append(faults, r.checkSets()...)
}

// checkSeries: who takes a source as another recipe has it has no patches. key is where the file says the patches.
func (r *Recipe) checkSeries(key ...string) []fault {
	if r.Source.SameAs == "" || len(r.Patches) == 0 {
		return nil
	}
	return []fault{at(append(key, "patches")...)("the patches come with the source of %s; a recipe that takes it as it is has none of its own", r.Source.SameAs)}
}

func (i *Initfs) check() []fault {
	if i.Version == 1 || i.Version == 2 {
		return nil
	}
	return []fault{at("version")("the layout is %d, not 1 or 2", i.Version)}
}

func (s *Source) check() []fault {
	var faults []fault
	if s.Git != "" {
		if err := git.CheckURL(s.Git); err != nil {
			faults = append(faults, at("git")("%v", err))
		}
		if !validCommit.MatchString(s.Commit) {
			faults = append(faults, at("commit")("commit %q is not a full commit id (40 hex digits); branches and tags move", s.Commit))
		}
	}
	if s.Archive+s.Crate != "" {
		faults = append(faults, s.checkSums()...)
	}
	if s.Blake3 != "" && s.Archive == "" {
		faults = append(faults, at("blake3")("blake3 is the sum of an archive, and this source has none"))
	}
	if s.Crate != "" && s.Version == "" {
		faults = append(faults, at("crate")("version is missing"))
	}
	for _, path := range slices.Sorted(maps.Keys(s.Submodules)) {
		sub := s.Submodules[path]
		if !validPath(path) || path == "" {
			faults = append(faults, at("submodules", path)("%q is no path inside the source", path))
		}
		if err := git.CheckURL(sub.Git); sub.Git != "" && err != nil {
			faults = append(faults, at("submodules", path, "git")("%v", err))
		}
		if !validCommit.MatchString(sub.Commit) {
			faults = append(faults, at("submodules", path, "commit")("a submodule needs a full commit id (40 hex digits)"))
		}
	}
	return faults
}

// checkSums: an archive has sha256, blake3 or both, a crate has sha256.
func (s *Source) checkSums() []fault {
	var faults []fault
	if !validSum.MatchString(s.SHA256) && (s.SHA256 != "" || s.Blake3 == "" || s.Crate != "") {
		faults = append(faults, at("sha256")("sha256 %q is not a SHA-256 (64 hex digits)%s", s.SHA256, s.orBlake3()))
	}
	if s.Archive != "" && s.Blake3 != "" && !validSum.MatchString(s.Blake3) {
		faults = append(faults, at("blake3")("blake3 %q is not a BLAKE3 sum (64 hex digits)", s.Blake3))
	}
	return faults
}

// orBlake3 is what else would do where there is no sum at all.
func (s *Source) orBlake3() string {
	if s.Archive != "" && s.SHA256 == "" {
		return "; an archive may have blake3 in its place"
	}
	return ""
}

func (c *Cargo) check() []fault {
	if i := slices.Index(c.Members, AllMembers[0]); i >= 0 && len(c.Members) > 1 {
		return []fault{at("members", strconv.Itoa(i))("%q keeps all members: it stands alone", AllMembers[0])}
	}
	return nil
}

func (s *Step) check() []fault {
	var faults []fault
	if !validName.MatchString(s.Name) {
		faults = append(faults, at("name")("the step's name %q has other characters than a-z, 0-9 and ._+-", s.Name))
	}
	if s.Backend == LLVM && s.Reason == "" && s.Target != TargetHost {
		faults = append(faults, at("backend")(`backend = "llvm" needs backend-reason: why Cranelift cannot build it`))
	}
	faults = append(faults, s.Kind.text().check(s)...)
	if strings.Contains(s.Output, "/") || s.Output == ".." || s.Output == "." {
		faults = append(faults, at("output")("output = %q is not the name of a file", s.Output))
	}
	if !validPath(s.Dir) {
		faults = append(faults, at("dir")("dir = %q is no path inside the source", s.Dir))
	}
	if s.Script != "" {
		if _, err := ParseRef(s.Script); err != nil {
			faults = append(faults, at("script")("%v", err))
		}
	}
	for i, ref := range s.Inputs {
		if _, err := ParseRef(ref); err != nil {
			faults = append(faults, at("inputs", strconv.Itoa(i))("%v", err))
		}
	}
	return faults
}

func (f *File) check() []fault {
	var faults []fault
	if _, err := ParseRef(f.From); err != nil {
		faults = append(faults, at("from")("%v", err))
	}
	if !validPath(f.To) {
		faults = append(faults, at("to")("to = %q is no path inside the stage", f.To))
	}
	if _, err := f.Perm(false); err != nil {
		faults = append(faults, at("mode")("%v", err))
	}
	for i, link := range f.Links {
		if !validPath(link) || link == "" {
			faults = append(faults, at("links", strconv.Itoa(i))("%q is no path inside the stage", link))
		}
	}
	return faults
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

package source

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/remotesetting"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// EnvPrefix begins the variables that override a source by a folder; see
// [EnvName]. The variables are read by package config, not here.
const EnvPrefix = "REDOX_SOURCE_"

// Overrides are what a user puts in the place of pinned sources. The zero
// value overrides nothing.
type Overrides struct {
	mirrors map[string]string
	sources map[string]override
	env     map[string]string
	git     map[string]GitOverride // by normalized URL
	file    string                 // where it was read, for announcements
	edits   map[string]string      // the folders of sources under edit
	// Remote is what the file says of a remote cache; nil when nothing is said. It overrides no source.
	Remote *remotesetting.Table
}

// override takes the place of the source of one recipe, with the recipe's patches on top.
type override struct {
	// Dir is a folder, relative to the file.
	Dir string `toml:"dir,oneof"`
	// Git is the URL of another repository, or the path of one when it begins with ./ or ../.
	Git string `toml:"git,oneof"`
	// Commit is taken of the repository, 40 lower-case hex digits; `git` needs it.
	Commit string `toml:"commit"`
}

// GitOverride replaces a git dependency inside Cargo workspaces.
type GitOverride struct {
	// Dir is a folder or a git repository that has the crates, relative to the file.
	Dir string `toml:"dir,oneof"`
	// Version takes the crate of that version from the crate registry instead: "0.36.7".
	Version string `toml:"version,oneof"`
	// Remove takes the dependency out of the workspace.
	Remove bool `toml:"remove,oneof"`
	// Commit limits this to dependencies that are locked at the commit, 40 lower-case hex digits. Where `dir` is a repository it is
	// the commit that is taken from it.
	Commit string `toml:"commit"`
}

// Document is overrides.toml as it is written: what one user builds with in place of pinned sources. Git ignores the file. An override is a
// part of what is built, so its results are others in the cache, and it is announced.
type Document struct {
	// Mirror has for the beginning of a URL what replaces it, in every source that is fetched; the longest that fits wins. What begins
	// with ./ or ../ is relative to the file.
	Mirror map[string]string `toml:"mirror"`
	// Source replaces sources, by the name of the recipe; "recipe/path" is a submodule.
	Source map[string]override `toml:"source"`
	// Git replaces git dependencies of Cargo workspaces, by URL. It does not matter whether the URL ends in .git or a slash.
	Git map[string]GitOverride `toml:"git"`
	// Remote names a remote cache, for all builds of this checkout.
	Remote *remotesetting.Table `toml:"remote"`
}

// LoadOverrides reads overrides.toml. file is used in messages and as the base
// of relative folders; env maps REDOX_SOURCE_* names to folders and wins over
// the file. fromHome puts the home folder in place of a ~ that a path begins with; nil leaves it. data may be nil when there is no file.
func LoadOverrides(file string, data []byte, env map[string]string, fromHome func(path string) string) (*Overrides, error) {
	var raw Document
	if err := tomlfile.Decode(file, data, &raw); err != nil {
		return nil, err
	}
	o := &Overrides{Remote: raw.Remote, file: filepath.Base(file), mirrors: map[string]string{}, sources: map[string]override{}, git: map[string]GitOverride{}, env: map[string]string{}}
	base := naming{filepath.Dir(file), fromHome}
	var faults *multierror.Error
	fault := func(table, key, format string, args ...any) {
		faults = multierror.Append(faults, tomlfile.At(file, data, []string{table, key}, format, args...))
	}
	for from, to := range raw.Mirror {
		if from == "" || to == "" {
			fault("mirror", from, "a mirror needs a URL prefix and what replaces it")
		} else if err := git.CheckURL(to); err != nil {
			fault("mirror", from, "%v", err)
		}
		o.mirrors[from] = base.url(to)
	}
	for name, s := range raw.Source {
		if problem := s.problem(); problem != "" {
			fault("source", name, "%s", problem)
		}
		s.Dir, s.Git = base.abs(s.Dir), base.url(s.Git)
		o.sources[name] = s
	}
	for url, g := range raw.Git {
		if problem := g.problem(); problem != "" {
			fault("git", url, "%s", problem)
		}
		g.Dir = base.abs(g.Dir)
		o.git[NormalizeURL(url)] = g
	}
	for name, dir := range env {
		if !strings.HasPrefix(name, EnvPrefix) || dir == "" {
			faults = multierror.Append(faults, fmt.Errorf("%s=%q overrides no source: want %s<NAME>=DIR", name, dir, EnvPrefix))
		}
		o.env[name] = base.abs(dir)
	}
	if err := faults.ErrorOrNil(); err != nil {
		return nil, err
	}
	return o, nil
}

// Edit has a folder take the place of a source and of all its patches: it is under edit there. Another folder in its place is an error.
func (o *Overrides) Edit(name, dir string) error {
	by := ""
	if _, ok := o.env[EnvName(name)]; ok {
		by = EnvName(name)
	} else if o.sources[name].Dir != "" {
		by = o.file
	}
	if by != "" {
		return fmt.Errorf("the source of %s is under edit in %s, and %s has another folder in its place: take that away, or `mage edit %s -drop` ends the edit", name, dir, by, name)
	}
	if o.edits == nil {
		o.edits = map[string]string{}
	}
	o.edits[name] = dir
	return nil
}

func (s override) problem() string {
	switch {
	case s.Git != "" && git.CheckURL(s.Git) != nil:
		return git.CheckURL(s.Git).Error()
	case s.Git != "" && s.Commit == "":
		return "git needs a commit"
	case s.Commit != "" && !commitHex.MatchString(s.Commit):
		return "commit must be 40 lower-case hex digits"
	}
	return ""
}

func (g GitOverride) problem() string {
	switch {
	case g.Version != "" && !version.MatchString(g.Version):
		return "version must be a full version such as 0.36.7"
	case g.Commit != "" && !commitHex.MatchString(g.Commit):
		return "commit must be 40 lower-case hex digits"
	}
	return ""
}

// naming is where names of folders are taken from: a folder for relative ones, and the home folder.
type naming struct {
	base     string
	fromHome func(path string) string
}

func (n naming) home(path string) string {
	if n.fromHome == nil || !strings.HasPrefix(path, "~") {
		return path
	}
	return n.fromHome(path)
}

func (n naming) abs(dir string) string {
	dir = n.home(dir)
	if dir == "" || filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(n.base, dir)
}

// url makes a local folder absolute and leaves URLs, also git's
// host:path form, alone.
func (n naming) url(s string) string {
	joined := n.home(s)
	if strings.HasPrefix(s, "./") || strings.HasPrefix(s, "../") {
		joined = filepath.Join(n.base, s)
	}
	if strings.HasSuffix(s, "/") && !strings.HasSuffix(joined, "/") { // a mirror's prefix
		joined += "/"
	}
	return joined
}

// EnvName is the variable that overrides a source: REDOX_SOURCE_ and the name
// in capitals, everything but letters and digits as "_".
func EnvName(name string) string {
	return EnvPrefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
}

// NormalizeURL makes the spellings of one repository's URL equal: no trailing
// slash, no .git, no cargo query or fragment, no "git+".
func NormalizeURL(url string) string {
	url = strings.TrimPrefix(url, "git+")
	url, _, _ = strings.Cut(url, "#")
	url, _, _ = strings.Cut(url, "?")
	url = strings.TrimRight(url, "/")
	return strings.TrimRight(strings.TrimSuffix(url, ".git"), "/")
}

// Mirror is the URL to fetch from: the longest matching prefix of the mirror
// table replaced, as git's insteadOf does it.
func (o *Overrides) Mirror(url string) string {
	best := ""
	for from := range o.mirrors {
		if strings.HasPrefix(url, from) && len(from) > len(best) {
			best = from
		}
	}
	if best == "" {
		return url
	}
	return o.mirrors[best] + url[len(best):]
}

// GitDependency is the override for a git dependency of a Cargo workspace.
func (o *Overrides) GitDependency(url string) (GitOverride, bool) {
	g, ok := o.git[NormalizeURL(url)]
	return g, ok
}

// Mirrors is the mirror table: a URL's prefix and what takes its place.
func (o *Overrides) Mirrors() map[string]string { return maps.Clone(o.mirrors) }

// GitURLs are the normalized URLs of the overridden git dependencies, in order.
func (o *Overrides) GitURLs() []string {
	urls := make([]string, 0, len(o.git))
	for url := range o.git {
		urls = append(urls, url)
	}
	sort.Strings(urls)
	return urls
}

// Sources are the names of the sources that the file overrides, in order; SourceText says by what.
func (o *Overrides) Sources() []string {
	names := make([]string, 0, len(o.sources))
	for name := range o.sources {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// SourceText is what the file has in place of a source, for people.
func (o *Overrides) SourceText(name string) string {
	by := o.sources[name]
	text := by.Dir + by.Git
	if by.Commit != "" {
		text += " at " + by.Commit
	}
	return text
}

// Unused lists the names of overrides of sources that match none of names: a
// typo there would silently build the pinned source.
func (o *Overrides) Unused(names []string) []string {
	known, knownEnv := map[string]bool{}, map[string]bool{}
	for _, n := range names {
		known[n], knownEnv[EnvName(n)] = true, true
	}
	var unused []string
	for n := range o.sources {
		if !known[n] {
			unused = append(unused, `source."`+n+`"`)
		}
	}
	for n := range o.env {
		if !knownEnv[n] {
			unused = append(unused, n)
		}
	}
	sort.Strings(unused)
	return unused
}

// Resolved is a source after overrides and mirrors.
type Resolved struct {
	Name       string
	Source     Source // effective; a Git's Submodules are in the field below
	FetchURL   string // after mirrors, for Git and Archive
	Submodules map[string]*Resolved
	Overridden bool   // this source itself, see AnyOverridden for its submodules
	Edited     bool   // it is under edit: the patches are in it, and its submodules
	Announce   string // one line for people when overridden, else empty
}

// Resolve applies overrides and mirrors to a source. Submodules are
// overridden under name/path.
func (o *Overrides) Resolve(name string, src Source) (*Resolved, error) {
	if err := src.Validate(); err != nil {
		return nil, err
	}
	r := &Resolved{Name: name, Source: src}
	if dir, ok := o.edits[name]; ok {
		r.Source, r.Overridden, r.Edited = Path(dir), true, true
		r.Announce = fmt.Sprintf("source %s: %s, which is under edit (`mage edit %s -finish` ends that)", name, dir, name)
		return r, nil
	}
	if err := o.override(r); err != nil {
		return nil, err
	}
	if g, ok := src.(Git); ok {
		for _, at := range g.submodulePaths() {
			sub, err := o.Resolve(name+"/"+at, g.Submodules[at])
			if err != nil {
				return nil, fmt.Errorf("submodule %s: %w", at, err)
			}
			if r.leavesSubmodule(at, sub) {
				continue
			}
			if r.Submodules == nil {
				r.Submodules = map[string]*Resolved{}
			}
			r.Submodules[at] = sub
		}
	}
	switch s := r.Source.(type) {
	case Git:
		s.Submodules = nil
		r.Source, r.FetchURL = s, o.Mirror(s.URL)
	case Archive:
		r.FetchURL = o.Mirror(s.URL)
	}
	return r, nil
}

// leavesSubmodule: a folder given by the user may well have its submodules
// checked out, and then they are what the user means.
func (r *Resolved) leavesSubmodule(at string, sub *Resolved) bool {
	dir, ok := r.Source.(Path)
	if !ok || sub.Overridden {
		return false
	}
	entries, err := os.ReadDir(filepath.Join(string(dir), filepath.FromSlash(at)))
	return err == nil && len(entries) > 0
}

func (o *Overrides) override(r *Resolved) error {
	by, by2 := o.sources[r.Name], o.file
	if dir, ok := o.env[EnvName(r.Name)]; ok {
		by, by2 = override{Dir: dir}, EnvName(r.Name)
	}
	switch {
	case by.Git != "":
		r.Source = Git{URL: by.Git, Commit: by.Commit}
	case by.Dir != "":
		if err := r.overrideDir(by); err != nil {
			return fmt.Errorf("%s overrides %s: %w", by2, r.Name, err)
		}
	default:
		return nil
	}
	r.Overridden = true
	r.Announce = fmt.Sprintf("source %s: %s instead of the pinned one (%s)", r.Name, r.Source, by2)
	return nil
}

// overrideDir takes a repository at a commit as git, so that its identity is
// the commit and not the folder, and any other folder as it is.
func (r *Resolved) overrideDir(by override) error {
	info, err := os.Stat(by.Dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", by.Dir)
	}
	commit := by.Commit
	if commit == "" && IsBareRepository(by.Dir) {
		g, ok := r.Source.(Git)
		if !ok {
			return fmt.Errorf("%s is a bare git repository: give a commit too", by.Dir)
		}
		commit = g.Commit
	}
	if commit != "" {
		r.Source = Git{URL: by.Dir, Commit: commit}
		return nil
	}
	r.Source = Path(by.Dir)
	return nil
}

// IsBareRepository says whether a folder is itself a git directory.
func IsBareRepository(dir string) bool {
	for _, part := range []string{"HEAD", "objects", "refs"} {
		if _, err := os.Stat(filepath.Join(dir, part)); err != nil {
			return false
		}
	}
	return true
}

// AnyOverridden says whether the source or one of its submodules is overridden.
func (r *Resolved) AnyOverridden() bool { return len(r.Announcements()) > 0 }

// Announcements are the lines of the source and its submodules.
func (r *Resolved) Announcements() []string {
	var lines []string
	if r.Announce != "" {
		lines = append(lines, r.Announce)
	}
	for _, at := range r.submodulePaths() {
		lines = append(lines, r.Submodules[at].Announcements()...)
	}
	return lines
}

// Identity names the content: commits for git, digests for archives and
// crates, submodules with their paths. ok is false when the source or a
// submodule is a folder, whose content only the caller's tree digest names.
func (r *Resolved) Identity() (id string, ok bool) {
	switch s := r.Source.(type) {
	case Git:
		id, ok = "git:"+s.Commit, true
	case Archive:
		id, ok = fmt.Sprintf("archive:%s:strip=%d", s.digests().identity(), s.Strip), true
	case Crate:
		id, ok = "crate:sha256:"+s.SHA256, true
	case Path:
		return "", false
	}
	for _, at := range r.submodulePaths() {
		sub, subOK := r.Submodules[at].Identity()
		id, ok = id+" "+path.Clean(at)+"="+sub, ok && subOK
	}
	if !ok {
		return "", false
	}
	return id, true
}

func (r *Resolved) submodulePaths() []string {
	paths := make([]string, 0, len(r.Submodules))
	for p := range r.Submodules {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	return paths
}

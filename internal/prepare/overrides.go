package prepare

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/source"
)

// collectOverrides takes the user's replacements of git dependencies that the recipe does not replace. Which of them this
// workspace uses is known when its manifests are.
func (f *fitting) collectOverrides() error {
	taken := map[string]bool{}
	for _, d := range f.deps {
		taken[source.NormalizeURL(d.URL)] = true
	}
	for _, url := range f.s.o.Overrides.GitURLs() {
		if taken[url] {
			continue
		}
		d, err := f.override(url)
		if err != nil {
			return err
		}
		f.overrides = append(f.overrides, d)
	}
	return nil
}

// override is what the user puts in place of a git dependency.
func (f *fitting) override(url string) (dependency, error) {
	o, _ := f.s.o.Overrides.GitDependency(url)
	d := dependency{URL: url, Version: o.Version, Remove: o.Remove}
	if o.Dir == "" {
		d.commit = o.Commit
		return d, nil
	}
	var src source.Source = source.Path(o.Dir)
	if o.Commit != "" {
		src = source.Git{URL: o.Dir, Commit: o.Commit}
	}
	res, err := f.s.o.Overrides.Resolve("override of "+url, src)
	if err != nil {
		return d, err
	}
	d.Folder = overrideFolder(url)
	d.resolved = res
	d.node, err = f.s.sourceTree("override/"+d.Folder, res)
	return d, err
}

// overrideFolder is where a workspace has what is put in place of a git dependency.
func overrideFolder(url string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			return c
		}
		return '_'
	}, strings.ToLower(url))
}

func (d dependency) overrideText() string {
	switch {
	case d.Remove:
		return "removed"
	case d.Version != "":
		return "registry version " + d.Version
	}
	return "a folder"
}

// replacements are what is replaced in the workspace: what the recipe says, and those of the user's overrides that the workspace
// asks for, by itself or in what has taken a dependency's place. An override that it does not use is in no key of it.
func (f *fitting) replacements(in graph.Outputs) ([]dependency, error) {
	if len(f.overrides) == 0 {
		return f.deps, nil
	}
	asked := gitURLs{}
	for _, n := range append(f.sources(f.deps), f.lock) {
		if err := f.s.askedBy(asked, in, n); err != nil {
			return nil, err
		}
	}
	used := map[string]bool{}
	for again := true; again; {
		again = false
		for _, d := range f.overrides {
			if used[d.URL] || !asked.has(d) {
				continue
			}
			used[d.URL], again = true, true
			if err := f.s.askedBy(asked, in, d.node); err != nil {
				return nil, err
			}
		}
	}
	all := slices.Clone(f.deps)
	for _, d := range f.overrides {
		f.s.overrideUsed(d, used[d.URL])
		if used[d.URL] {
			all = append(all, d)
		}
	}
	return all, nil
}

// overrideUsed notes whether a workspace uses an override, and says so the first time that one does.
func (s *Sources) overrideUsed(d dependency, used bool) {
	if !used {
		s.overrides.LoadOrStore(d.URL, false)
		return
	}
	s.overrides.Store(d.URL, true)
	s.notice(fmt.Sprintf("override of a git dependency: %s (%s)", path.Base(d.URL), d.overrideText()))
}

// UnusedOverrides are the URLs of the overridden git dependencies that no workspace asks for, of those whose nodes were planned.
func (s *Sources) UnusedOverrides() []string {
	var urls []string
	s.overrides.Range(func(url, used any) bool {
		if !used.(bool) {
			urls = append(urls, url.(string))
		}
		return true
	})
	slices.Sort(urls)
	return urls
}

// gitURLs are normalized URLs with the commits at which a Cargo.lock has them, as far as one does.
type gitURLs map[string]map[string]bool

func (g gitURLs) has(d dependency) bool {
	commits, ok := g[d.URL]
	return ok && (d.commit == "" || commits[d.commit])
}

// askedBy adds what the manifests and lock files of a node's output name; a nil node has none.
func (s *Sources) askedBy(asked gitURLs, in graph.Outputs, n *graph.Node) error {
	if n == nil {
		return nil
	}
	named, err := s.gitURLsOf(in[n])
	for url, commits := range named {
		if asked[url] == nil {
			asked[url] = map[string]bool{}
		}
		maps.Copy(asked[url], commits)
	}
	return err
}

// quotedURLs are the strings of a TOML text that are URLs: those of git dependencies are among them, and as a workspace is
// looked at for each build, the others need not be told from them. For the same reason it is no regular expression, which takes ten times as long.
func quotedURLs(text []byte) []string {
	const ends = "\"' \t\n\r\f"
	var urls []string
	for {
		at := bytes.Index(text, []byte("://"))
		if at < 0 {
			return urls
		}
		before, behind := text[:at], text[at+len("://"):]
		from, size := bytes.LastIndexAny(before, ends), bytes.IndexAny(behind, ends)
		if size < 0 {
			return urls
		}
		if from >= 0 && from+1 < at && size > 0 && isQuote(before[from]) && isQuote(behind[size]) {
			urls = append(urls, string(text[from+1:at+len("://")+size]))
		}
		text = behind[size:]
	}
}

func isQuote(c byte) bool { return c == '"' || c == '\'' }

// gitURLsOf reads the manifests and lock files of a tree, each tree once.
func (s *Sources) gitURLsOf(root cas.Digest) (gitURLs, error) {
	if known, ok := s.urls.Load(root); ok {
		return known.(gitURLs), nil
	}
	tree, err := s.o.Store.LoadTree(root)
	if err != nil {
		return nil, err
	}
	named := gitURLs{}
	for p, e := range tree.Entries {
		if e.Dir || e.Link != "" || !isManifest(p) {
			continue
		}
		text, err := s.o.Store.ReadAll(e.Digest)
		if err != nil {
			return nil, err
		}
		for _, whole := range quotedURLs(text) {
			url := source.NormalizeURL(whole)
			if named[url] == nil {
				named[url] = map[string]bool{}
			}
			if _, commit, ok := strings.Cut(whole, "#"); ok {
				named[url][commit] = true
			}
		}
	}
	s.urls.Store(root, named)
	return named, nil
}

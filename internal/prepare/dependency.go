package prepare

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/source"
)

// dependency is a git URL, or a crate of the registry, and what takes its place.
type dependency struct {
	URL     string `json:"url,omitempty"`
	Crate   string `json:"crate,omitempty"`
	Folder  string `json:"folder,omitempty"` // below deps/
	Version string `json:"version,omitempty"`
	Remove  bool   `json:"remove,omitempty"`
	node    *graph.Node
}

// collect finds what is replaced in the workspace, and the Cargo.lock. The recipe's own replacements come
// first: that redox-rt is the relibc being built is no matter of taste.
func (f *fitting) collect() error {
	if err := f.collectOwn(); err != nil {
		return err
	}
	origin, err := f.s.Origin(f.r)
	if err != nil {
		return err
	}
	// Sources of this repository have no git dependencies for anybody to override.
	if !f.r.UsesCargo() || origin.Source.Path != "" {
		return nil
	}
	if err := f.collectOverrides(); err != nil {
		return err
	}
	if f.r.Cargo.Lock != "" {
		f.lock, err = f.s.RecipeFolder(f.r)
	}
	return err
}

// collectOwn takes the replacements of the recipe.
func (f *fitting) collectOwn() error {
	for _, url := range slices.Sorted(maps.Keys(f.r.Cargo.Replace)) {
		name := f.r.Cargo.Replace[url]
		node, err := f.s.Patched(name)
		if err != nil {
			return err
		}
		f.deps = append(f.deps, dependency{URL: url, Folder: name, node: node})
	}
	for _, crate := range slices.Sorted(maps.Keys(f.r.Cargo.Patch)) {
		name := f.r.Cargo.Patch[crate]
		node, err := f.s.Patched(name)
		if err != nil {
			return err
		}
		f.deps = append(f.deps, dependency{Crate: crate, Folder: "crate-" + name, node: node})
	}
	return nil
}

// collectOverrides takes those of the user for what the recipe does not replace, and says in one line which.
func (f *fitting) collectOverrides() error {
	taken := map[string]bool{}
	for _, d := range f.deps {
		taken[source.NormalizeURL(d.URL)] = true
	}
	var said []string
	for _, url := range f.s.o.Overrides.GitURLs() {
		if taken[url] {
			continue
		}
		o, _ := f.s.o.Overrides.GitDependency(url, "")
		d, err := f.override(url, o)
		if err != nil {
			return err
		}
		f.deps = append(f.deps, d)
		said = append(said, fmt.Sprintf("%s (%s)", path.Base(url), overrideText(o)))
	}
	if len(said) > 0 {
		f.s.notice("overrides of git dependencies: " + strings.Join(said, ", "))
	}
	return nil
}

// override is what the user puts in place of a git dependency.
func (f *fitting) override(url string, o source.GitOverride) (dependency, error) {
	d := dependency{URL: url, Version: o.Version, Remove: o.Remove}
	if o.Dir == "" {
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
	d.Folder = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			return c
		}
		return '_'
	}, strings.ToLower(url))
	d.node, err = f.s.sourceTree("override/"+d.Folder, res)
	return d, err
}

func overrideText(o source.GitOverride) string {
	switch {
	case o.Remove:
		return "removed"
	case o.Version != "":
		return "registry version " + o.Version
	}
	return "a folder"
}

package prepare

import (
	"maps"
	"slices"

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
	// commit, when given, is the only one at which it is replaced.
	commit string
	node   *graph.Node
	// resolved is where an override takes it from.
	resolved *source.Resolved
}

// collect finds what is replaced in the workspace, which members stay, and the Cargo.lock. The recipe's own replacements come
// first: that redox-rt is the relibc being built is no matter of taste.
func (f *fitting) collect() error {
	if err := f.collectOwn(); err != nil {
		return err
	}
	if err := f.collectMembers(); err != nil {
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

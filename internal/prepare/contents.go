package prepare

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/pannous/redox-clif/internal/crates"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// Contents are what recipes are made of that came from elsewhere: sources with their submodules, what takes the place of git
// dependencies, the crates and repositories that locks name, and the keys of the locks that cargo has mended.
type Contents struct {
	Sources []source.Source
	Locks   []string
}

// Contents finds them after the nodes of a fetch have run; outputs are theirs.
func (s *Sources) Contents(ctx context.Context, names []string, outputs graph.Outputs) (*Contents, error) {
	c := &contents{s: s, outputs: outputs, recipes: map[string]bool{}, found: map[string]source.Source{}}
	text, err := os.ReadFile(filepath.Join(s.o.RustSrc, "library/Cargo.lock"))
	if err != nil {
		return nil, err
	}
	if err := c.lock(ctx, text); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := c.recipe(ctx, name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	all := &Contents{Locks: c.locks}
	for _, key := range slices.Sorted(maps.Keys(c.found)) {
		all.Sources = append(all.Sources, c.found[key])
	}
	return all, nil
}

type contents struct {
	s       *Sources
	outputs graph.Outputs
	recipes map[string]bool
	found   map[string]source.Source
	locks   []string
}

func (c *contents) recipe(ctx context.Context, name string) error {
	if c.recipes[name] {
		return nil
	}
	c.recipes[name] = true
	r, err := c.s.recipe(name)
	if err != nil {
		return err
	}
	origin, err := c.s.Origin(r)
	if err != nil {
		return err
	}
	resolved, err := c.s.Resolved(origin)
	if err != nil {
		return err
	}
	c.resolved(resolved)
	for _, other := range slices.Concat(slices.Sorted(maps.Values(r.Cargo.Replace)), slices.Sorted(maps.Values(r.Cargo.Patch))) {
		if err := c.recipe(ctx, other); err != nil {
			return err
		}
	}
	if !r.UsesCargo() {
		return nil
	}
	return c.workspace(ctx, r)
}

// resolved adds a source with its submodules.
func (c *contents) resolved(r *source.Resolved) {
	c.add(r.Source)
	for _, sub := range r.Submodules {
		c.resolved(sub)
	}
}

func (c *contents) add(src source.Source) {
	if _, users := src.(source.Path); users {
		return // stays where it is
	}
	c.found[fmt.Sprintf("%#v", src)] = src
}

// workspace adds what the lock of a fitted workspace names, and what has taken the place of git dependencies.
func (c *contents) workspace(ctx context.Context, r *recipe.Recipe) error {
	ws, err := c.s.Workspace(r.Name)
	if err != nil {
		return err
	}
	tree, done := c.outputs[ws.Node]
	if !done {
		return nil // a recipe that only lends its source
	}
	for _, d := range ws.overrides {
		c.resolved(d)
	}
	e, ok, err := c.s.o.Store.Lookup(tree, path.Join("src", r.Cargo.Dir, "Cargo.lock"))
	if err != nil || !ok {
		return err
	}
	text, err := c.s.o.Store.ReadAll(e.Digest)
	if err != nil {
		return err
	}
	if err := c.mended(ws, text); err != nil {
		return err
	}
	return c.lock(ctx, text)
}

// mended keeps the lock of a workspace that was fitted: cargo has mended it in some run, maybe one that kept only the result.
func (c *contents) mended(ws *Workspace, text []byte) error {
	if ws.lockKey == nil {
		return nil
	}
	key, err := ws.lockKey(c.outputs)
	if err != nil {
		return err
	}
	c.locks = append(c.locks, key)
	kept, err := c.s.o.Fetcher.KeptLock(key)
	if err != nil || kept != nil {
		return err
	}
	return c.s.o.Fetcher.KeepLock(key, text)
}

func (c *contents) lock(ctx context.Context, text []byte) error {
	lock, err := crates.ReadLock(text)
	if err != nil {
		return err
	}
	for _, crate := range lock.Crates {
		c.add(asSource(crate))
	}
	for _, r := range lock.Repositories {
		if err := c.repository(ctx, source.Git{URL: r.URL, Commit: r.Commit}); err != nil {
			return err
		}
	}
	return nil
}

// repository adds one that a lock names, with its submodules.
func (c *contents) repository(ctx context.Context, g source.Git) error {
	c.add(g)
	links, err := c.s.o.Fetcher.Gitlinks(ctx, g)
	if err != nil || len(links) == 0 {
		return err
	}
	dir, err := c.s.o.Roots.TempDir("submodules")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	resolved, err := c.s.o.Overrides.Resolve("", g)
	if err != nil {
		return err
	}
	if _, err := c.s.o.Fetcher.Export(ctx, resolved, dir); err != nil {
		return err
	}
	below, err := c.s.submodules(ctx, g, dir)
	if err != nil {
		return err
	}
	for _, at := range slices.Sorted(maps.Keys(below)) {
		if err := c.repository(ctx, below[at]); err != nil {
			return err
		}
	}
	return nil
}

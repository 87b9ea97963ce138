package drift

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// Source is a recipe's source as the checks want it.
type Source struct {
	// Name is the recipe's, with "@" and a release set behind it for a source or patches that are the set's own.
	Name string
	// Recipe is the recipe file, a slash path below the checkout.
	Recipe string
	// Identity names the pinned content: the commit with those of its submodules, a digest.
	Identity string
	// Series are the patch series in order.
	Series []string
	// Locks are the paths of the Cargo.lock files that builds of the source go by, there or not. A
	// source may hold many more that nobody builds with.
	Locks []string
	// Tree is the source as it is before patches, nil when it could not be had.
	Tree *Tree
	// Overridden: the user put something else in its place. OverriddenBelow are the folders of
	// submodules for which that is so.
	Overridden      bool
	OverriddenBelow []string

	recipe string
	// local: it lies in this checkout, so that what is in it needs no lock. folder is a folder
	// of the user's outside of it.
	local  bool
	folder string
	// why there is no Tree, and what helps.
	why, fix string
	patched  *patched // see applyPatches
}

// overridden tells whether a file of the source is not the pinned one's.
func (s *Source) overridden(name string) bool {
	return s.Overridden || slices.ContainsFunc(s.OverriddenBelow, func(dir string) bool { return strings.HasPrefix(name, dir+"/") })
}

// isLocked tells whether recipes/lock.toml is to have the source.
func (s *Source) isLocked() bool { return !s.local && s.Identity != "" }

// missing tells whether the source could not be had, and notes that a kind could not be compared.
func (s *Source) missing(kind Kind, r *Report) bool {
	if s.Tree == nil {
		r.skip(kind, "source of "+s.Name, s.why, s.fix)
	}
	return s.Tree == nil
}

// collect gets the sources of all recipes, each once.
func (c *Checkout) collect(ctx context.Context) ([]Source, error) {
	all := c.describeAll()
	for i := range all {
		if all[i].why == "" {
			c.load(ctx, &all[i])
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// describeAll are the sources without their trees. One that several recipes build is there under the recipe that has it.
func (c *Checkout) describeAll() []Source {
	var all []Source
	for _, name := range c.Recipes.Names() {
		if r := c.Recipes[name]; r.Source.SameAs == "" {
			all = append(all, c.describe(r))
		}
	}
	return all
}

// describe fills in what is known of a source without having it.
func (c *Checkout) describe(r *recipe.Recipe) Source {
	src := Source{Name: r.Name, recipe: r.Name, Recipe: c.relative(r.Path), Series: r.Patches, Locks: c.cargoLocks(r.Name)}
	if r.Release != "" {
		src.Name += "@" + r.Release
	}
	if pinned, err := c.Sources.Pinned(r); err == nil {
		src.Identity, _ = pinned.Identity()
		dir, ok := pinned.Source.(source.Path)
		src.local = ok && c.contains(string(dir))
	}
	now, err := c.Sources.Resolved(r)
	if err != nil {
		src.why, src.fix = err.Error(), "mend "+filepath.Base(c.Overrides)
		return src
	}
	if dir, ok := now.Source.(source.Path); ok && !c.contains(string(dir)) {
		src.folder = string(dir)
	}
	src.Overridden = now.Overridden
	if now.Edited { // its patches are commits there, and are held to the source when they are written back
		src.Series = nil
	}
	for at, sub := range now.Submodules {
		if sub.AnyOverridden() {
			src.OverriddenBelow = append(src.OverriddenBelow, at)
		}
	}
	return src
}

// cargoLocks are where the Cargo.lock files lie that the recipes of a source build by: those of cargo steps. The folder of another
// step, as of C programs, may have one too, and nothing here goes by it.
func (c *Checkout) cargoLocks(name string) []string {
	var paths []string
	for _, other := range c.Recipes.Names() {
		r := c.Recipes[other]
		if other != name && r.Source.SameAs != name {
			continue
		}
		paths = append(paths, path.Join(r.Cargo.Dir, "Cargo.lock"))
		for _, step := range r.Steps {
			if step.Kind == recipe.KindCargo {
				paths = append(paths, path.Join(r.Cargo.Dir, step.Dir, "Cargo.lock"))
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// load gets the source's tree, or says why it is not there.
func (c *Checkout) load(ctx context.Context, src *Source) {
	root, err := c.Sources.Tree(ctx, src.recipe)
	if err == nil {
		src.Tree, err = OpenTree(c.Store, root)
	}
	if err == nil {
		return
	}
	src.why, src.fix = errs.FirstLine(err.Error()), "mage fetch"
	if errors.As(err, new(*source.OfflineError)) {
		src.why = "it is not fetched"
	}
	if errors.As(err, new(*source.NoCargoError)) {
		src.why, src.fix = "it is a crate, and there is no cargo to get it", installFix
	}
	if host := (*source.HostError)(nil); errors.As(err, &host) {
		src.why, src.fix = "host "+host.Host+" cannot be reached", "name a [mirror] in overrides.toml, then mage fetch"
	}
}

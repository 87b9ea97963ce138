package drift

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// Checkout is what is compared and where it lies. Files and folders are absolute paths.
type Checkout struct {
	Root string
	// Targets and Patches are the folders of target specs and of patch series, Out is what is exported for Target.
	Targets, Patches, Out string
	Target                string // the triple of user space
	// Pin is the pin, PinLock what was verified of it, Overrides the file of the user's overrides.
	Pin, PinLock, Overrides string
	// Set is the release set that is compared, "" without a name; the recipes are as it has them. Active says that the checkout works
	// with it: what lies here once for all sets is compared with the active one.
	Set     string
	Active  bool
	Recipes recipe.Set
	// Variant is the set whose pin it is where that is not the first one's: a series that carries it has a name of its own.
	Variant string
	// Others is the checkout in the other release sets.
	Others  []*Checkout
	Store   *cas.Store // where the trees of Sources are
	Sources Sources
}

// Sources is the way to what recipes are built from.
type Sources interface {
	// Pinned is a recipe's source as the recipe has it, Resolved as the user's overrides make it.
	Pinned(*recipe.Recipe) (*source.Resolved, error)
	Resolved(*recipe.Recipe) (*source.Resolved, error)
	// Tree is the root of a recipe's source, before patches and with overrides. The error may be a
	// *source.OfflineError or a *source.HostError.
	Tree(ctx context.Context, recipe string) (cas.Digest, error)
}

// inputs are what the checks of one report work on.
type inputs struct {
	checkout  *Checkout
	toolchain *toolchain.Installed
	channel   string // the pin's
	sources   []Source
}

// Check compares everything derived with what it is derived from. A comparison that cannot be made does not keep the others from being
// made: then there are a report and an error.
func Check(ctx context.Context, c *Checkout, installed *toolchain.Installed) (*Report, error) {
	sources, err := c.collect(ctx)
	if err != nil {
		return nil, err
	}
	in := &inputs{c, installed, installed.Pin.Toolchain.Channel, sources}
	r := &Report{Set: c.Set, Kinds: Kinds()}
	var wrong *multierror.Error
	for _, kind := range r.Kinds {
		if c.Active || kind.ofSet {
			wrong = multierror.Append(wrong, kind.check(ctx, in, r))
		}
	}
	if !c.Active {
		r.mendIn(c.Set)
	}
	r.finish()
	return r, errs.One(wrong)
}

// relative is a path as people read it: below the checkout without the checkout, with slashes.
func (c *Checkout) relative(path string) string {
	return filepath.ToSlash(strings.TrimPrefix(path, c.Root+string(filepath.Separator)))
}

// path is where a slash path of the checkout lies.
func (c *Checkout) path(name string) string { return filepath.Join(c.Root, filepath.FromSlash(name)) }

func (c *Checkout) contains(path string) bool {
	return strings.HasPrefix(filepath.Clean(path)+string(filepath.Separator), c.Root+string(filepath.Separator))
}

package pin

import (
	"context"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// openCheckout is a session's checkout for package drift. With fetch, sources that are not here are fetched as far as the settings allow.
// installed has the cargo that gets crates; nil or without a toolchain, crates are not got.
func openCheckout(s *session.Session, installed *toolchain.Toolchain, fetch bool) (*drift.Checkout, error) {
	tools := builder.Tools{}
	if installed != nil {
		tools.Rustc, tools.Cargo = installed.Rustc, installed.Cargo
	}
	o, err := s.PrepareOptions(tools, nil, session.BuildOptions{})
	if err != nil {
		return nil, err
	}
	if f, ok := o.Fetcher.(*source.Fetcher); ok && !fetch {
		offline := *f
		offline.Offline = true
		o.Fetcher = &offline
	}
	o.Notice = func(string) {} // what a build would announce is said by the report where it matters
	c := s.Config
	checkout := &drift.Checkout{
		Root: c.Root, Targets: c.Targets(), Patches: c.Patches(), Out: c.Out(), Target: c.Target,
		Pin: c.Pin(), PinLock: c.PinLock(), Overrides: c.Overrides, Recipes: o.Recipes, Store: s.Store, Sources: sources{s, o},
	}
	sets, err := s.ReleaseSets()
	if err != nil {
		return nil, err
	}
	set, err := sets.Find(c.Set)
	if err != nil {
		return nil, err
	}
	checkout.Set, checkout.Active, checkout.Variant = set.Name, set.Active, set.Variant
	return checkout, nil
}

// openCheckouts is [openCheckout] with the checkout in the other release sets beside it.
func openCheckouts(s *session.Session, installed *toolchain.Toolchain, fetch bool) (*drift.Checkout, error) {
	c, err := openCheckout(s, installed, fetch)
	if err != nil {
		return nil, err
	}
	sets, err := s.ReleaseSets()
	if err != nil {
		return nil, err
	}
	for _, set := range sets {
		if set.Name == c.Set {
			continue
		}
		in, err := s.InSet(set.Name)
		if err != nil {
			return nil, err
		}
		other, err := openCheckout(in, installed, fetch)
		if err != nil {
			return nil, err
		}
		c.Others = append(c.Others, other)
	}
	return c, nil
}

// sources gets sources as a build does, but needs no toolchain and shows nothing.
type sources struct {
	s       *session.Session
	options prepare.Options
}

var _ drift.Sources = sources{}

func (f sources) Pinned(r *recipe.Recipe) (*source.Resolved, error) {
	o := f.options
	o.Overrides = &source.Overrides{}
	return prepare.New(o).Resolved(r)
}

func (f sources) Resolved(r *recipe.Recipe) (*source.Resolved, error) {
	return prepare.New(f.options).Resolved(r)
}

func (f sources) Tree(ctx context.Context, recipe string) (cas.Digest, error) {
	n, err := prepare.New(f.options).Source(recipe)
	if err != nil {
		return cas.Digest{}, err
	}
	sum, err := f.s.QuietEngine().Build(ctx, []*graph.Node{n})
	if err != nil {
		return cas.Digest{}, session.RootCause(err)
	}
	return sum.Outputs[n], nil
}

// remote is the way to the repositories of the sources.
func remote(s *session.Session) (drift.Remote, error) {
	overrides, err := s.Overrides()
	dir := filepath.Join(s.Config.Cache, "upstream")
	return drift.Remote{
		Git:     drift.Git{Git: s.Git(dir), Dir: dir},
		Fetcher: s.Fetcher(builder.Tools{}, ""), Overrides: overrides,
	}, err
}

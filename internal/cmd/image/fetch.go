package image

import (
	"context"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/session"
)

// fetchImagePackages gets the packages of all descriptions into the cache.
func fetchImagePackages(ctx context.Context, s *session.Session) error {
	wanted := map[string]bool{}
	for _, name := range diskbuild.Names(s, "images") {
		d, err := diskbuild.Describe(s, diskbuild.Flags{Name: name})
		if err != nil {
			return err
		}
		for _, p := range d.Packages {
			wanted[p] = true
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	names, err := packages.ParseNames(strings.Join(packages.SortedNames(wanted), ","))
	if err != nil {
		return err
	}
	_, err = packages.Fetch(ctx, s, names, packages.Choice{})
	return err
}

// FetchOptions are what is fetched, and where it goes beside the cache.
type FetchOptions struct {
	// Recipe limits it to what one recipe needs; "" is all of them.
	Recipe string
	// Bundle, if given, is a file that all of it is written to. From is such a file, which is read in place of the network.
	Bundle, From string
}

// Fetch brings everything that recipes need to this machine.
func Fetch(ctx context.Context, s *session.Session, o FetchOptions) error {
	if o.From != "" {
		if err := readBundle(ctx, s, o.From); err != nil {
			return err
		}
	}
	names := []string{o.Recipe}
	if o.Recipe == "" {
		recipes, err := s.Recipes()
		if err != nil {
			return err
		}
		names = recipes.Names()
	}
	if o.From != "" {
		return nil // a build takes from there what it needs
	}
	built, err := s.Build(ctx, session.BuildOptions{FallBack: true}, func(b *builder.Builder) ([]*graph.Node, error) { return b.Fetch(names) })
	if err != nil {
		return err
	}
	if o.Bundle != "" {
		return writeBundle(ctx, s, built, names, o.Bundle)
	}
	if o.Recipe != "" {
		return nil
	}
	return fetchImagePackages(ctx, s)
}

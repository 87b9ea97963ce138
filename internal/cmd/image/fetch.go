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

// Fetch brings everything that recipes need to this machine; without names, all of them.
func Fetch(ctx context.Context, s *session.Session, names ...string) error {
	all := len(names) == 0
	if all {
		recipes, err := s.Recipes()
		if err != nil {
			return err
		}
		names = recipes.Names()
	}
	_, err := s.Build(ctx, session.BuildOptions{FallBack: true}, func(b *builder.Builder) ([]*graph.Node, error) { return b.Fetch(names) })
	if err != nil || !all {
		return err
	}
	return fetchImagePackages(ctx, s)
}

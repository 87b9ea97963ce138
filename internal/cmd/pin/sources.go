package pin

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/source"
)

// checkedSource is a source that drift looks at. Its Tree is nil when it could not be had; why and fix
// then say why and what helps.
type checkedSource struct {
	drift.Source
	recipe *recipe.Recipe
	// local: it lies in this checkout, so that what is in it needs no lock. folder is a folder
	// of the user's outside of it.
	local    bool
	folder   string
	why, fix string
}

// checkedSources collects the sources of all recipes in all profiles, each once. With fetch, what is not
// here is fetched as far as the settings allow.
func checkedSources(ctx context.Context, s *session.Session, fetch bool) ([]checkedSource, error) {
	builders := map[string]*builder.Builder{}
	var all []checkedSource
	for _, name := range s.Recipes.Names() {
		r := s.Recipes[name]
		for _, profile := range profilesWithSource(r) {
			b := builders[profile]
			if b == nil {
				var err error
				if b, err = sourceBuilder(s, profile, fetch); err != nil {
					return nil, err
				}
				builders[profile] = b
			}
			if r.WithProfile(profile).Source.SameAs != "" {
				continue // is looked at under the recipe that has it
			}
			src := describe(s, b, r, profile)
			if src.why == "" {
				loadTree(ctx, s, b, &src)
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			all = append(all, src)
		}
	}
	return all, nil
}

// profilesWithSource are the default profile and those in which the recipe has another source or other patches.
func profilesWithSource(r *recipe.Recipe) []string {
	profiles := []string{""}
	for name, p := range r.Profiles {
		if p.Source != nil || p.Patches != nil {
			profiles = append(profiles, name)
		}
	}
	slices.Sort(profiles)
	return profiles
}

// sourceBuilder makes source nodes; it needs no toolchain.
func sourceBuilder(s *session.Session, profile string, fetch bool) (*builder.Builder, error) {
	b, err := s.Builder(builder.Tools{}, nil, session.BuildOptions{FallBack: true})
	if err != nil {
		return nil, err
	}
	o := b.Options
	o.Profile = profile
	if f, ok := o.Sources.(*source.Fetcher); ok && !fetch {
		offline := *f
		offline.Offline = true
		o.Sources = &offline
	}
	// What a build would announce is said by the report where it matters.
	o.Notice = func(string) {}
	return builder.New(o), nil
}

// describe fills in what is known of a source without having it.
func describe(s *session.Session, b *builder.Builder, r *recipe.Recipe, profile string) checkedSource {
	src := checkedSource{recipe: r.WithProfile(profile)}
	src.Name, src.Recipe, src.Series = r.Name, filepath.ToSlash(s.Relative(r.Path)), src.recipe.Patches
	if profile != "" {
		src.Name += "@" + profile
	}
	src.Locks = cargoLocks(s, r.Name, profile)
	pinned := builder.New(builder.Options{Recipes: s.Recipes, Profile: profile, Overrides: &source.Overrides{}})
	if as, err := pinned.Resolved(src.recipe); err == nil {
		src.Identity, _ = as.Identity()
		if dir, ok := as.Source.(source.Path); ok && inCheckout(s, string(dir)) {
			src.local = true
		}
	}
	now, err := b.Resolved(src.recipe)
	if err != nil {
		src.why, src.fix = err.Error(), "mend "+filepath.Base(s.Config.Overrides)
		return src
	}
	if dir, ok := now.Source.(source.Path); ok && !inCheckout(s, string(dir)) {
		src.folder = string(dir)
	}
	src.Overridden = now.Overridden
	for at, sub := range now.Submodules {
		if sub.AnyOverridden() {
			src.OverriddenBelow = append(src.OverriddenBelow, at)
		}
	}
	return src
}

// cargoLocks are where the Cargo.lock files lie that the recipes of a source build by.
func cargoLocks(s *session.Session, name, profile string) []string {
	var paths []string
	for _, other := range s.Recipes.Names() {
		r := s.Recipes[other].WithProfile(profile)
		if other != name && r.Source.SameAs != name {
			continue
		}
		paths = append(paths, path.Join(r.Cargo.Dir, "Cargo.lock"))
		for _, step := range r.Steps {
			paths = append(paths, path.Join(step.Dir, "Cargo.lock"))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func inCheckout(s *session.Session, dir string) bool {
	return strings.HasPrefix(filepath.Clean(dir)+string(filepath.Separator), s.Config.Root+string(filepath.Separator))
}

// loadTree gets the source's tree out of the store, or says why it is not there.
func loadTree(ctx context.Context, s *session.Session, b *builder.Builder, src *checkedSource) {
	err := func() error {
		n, err := b.SourceNode(src.recipe.Name)
		if err != nil {
			return err
		}
		sum, err := s.QuietEngine().Build(ctx, []*graph.Node{n})
		if err != nil {
			return err
		}
		src.Tree, err = drift.OpenTree(s.Store, sum.Outputs[n])
		return err
	}()
	if err == nil {
		return
	}
	src.why, src.fix = errs.FirstLine(session.RootCause(err).Error()), "mage fetch"
	if errors.As(err, new(*source.OfflineError)) {
		src.why = "it is not fetched"
	}
	if host := (*source.HostError)(nil); errors.As(err, &host) {
		src.why, src.fix = "host "+host.Host+" cannot be reached", "name a [mirror] in overrides.toml, then mage fetch"
	}
}

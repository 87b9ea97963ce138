package session

import (
	"context"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
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
func (s *Session) checkedSources(ctx context.Context, fetch bool) ([]checkedSource, error) {
	builders := map[string]*builder.Builder{}
	var all []checkedSource
	for _, name := range s.Recipes.Names() {
		r := s.Recipes[name]
		for _, profile := range profilesWithSource(r) {
			b := builders[profile]
			if b == nil {
				var err error
				if b, err = s.sourceBuilder(profile, fetch); err != nil {
					return nil, err
				}
				builders[profile] = b
			}
			if r.WithProfile(profile).Source.SameAs != "" {
				continue // is looked at under the recipe that has it
			}
			src := s.describe(b, r, profile)
			if src.why == "" {
				s.loadTree(ctx, b, &src)
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
func (s *Session) sourceBuilder(profile string, fetch bool) (*builder.Builder, error) {
	b, err := s.builder(builder.Tools{}, nil, BuildOptions{FallBack: true})
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
func (s *Session) describe(b *builder.Builder, r *recipe.Recipe, profile string) checkedSource {
	src := checkedSource{recipe: r.WithProfile(profile)}
	src.Name, src.Recipe, src.Series = r.Name, filepath.ToSlash(s.relative(r.Path)), src.recipe.Patches
	if profile != "" {
		src.Name += "@" + profile
	}
	src.Locks = s.cargoLocks(r.Name, profile)
	pinned := builder.New(builder.Options{Recipes: s.Recipes, Profile: profile, Overrides: &source.Overrides{}})
	if as, err := pinned.Resolved(src.recipe); err == nil {
		src.Identity, _ = as.Identity()
		if dir, ok := as.Source.(source.Path); ok && s.inCheckout(string(dir)) {
			src.local = true
		}
	}
	now, err := b.Resolved(src.recipe)
	if err != nil {
		src.why, src.fix = err.Error(), "mend "+filepath.Base(s.Config.Overrides)
		return src
	}
	if dir, ok := now.Source.(source.Path); ok && !s.inCheckout(string(dir)) {
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
func (s *Session) cargoLocks(name, profile string) []string {
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

func (s *Session) inCheckout(dir string) bool {
	return strings.HasPrefix(filepath.Clean(dir)+string(filepath.Separator), s.Config.Root+string(filepath.Separator))
}

// loadTree gets the source's tree out of the store, or says why it is not there.
func (s *Session) loadTree(ctx context.Context, b *builder.Builder, src *checkedSource) {
	err := func() error {
		n, err := b.SourceNode(src.recipe.Name)
		if err != nil {
			return err
		}
		sum, err := s.quietEngine().Build(ctx, []*graph.Node{n})
		if err != nil {
			return err
		}
		src.Tree, err = drift.OpenTree(s.Store, sum.Outputs[n])
		return err
	}()
	if err == nil {
		return
	}
	src.why, src.fix = errs.FirstLine(rootCause(err).Error()), "mage fetch"
	if errors.As(err, new(*source.OfflineError)) {
		src.why = "it is not fetched"
	}
	if host := (*source.HostError)(nil); errors.As(err, &host) {
		src.why, src.fix = "host "+host.Host+" cannot be reached", "name a [mirror] in overrides.toml, then mage fetch"
	}
}

// rootCause takes the name of the step off an error.
func rootCause(err error) error {
	if f := (*graph.Failure)(nil); errors.As(err, &f) {
		return f.Err
	}
	return err
}

// quietEngine runs source nodes without a status display and without touching what explains real builds.
func (s *Session) quietEngine() *graph.Engine {
	e := s.engine(quiet{})
	e.History = graph.OpenHistory(filepath.Join(s.Config.State(), "sources"))
	e.LogDir = filepath.Join(s.Config.Logs(), "sources")
	return e
}

// quiet is an Observer that keeps everything to itself.
type quiet struct{}

func (quiet) Begin([]*graph.Node)                                       {}
func (quiet) Started(*graph.Node, string, time.Duration)                {}
func (quiet) Status(*graph.Node, string)                                {}
func (quiet) Finished(*graph.Node, graph.Outcome, time.Duration, error) {}
func (quiet) Notice(string)                                             {}

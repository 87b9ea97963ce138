//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	cmdimage "github.com/pannous/redox-clif/internal/cmd/image"
	cmdrecipe "github.com/pannous/redox-clif/internal/cmd/recipe"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Recipe is one target for each recipe, and what is done with recipes by name.
type Recipe mg.Namespace

// buildRecipe builds one recipe with the flags that all of them have; the generated targets call it.
func buildRecipe(ctx context.Context, name string, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	flags := config.Flags{DryRun: dryRun, KeepGoing: k, Offline: offline, Jobs: j, Set: set, Backend: backend, Std: std, Remote: remote}
	return run(flags, func(s *session.Session) error { return cmdrecipe.Build(ctx, s, name) })
}

// Fetch gets all sources and crates, for builds -offline.
func Fetch(ctx context.Context, set, recipe, bundle, from *string) error {
	return run(config.Flags{Set: set}, func(s *session.Session) error {
		return cmdimage.Fetch(ctx, s, cmdimage.FetchOptions{Recipe: text(recipe), Bundle: text(bundle), From: text(from)})
	})
}

// Build builds a recipe. Its tree goes to out/TARGET/NAME.
func (Recipe) Build(ctx context.Context, name string, dryRun, k, offline *bool, j *int, set, backend, std, remote *string) error {
	return buildRecipe(ctx, name, dryRun, k, offline, j, set, backend, std, remote)
}

// List lists the recipes with backend and source.
func (Recipe) List(ctx context.Context, set *string, json *bool) error {
	return run(config.Flags{Set: set}, func(s *session.Session) error { return cmdrecipe.List(s, isSet(json)) })
}

// New makes a recipe that builds, or a new program.
func (Recipe) New(ctx context.Context, name string, dryRun, offline *bool, git, ref, crate, path *string) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline}, func(s *session.Session) error {
		return cmdrecipe.New(ctx, s, name, cmdrecipe.From{Git: text(git), Ref: text(ref), Crate: text(crate), Path: text(path)})
	})
}

// Lock writes a Cargo.lock for a source that brings none.
func (Recipe) Lock(ctx context.Context, name string, set *string) error {
	return run(config.Flags{Set: set}, func(s *session.Session) error { return cmdrecipe.Lock(ctx, s, name) })
}

// Clean forgets all that was built of a recipe.
func (Recipe) Clean(ctx context.Context, name string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdrecipe.Clean(ctx, s, name) })
}

// Log prints the logs of a recipe's steps.
func (Recipe) Log(ctx context.Context, name string, step *string) error {
	return run(config.Flags{}, func(s *session.Session) error {
		return cmdrecipe.Log(s, name, text(step))
	})
}

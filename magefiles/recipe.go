//go:build mage

package main

import (
	"context"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Fetch gets every source and crate, so that builds work with -offline afterwards.
func Fetch(ctx context.Context, profile, recipe *string) error {
	s, err := open(config.Flags{Profile: profile})
	if err != nil {
		return err
	}
	if recipe != nil {
		return s.Fetch(ctx, *recipe)
	}
	return s.Fetch(ctx)
}

// Build builds a recipe by name: recipe:build NAME. Its tree goes to out/TARGET/NAME.
func (Recipe) Build(ctx context.Context, name string, dryRun, k, offline *bool, j *int, profile, backend, std *string) error {
	s, err := open(config.Flags{DryRun: dryRun, KeepGoing: k, Offline: offline, Jobs: j, Profile: profile, Backend: backend, Std: std})
	if err != nil {
		return err
	}
	return session.Hinted(s.RecipeBuild(ctx, name))
}

// List lists the recipes with backend and source.
func (Recipe) List(ctx context.Context, profile *string) error {
	s, err := open(config.Flags{Profile: profile})
	if err != nil {
		return err
	}
	return s.RecipeList()
}

// Lock writes recipes/NAME/Cargo.lock for a source that brings none: recipe:lock NAME.
func (Recipe) Lock(ctx context.Context, name string, profile *string) error {
	s, err := open(config.Flags{Profile: profile})
	if err != nil {
		return err
	}
	return s.RecipeLock(ctx, name)
}

// Clean forgets everything that was built of a recipe: recipe:clean NAME.
func (Recipe) Clean(ctx context.Context, name string) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.RecipeClean(ctx, name)
}

// Log prints the logs of a recipe's steps: recipe:log NAME, -step=programs for one.
func (Recipe) Log(ctx context.Context, name string, step *string) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	one := ""
	if step != nil {
		one = *step
	}
	return s.RecipeLog(name, one)
}

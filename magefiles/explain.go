//go:build mage

package main

import (
	"context"
	"os"

	"github.com/pannous/redox-clif/internal/config"
)

// defaultRecipe is what the explaining targets look at when no recipe is named.
const defaultRecipe = "initfs"

func orDefault(value *string, otherwise string) string {
	if value == nil || *value == "" {
		return otherwise
	}
	return *value
}

// Plan says what a build would run and why, with the times of the last one; -recipe=NAME (initfs).
func Plan(ctx context.Context, recipe, profile, backend *string) error {
	s, err := open(config.Flags{Profile: profile, Backend: backend})
	if err != nil {
		return err
	}
	return s.Plan(ctx, orDefault(recipe, defaultRecipe))
}

// Why explains a step or a recipe: what differs between its last build and now, field by field.
func Why(ctx context.Context, name string, profile, backend *string) error {
	s, err := open(config.Flags{Profile: profile, Backend: backend})
	if err != nil {
		return err
	}
	return s.Why(ctx, name)
}

// Graph writes the graph of -recipe=NAME (initfs) as -format=text, dot or json, or with svg the last build's timeline.
func Graph(ctx context.Context, recipe, format, profile, backend *string) error {
	s, err := open(config.Flags{Profile: profile, Backend: backend})
	if err != nil {
		return err
	}
	return s.Graph(ctx, orDefault(recipe, defaultRecipe), orDefault(format, "text"))
}

// Repro builds -recipe=NAME (demo) twice, in other folders and with other -j, and shows the first different byte.
func Repro(ctx context.Context, recipe, backend *string) error {
	s, err := open(config.Flags{Backend: backend})
	if err != nil {
		return err
	}
	return s.Repro(ctx, orDefault(recipe, "demo"))
}

// Bench measures ratios that another machine can repeat; -j and REDOX_BACKEND as for a build.
func Bench(ctx context.Context) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.Bench(ctx, os.Environ())
}

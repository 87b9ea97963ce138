//go:build mage

package main

import (
	"context"
	"errors"
	"os"

	cmdbench "github.com/pannous/redox-clif/internal/cmd/bench"
	cmdrecipe "github.com/pannous/redox-clif/internal/cmd/recipe"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// defaultRecipe is what the explaining targets look at when no recipe is named.
const defaultRecipe = "initfs"

// Plan says what a build would run and why, with the times of the last one; -recipe=NAME (initfs), or just the name; -json.
func Plan(ctx context.Context, recipe, profile, backend, std *string, json *bool) error {
	return run(config.Flags{Profile: profile, Backend: backend, Std: std}, func(s *session.Session) error {
		return cmdrecipe.Plan(ctx, s, orDefault(recipe, defaultRecipe), isSet(json))
	})
}

// Why explains a step or a recipe: what differs between its last build and now, field by field; -json.
func Why(ctx context.Context, name string, profile, backend, std *string, json *bool) error {
	return run(config.Flags{Profile: profile, Backend: backend, Std: std}, func(s *session.Session) error {
		return cmdrecipe.Why(ctx, s, name, isSet(json))
	})
}

// Graph writes the graph of -recipe=NAME (initfs), or just the name, as -format=text, dot or json, or with svg the last build's timeline.
func Graph(ctx context.Context, recipe, format, profile, backend, std *string) error {
	return run(config.Flags{Profile: profile, Backend: backend, Std: std}, func(s *session.Session) error {
		return cmdrecipe.Graph(ctx, s, orDefault(recipe, defaultRecipe), orDefault(format, "text"))
	})
}

// Repro builds -recipe=NAME (demo), or just the name, or -image=NAME twice, in other folders, with other -j, user and clock, and shows the first different byte.
func Repro(ctx context.Context, recipe, image, profile, backend, std *string) error {
	return run(config.Flags{Profile: profile, Backend: backend, Std: std}, func(s *session.Session) error {
		if image != nil && recipe != nil {
			return errors.New("a recipe and -image are two things: name one of them")
		}
		if image != nil {
			return cmdbench.ReproImage(ctx, s, *image)
		}
		return cmdbench.Repro(ctx, s, orDefault(recipe, "demo"))
	})
}

// Bench measures ratios that another machine can repeat and writes them to notes/; settings as for a build.
// -only=nochange,oneline,clean,packages prints some of them; -only=backends compiles base by both backends, which takes long, and writes a note of its own.
func Bench(ctx context.Context, only *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdbench.Run(ctx, s, os.Environ(), orDefault(only, "")) })
}

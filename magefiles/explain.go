//go:build mage

package main

import (
	"context"
	"errors"
	"os"

	cmdbench "github.com/pannous/redox-clif/internal/cmd/bench"
	cmdrecipe "github.com/pannous/redox-clif/internal/cmd/recipe"
	cmdreport "github.com/pannous/redox-clif/internal/cmd/report"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// defaultRecipe is what the explaining targets look at when no recipe is named.
const defaultRecipe = "initfs"

// Plan says what a build would run, and why.
func Plan(ctx context.Context, recipe, set, backend, std *string, json *bool) error {
	return run(config.Flags{Set: set, Backend: backend, Std: std}, func(s *session.Session) error {
		return cmdrecipe.Plan(ctx, s, orDefault(recipe, defaultRecipe), isSet(json))
	})
}

// Why explains why a step or a recipe would run again.
func Why(ctx context.Context, name string, set, backend, std *string, json *bool) error {
	return run(config.Flags{Set: set, Backend: backend, Std: std}, func(s *session.Session) error {
		return cmdrecipe.Why(ctx, s, name, isSet(json))
	})
}

// Graph writes the graph of a recipe's steps.
func Graph(ctx context.Context, recipe, format, set, backend, std *string) error {
	return run(config.Flags{Set: set, Backend: backend, Std: std}, func(s *session.Session) error {
		return cmdrecipe.Graph(ctx, s, orDefault(recipe, defaultRecipe), orDefault(format, "text"))
	})
}

// Report makes a page of the last build: times, sizes, tests.
func Report(ctx context.Context, text, markdown, json *bool, against *string) error {
	return run(config.Flags{}, func(s *session.Session) error {
		return cmdreport.Run(ctx, s, cmdreport.Flags{Text: isSet(text), Markdown: isSet(markdown), JSON: isSet(json), Against: orDefault(against, "")})
	})
}

// Repro builds twice in other surroundings and compares.
func Repro(ctx context.Context, recipe, image, set, backend, std *string) error {
	return run(config.Flags{Set: set, Backend: backend, Std: std}, func(s *session.Session) error {
		if image != nil && recipe != nil {
			return errors.New("a recipe and -image are two things: name one of them")
		}
		if image != nil {
			return cmdbench.ReproImage(ctx, s, *image)
		}
		return cmdbench.Repro(ctx, s, orDefault(recipe, "demo"))
	})
}

// Bench measures ratios that any machine can repeat.
func Bench(ctx context.Context, only *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdbench.Run(ctx, s, os.Environ(), orDefault(only, "")) })
}

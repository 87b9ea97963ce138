//go:build mage

package main

import (
	"context"

	"github.com/pannous/redox-clif/internal/config"
)

// Import translates a recipe of Redox's cookbook, or says of a folder of them how far each comes: recipe:import PATH.
func (Recipe) Import(ctx context.Context, path string) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.RecipeImport(ctx, path)
}

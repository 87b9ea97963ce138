//go:build mage

package main

import (
	"context"

	cmdrecipe "github.com/pannous/redox-clif/internal/cmd/recipe"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Import translates a recipe of Redox's cookbook, or says of a folder of them how far each comes: recipe:import PATH. -offline.
func (Recipe) Import(ctx context.Context, path string, offline *bool) error {
	return run(config.Flags{Offline: offline}, func(s *session.Session) error { return cmdrecipe.Import(ctx, s, path) })
}

//go:build mage

package main

import (
	"context"

	cmdsettings "github.com/pannous/redox-clif/internal/cmd/settings"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Config shows what holds, and where it comes from.
func Config(_ context.Context, json, k, offline *bool, j, memory *int, set, backend, std, remote *string) error {
	flags := config.Flags{KeepGoing: k, Offline: offline, Jobs: j, Memory: memory, Set: set, Backend: backend, Std: std, Remote: remote}
	return run(flags, func(s *session.Session) error { return cmdsettings.Show(s, isSet(json)) })
}

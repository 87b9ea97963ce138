//go:build mage

package main

import (
	"context"

	cmdboottest "github.com/pannous/redox-clif/internal/cmd/boottest"
	cmdinitfs "github.com/pannous/redox-clif/internal/cmd/initfs"
	cmdpin "github.com/pannous/redox-clif/internal/cmd/pin"
	cmdrecipe "github.com/pannous/redox-clif/internal/cmd/recipe"
	cmdupgrade "github.com/pannous/redox-clif/internal/cmd/upgrade"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Upgrade moves sources and their patches to later commits.
func Upgrade(ctx context.Context, names, to *string, dryRun, noBuild, json *bool, j *int, set, backend *string) error {
	return run(config.Flags{DryRun: dryRun, Jobs: j, Set: set, Backend: backend}, func(s *session.Session) error {
		f := cmdupgrade.Flags{Names: list(text(names)), To: text(to), JSON: isSet(json), Try: tryUpgrade}
		f.Lock = func(ctx context.Context, s *session.Session) error { return cmdpin.DriftLock(ctx, s, false) }
		if isSet(noBuild) {
			f.Try = nil
		}
		return cmdupgrade.Run(ctx, s, f)
	})
}

// tryUpgrade builds what was moved and the initfs, and runs all boot tests.
func tryUpgrade(ctx context.Context, s *session.Session, moved []string) error {
	for _, name := range moved {
		if err := cmdrecipe.Build(ctx, s, name); err != nil {
			return err
		}
	}
	if err := cmdinitfs.Build(ctx, s); err != nil {
		return err
	}
	return cmdboottest.Run(ctx, s, "all", cmdboottest.Flags{})
}

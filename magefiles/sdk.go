//go:build mage

package main

import (
	"context"

	cmdsdk "github.com/pannous/redox-clif/internal/cmd/sdk"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// SDK makes a folder by which any crate is built.
func SDK(ctx context.Context, sysroot, o *string, core, dryRun, offline *bool, backend *string) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline, Backend: backend}, func(s *session.Session) error {
		return cmdsdk.Make(ctx, s, cmdsdk.Options{Sysroot: orDefault(sysroot, "sysroot"), Core: isSet(core), Out: text(o)})
	})
}

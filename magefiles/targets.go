//go:build mage

package main

import (
	"context"

	cmdinitfs "github.com/pannous/redox-clif/internal/cmd/initfs"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Demo builds the embedded demo and boots it in QEMU.
func Demo(ctx context.Context, dryRun, k, offline *bool, j, memory *int, backend, std, remote, accel *string) error {
	return run(config.Flags{DryRun: dryRun, KeepGoing: k, Offline: offline, Jobs: j, Memory: memory, Backend: backend, Std: std, Remote: remote}, func(s *session.Session) error {
		return cmdinitfs.Demo(ctx, s, text(accel))
	})
}

// Boot boots the demo's image again, as it lies in out/.
func Boot(ctx context.Context) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdinitfs.Boot(ctx, s) })
}

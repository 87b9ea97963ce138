//go:build mage

package main

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/magefile/mage/mg"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// open starts a session with the flags of a target.
func open(flags config.Flags) (*session.Session, error) {
	// A run takes some 30 MB in all, and most last a tenth of a second: collecting garbage would be a tenth of that.
	debug.SetGCPercent(400)
	return session.Open(flags, os.Environ(), ".", mg.Verbose(), session.Streams{Out: os.Stdout, Err: os.Stderr})
}

// Demo builds the embedded demo and boots it in QEMU: the first command for a newcomer.
func Demo(ctx context.Context, dryRun, k, offline *bool, j, memory *int, backend, std *string) error {
	s, err := open(config.Flags{DryRun: dryRun, KeepGoing: k, Offline: offline, Jobs: j, Memory: memory, Backend: backend, Std: std})
	if err != nil {
		return err
	}
	return session.Hinted(s.Demo(ctx))
}

// Boot boots the demo's image as it lies in out/, without building anything.
func Boot(ctx context.Context) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return session.Hinted(s.Boot(ctx))
}

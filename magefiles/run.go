//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	cmdboottest "github.com/pannous/redox-clif/internal/cmd/boottest"
	cmddisk "github.com/pannous/redox-clif/internal/cmd/disk"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
)

// Run starts an image in QEMU, its serial line here.
func Run(ctx context.Context, img, machine, accel, share, port *string, memory, cpus *int, gui, write, snapshot, dryRun *bool) error {
	return run(config.Flags{DryRun: dryRun}, func(s *session.Session) error {
		guest := qemu.GuestOptions{Image: text(img), Profile: text(machine), Accel: text(accel), Memory: number(memory), Writable: isSet(write)}
		return cmddisk.Run(ctx, s, cmddisk.RunFlags{
			GuestOptions: guest, Share: text(share), Ports: list(text(port)), CPUs: number(cpus), GUI: isSet(gui), Snapshot: isSet(snapshot),
		})
	})
}

// Test is tests that need more than Go.
type Test mg.Namespace

// Boot boots an image and checks what it prints.
func (Test) Boot(ctx context.Context, name string, img, accel *string, json *bool) error {
	return run(config.Flags{}, func(s *session.Session) error {
		return cmdboottest.Run(ctx, s, name, cmdboottest.Flags{Image: text(img), Accel: text(accel), JSON: isSet(json)})
	})
}

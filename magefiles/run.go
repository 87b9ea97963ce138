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

// Run starts an image in QEMU with its serial line here; -img, -machine=NAME, -accel, -memory=MIB, -port=2222 (to the guest's 22), -share=DIR by 9p, -gui, -write keeps the guest's writes; -dryrun prints the command.
func Run(ctx context.Context, img, machine, accel, share *string, memory, port *int, gui, write, dryRun *bool) error {
	return run(config.Flags{DryRun: dryRun}, func(s *session.Session) error {
		guest := qemu.GuestOptions{Image: text(img), Profile: text(machine), Accel: text(accel), Memory: number(memory), Writable: isSet(write)}
		return cmddisk.Run(ctx, s, cmddisk.RunFlags{GuestOptions: guest, Share: text(share), Port: number(port), GUI: isSet(gui)})
	})
}

// Test is tests that need more than Go.
type Test mg.Namespace

// Boot boots an image in QEMU and holds what it prints to images/boot/NAME.toml: test:boot NAME, or all; -img, -accel, -json.
func (Test) Boot(ctx context.Context, name string, img, accel *string, json *bool) error {
	return run(config.Flags{}, func(s *session.Session) error {
		return cmdboottest.Run(ctx, s, name, cmdboottest.Flags{Image: text(img), Accel: text(accel), JSON: isSet(json)})
	})
}

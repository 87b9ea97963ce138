//go:build mage

package main

import (
	"context"

	cmddev "github.com/pannous/redox-clif/internal/cmd/dev"
	cmdedit "github.com/pannous/redox-clif/internal/cmd/edit"
	cmdide "github.com/pannous/redox-clif/internal/cmd/ide"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
)

// Edit takes a source for editing, and makes patches of it.
func Edit(ctx context.Context, recipe *string, finish, drop, list, json, dryRun *bool, series, form, set *string) error {
	return run(config.Flags{DryRun: dryRun, Set: set}, func(s *session.Session) error {
		return cmdedit.Run(ctx, s, text(recipe), cmdedit.Flags{
			Finish: isSet(finish), Drop: isSet(drop), List: isSet(list), JSON: isSet(json), Series: text(series), Form: text(form),
		})
	})
}

// Dev boots what a source makes again after each save.
func Dev(ctx context.Context, recipe string, name, machine, accel *string, memory, cpus *int, set *string) error {
	return run(config.Flags{Set: set}, func(s *session.Session) error {
		options := qemu.GuestOptions{Profile: text(machine), Accel: text(accel), Memory: number(memory)}
		return cmddev.Run(ctx, s, recipe, cmddev.Flags{GuestOptions: options, Name: text(name), CPUs: number(cpus)})
	})
}

// Ide writes what rust-analyzer needs for a source.
func Ide(ctx context.Context, recipe string, offline *bool, set, std *string) error {
	return run(config.Flags{Offline: offline, Set: set, Std: std}, func(s *session.Session) error { return cmdide.Make(ctx, s, recipe) })
}

//go:build mage

package main

import (
	"context"

	cmddebug "github.com/pannous/redox-clif/internal/cmd/debug"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Symbolise says where in the code a guest crashed.
func Symbolise(ctx context.Context, log *string, json *bool) error {
	return run(config.Flags{}, func(s *session.Session) error {
		return cmddebug.Symbolise(ctx, s, text(log), isSet(json))
	})
}

// Gdb starts a halted guest with a debugger on it.
func Gdb(ctx context.Context, program, img, commands *string, dryRun *bool) error {
	return run(config.Flags{DryRun: dryRun}, func(s *session.Session) error {
		return cmddebug.GDB(ctx, s, cmddebug.GDBFlags{Program: text(program), Image: text(img), Commands: text(commands)})
	})
}

// Shell opens a shell where a step runs.
func Shell(ctx context.Context, step string, command *string, offline *bool, set, backend, std *string) error {
	return run(config.Flags{Offline: offline, Set: set, Backend: backend, Std: std}, func(s *session.Session) error {
		return cmddebug.Shell(ctx, s, step, text(command))
	})
}

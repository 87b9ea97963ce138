//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	cmdpin "github.com/pannous/redox-clif/internal/cmd/pin"
	cmdrustc "github.com/pannous/redox-clif/internal/cmd/rustc"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Toolchain is what is done with the one pinned Rust toolchain.
type Toolchain mg.Namespace

// Show shows the pin, what is installed and what it can.
func (Toolchain) Show(ctx context.Context, json, probe *bool, set *string) error {
	return run(config.Flags{Set: set}, func(s *session.Session) error { return cmdpin.Show(ctx, s, isSet(json), isSet(probe)) })
}

// Pin changes the pin, and all that names a toolchain.
func (Toolchain) Pin(ctx context.Context, channel string, symlink, dryRun, json, offline *bool, set *string) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline, Set: set}, func(s *session.Session) error { return cmdpin.Pin(ctx, s, channel, isSet(symlink), isSet(json)) })
}

// Install installs the pinned toolchain, by rustup.
func (Toolchain) Install(ctx context.Context, cranelift *bool, set *string) error {
	return run(config.Flags{Set: set}, func(s *session.Session) error { return cmdpin.Install(ctx, s, isSet(cranelift)) })
}

// Lock writes what is installed to toolchain.lock.toml.
func (Toolchain) Lock(ctx context.Context, hosts, json *bool, set *string) error {
	return run(config.Flags{Set: set}, func(s *session.Session) error { return cmdpin.Lock(ctx, s, isSet(hosts), isSet(json)) })
}

// Build builds rustc with a patched Cranelift. What was stopped goes on where it was.
func (Toolchain) Build(ctx context.Context, name, llvm *string, dryRun, offline *bool, j, memory *int) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline, Jobs: j, Memory: memory}, func(s *session.Session) error {
		return cmdrustc.Build(ctx, s, text(name), text(llvm))
	})
}

// Pack packs a toolchain that was built here.
func (Toolchain) Pack(ctx context.Context, name, o *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdrustc.Pack(ctx, s, text(name), text(o)) })
}

// Unpack takes a packed toolchain into the cache.
func (Toolchain) Unpack(ctx context.Context, file string, sha256 *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdrustc.Unpack(ctx, s, file, text(sha256)) })
}

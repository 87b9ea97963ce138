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

// Show shows the pin, what is installed and what it can do; -json, -probe measures anew.
func (Toolchain) Show(ctx context.Context, json, probe *bool) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdpin.Show(ctx, s, isSet(json), isSet(probe)) })
}

// Pin changes the pin and all that names a toolchain: toolchain:pin CHANNEL, -symlink makes files links to the pin, -dryrun, -json, -offline.
func (Toolchain) Pin(ctx context.Context, channel string, symlink, dryRun, json, offline *bool) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline}, func(s *session.Session) error { return cmdpin.Pin(ctx, s, channel, isSet(symlink), isSet(json)) })
}

// Install installs the pinned toolchain by rustup, with -cranelift the Cranelift backend too.
func (Toolchain) Install(ctx context.Context, cranelift *bool) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdpin.Install(ctx, s, isSet(cranelift)) })
}

// Lock writes toolchain/toolchain.lock.toml from what is installed; -json.
func (Toolchain) Lock(ctx context.Context, json *bool) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdpin.Lock(ctx, s, isSet(json)) })
}

// Build builds rustc with LLVM and a patched Cranelift from sources: toolchain:build NAME for one of several, -llvm=bootstrap compiles LLVM too (else: system, the installed one), -dryrun, -j, -memory, -offline. What was stopped goes on.
func (Toolchain) Build(ctx context.Context, name, llvm *string, dryRun, offline *bool, j, memory *int) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline, Jobs: j, Memory: memory}, func(s *session.Session) error {
		return cmdrustc.Build(ctx, s, text(name), text(llvm))
	})
}

// Pack packs a toolchain that was built here for another machine: toolchain:pack NAME, -o=FILE.
func (Toolchain) Pack(ctx context.Context, name, o *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdrustc.Pack(ctx, s, text(name), text(o)) })
}

// Unpack takes a packed toolchain into the cache: toolchain:unpack FILE, -sha256=HEX is what the file must have.
func (Toolchain) Unpack(ctx context.Context, file string, sha256 *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdrustc.Unpack(ctx, s, file, text(sha256)) })
}

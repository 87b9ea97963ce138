//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/pannous/redox-clif/internal/config"
)

// Toolchain is what is done with the one pinned Rust toolchain.
type Toolchain mg.Namespace

// Show shows the pin, what is installed and what it can do; -json, -probe measures anew.
func (Toolchain) Show(ctx context.Context, json, probe *bool) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.ToolchainShow(ctx, yes(json), yes(probe))
}

// Pin changes the pin and all that names a toolchain: toolchain:pin CHANNEL, -symlink makes files links to the pin, -dryrun.
func (Toolchain) Pin(ctx context.Context, channel string, symlink, dryRun *bool) error {
	s, err := open(config.Flags{DryRun: dryRun})
	if err != nil {
		return err
	}
	return s.ToolchainPin(ctx, channel, yes(symlink))
}

// Install installs the pinned toolchain by rustup, with -cranelift the Cranelift backend too.
func (Toolchain) Install(ctx context.Context, cranelift *bool) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.ToolchainInstall(ctx, yes(cranelift))
}

// Lock writes toolchain/toolchain.lock.toml from what is installed.
func (Toolchain) Lock(ctx context.Context) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.ToolchainLock(ctx)
}

// Build builds rustc with LLVM and a patched Cranelift from sources: toolchain:build NAME for one of several, -llvm=bootstrap compiles LLVM too (else: system, the installed one), -dryrun, -j, -memory, -offline. What was stopped goes on.
func (Toolchain) Build(ctx context.Context, name, llvm *string, dryRun, offline *bool, j, memory *int) error {
	s, err := open(config.Flags{DryRun: dryRun, Offline: offline, Jobs: j, Memory: memory})
	if err != nil {
		return err
	}
	return s.ToolchainBuild(ctx, text(name), text(llvm))
}

// Pack packs a toolchain that was built here for another machine: toolchain:pack NAME, -o=FILE.
func (Toolchain) Pack(ctx context.Context, name, o *string) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.ToolchainPack(ctx, text(name), text(o))
}

// Unpack takes a packed toolchain into the cache: toolchain:unpack FILE, -sha256=HEX is what the file must have.
func (Toolchain) Unpack(ctx context.Context, file string, sha256 *string) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.ToolchainUnpack(ctx, file, text(sha256))
}

// yes is a flag that was given and is true.
func yes(flag *bool) bool { return flag != nil && *flag }

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

// yes is a flag that was given and is true.
func yes(flag *bool) bool { return flag != nil && *flag }

//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Initfs is what is done with initfs images.
type Initfs mg.Namespace

// Build builds the real Redox initfs from the pinned sources (also: mage initfs).
func (Initfs) Build(ctx context.Context, dryRun, k, offline *bool, j, memory *int, profile, backend, std *string) error {
	s, err := open(config.Flags{DryRun: dryRun, KeepGoing: k, Offline: offline, Jobs: j, Memory: memory, Profile: profile, Backend: backend, Std: std})
	if err != nil {
		return err
	}
	return session.Hinted(s.Initfs(ctx))
}

// Ls lists an image: initfs:ls IMG, with -l also backend, source and where each file lies.
func (Initfs) Ls(ctx context.Context, img string, l *bool) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.InitfsList(img, l != nil && *l)
}

// Extract writes an image's files into a new folder: initfs:extract IMG DIR.
func (Initfs) Extract(ctx context.Context, img, dir string) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.InitfsExtract(ctx, img, dir)
}

// Pack makes an image of a folder and a bootstrap ELF: initfs:pack DIR BOOTSTRAP IMG, -layout=2 for the newer layout.
func (Initfs) Pack(ctx context.Context, dir, bootstrap, img string, layout *int) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.InitfsPack(ctx, dir, bootstrap, img, layout)
}

// Replace puts one file into an image in one safe step: initfs:replace IMG PATH FILE.
func (Initfs) Replace(ctx context.Context, img, path, file string) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.InitfsReplace(ctx, img, path, file)
}

// Verify checks everything about an image that can be checked: initfs:verify IMG.
func (Initfs) Verify(ctx context.Context, img string) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.InitfsVerify(img)
}

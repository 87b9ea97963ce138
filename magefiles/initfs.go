//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	cmdinitfs "github.com/pannous/redox-clif/internal/cmd/initfs"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Initfs is what is done with initfs images.
type Initfs mg.Namespace

// Build builds the real Redox initfs from the pinned sources (also: mage initfs).
func (Initfs) Build(ctx context.Context, dryRun, k, offline *bool, j, memory *int, profile, backend, std *string) error {
	return run(config.Flags{DryRun: dryRun, KeepGoing: k, Offline: offline, Jobs: j, Memory: memory, Profile: profile, Backend: backend, Std: std}, func(s *session.Session) error {
		return cmdinitfs.Build(ctx, s)
	})
}

// Ls lists an image: initfs:ls IMG, with -l also backend, source and where each file lies; -json.
func (Initfs) Ls(ctx context.Context, img string, l, json *bool) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdinitfs.List(s, img, isSet(l), isSet(json)) })
}

// Extract writes an image's files into a new folder: initfs:extract IMG DIR.
func (Initfs) Extract(ctx context.Context, img, dir string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdinitfs.Extract(ctx, s, img, dir) })
}

// Pack makes an image of a folder and a bootstrap ELF: initfs:pack DIR BOOTSTRAP IMG, -layout=2 for the newer layout.
func (Initfs) Pack(ctx context.Context, dir, bootstrap, img string, layout *int) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdinitfs.Pack(ctx, s, dir, bootstrap, img, layout) })
}

// Replace puts one file into an image in one safe step: initfs:replace IMG PATH FILE.
func (Initfs) Replace(ctx context.Context, img, path, file string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdinitfs.Replace(ctx, s, img, path, file) })
}

// Verify checks everything about an image that can be checked: initfs:verify IMG.
func (Initfs) Verify(ctx context.Context, img string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdinitfs.Verify(s, img) })
}

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

// Build builds the real Redox initfs from pinned sources.
func (Initfs) Build(ctx context.Context, dryRun, k, offline *bool, j, memory *int, set, backend, std, remote *string) error {
	return run(config.Flags{DryRun: dryRun, KeepGoing: k, Offline: offline, Jobs: j, Memory: memory, Set: set, Backend: backend, Std: std, Remote: remote}, func(s *session.Session) error {
		return cmdinitfs.Build(ctx, s)
	})
}

// Ls lists an initfs.
func (Initfs) Ls(ctx context.Context, img string, l, json *bool) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdinitfs.List(s, img, isSet(l), isSet(json)) })
}

// Extract writes the files of an initfs into a new folder.
func (Initfs) Extract(ctx context.Context, img, dir string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdinitfs.Extract(ctx, s, img, dir) })
}

// Pack makes an initfs of a folder and a bootstrap.
func (Initfs) Pack(ctx context.Context, dir, bootstrap, img string, layout *int) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdinitfs.Pack(ctx, s, dir, bootstrap, img, layout) })
}

// Replace replaces one file in an initfs, in one safe step.
func (Initfs) Replace(ctx context.Context, img, path, file string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdinitfs.Replace(ctx, s, img, path, file) })
}

// Verify checks all that can be checked of an initfs.
func (Initfs) Verify(ctx context.Context, img string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdinitfs.Verify(s, img) })
}

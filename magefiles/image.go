//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	cmddisk "github.com/pannous/redox-clif/internal/cmd/disk"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/session"
)

// Image is what is done with disk images. Nothing is ever mounted, and no image is written to in place.
type Image mg.Namespace

// Build builds a disk image from its description.
func (Image) Build(ctx context.Context, name, loader, kernel, initfs, out *string, dryRun, offline *bool, j *int, set, backend, remote *string) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline, Jobs: j, Set: set, Backend: backend, Remote: remote}, func(s *session.Session) error {
		return diskbuild.Build(ctx, s, diskbuild.Flags{Name: text(name), Loader: text(loader), Kernel: text(kernel), Initfs: text(initfs), Out: text(out)}, session.BuildOptions{})
	})
}

// Inject puts an initfs, a kernel, files into an image.
func (Image) Inject(ctx context.Context, img, initfs, kernel, files *string, dryRun *bool) error {
	return run(config.Flags{DryRun: dryRun}, func(s *session.Session) error {
		return cmddisk.Inject(ctx, s, cmddisk.InjectFlags{Image: text(img), Initfs: text(initfs), Kernel: text(kernel), Files: text(files)})
	})
}

// Bless keeps the image as the known good one.
func (Image) Bless(ctx context.Context, img *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmddisk.Bless(ctx, s, text(img)) })
}

// Restore brings back the known good image, or parts of it.
func (Image) Restore(ctx context.Context, img, snapshot, paths *string) error {
	return run(config.Flags{}, func(s *session.Session) error {
		return cmddisk.Restore(ctx, s, text(img), text(snapshot), list(text(paths)))
	})
}

// Rm removes files and trees of an image.
func (Image) Rm(ctx context.Context, paths string, img *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmddisk.Rm(ctx, s, text(img), list(paths)) })
}

// Grow makes an image larger.
func (Image) Grow(ctx context.Context, mib int, img *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmddisk.Grow(ctx, s, text(img), mib) })
}

// Diff lists what differs from the known good image.
func (Image) Diff(ctx context.Context, img, against *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmddisk.Diff(ctx, s, text(img), text(against)) })
}

// Snapshots lists the images from before the last changes.
func (Image) Snapshots(ctx context.Context, img *string, keep *int) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmddisk.Snapshots(ctx, s, text(img), keep) })
}

// Ls lists a folder of an image.
func (Image) Ls(ctx context.Context, path string, r, json *bool, img *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmddisk.Ls(ctx, s, text(img), path, isSet(r), isSet(json)) })
}

// Cat prints a file of an image.
func (Image) Cat(ctx context.Context, path string, img *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmddisk.Cat(ctx, s, text(img), path) })
}

// Verify reads all of an image and checks every checksum.
func (Image) Verify(ctx context.Context, img *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmddisk.Verify(ctx, s, text(img)) })
}

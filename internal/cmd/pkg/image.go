package pkg

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/session"
)

// onImage lets do work on a copy of an image's files, and then makes the same changes in the image: all of them or none.
// The image is locked meanwhile.
func onImage(ctx context.Context, s *session.Session, path string, sys *packages.System, do func(*packages.System) error) error {
	path = diskbuild.OrDefault(s, path)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w; `mage image` builds one, and -root=DIR takes a folder", err)
	}
	if s.Config.DryRun {
		return onCopy(ctx, s, path, sys, do)
	}
	return diskbuild.Edit(ctx, s, path, func(e *disk.Editor) error {
		// One folder for each image, so that the next run removes what a killed one has left; the editor's lock is the folder's as well.
		dir := filepath.Join(outDir(s), fmt.Sprintf(".image-%.12x", sha256.Sum256([]byte(e.Path))))
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		sys.Name, sys.Root, sys.Private = s.Relative(e.Path), filepath.Join(dir, "root"), true
		before, err := copyOut(ctx, e.Tool, e.Path, sys.Root)
		if err != nil {
			return fmt.Errorf("%s: reading its files: %w", sys.Name, err)
		}
		if err := do(sys); err != nil || sys.Done == nil {
			return err
		}
		after, err := disk.HostTree(sys.Root)
		if err != nil {
			return err
		}
		if err := e.Edit(ctx, disk.Changes(sys.Root, before, after)); err != nil {
			return packages.WithHint(fmt.Errorf("%s is as it was: %w", sys.Name, err))
		}
		return nil
	})
}

// onCopy lets do look at a copy of an image's files, for -dryrun: nothing is built, and the image is only read.
func onCopy(ctx context.Context, s *session.Session, path string, sys *packages.System, do func(*packages.System) error) error {
	if _, err := os.Stat(diskbuild.ToolPath(s)); err != nil {
		return fmt.Errorf("%w; -dryrun builds nothing, and only %s can read images: `mage recipe:build %s`", err, diskbuild.ToolRecipe, diskbuild.ToolRecipe)
	}
	dir, clean, err := scratch(s, "image")
	if err != nil {
		return err
	}
	defer clean()
	sys.Name, sys.Root, sys.Private = s.Relative(path), filepath.Join(dir, "root"), true
	if _, err := copyOut(ctx, diskbuild.ToolPath(s), path, sys.Root); err != nil {
		return fmt.Errorf("%s: reading its files: %w", sys.Name, err)
	}
	return do(sys)
}

// copyOut copies the files of an image to a folder that is not there yet.
func copyOut(ctx context.Context, tool, image, dir string) (map[string]disk.HostFile, error) {
	v, err := disk.Volume(tool, image)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	if _, err := v.Get(ctx, "/", dir); err != nil {
		return nil, err
	}
	return disk.HostTree(dir)
}

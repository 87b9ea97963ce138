package boottest

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/session"
)

// copyImage gives a run a copy of its image with what the test adds. It lies in out/ as the image does, so that they can share blocks.
func copyImage(ctx context.Context, s *session.Session, r *boottest.Run) error {
	d := r.Test.Additions()
	parts, err := diskbuild.BuildParts(ctx, s, d, session.BuildOptions{Quiet: true})
	if err != nil {
		return err
	}
	if parts == nil {
		return errors.New("a dry run boots nothing")
	}
	ops, err := d.Additions(ctx, parts.Resolve)
	if err != nil {
		return err
	}
	image := filepath.Join(r.Dir, "disk.img")
	if err := disk.Copy(ctx, parts.Tool, r.Machine.Drives[0].File, image, append(ops, r.Test.CommandOps()...)); err != nil {
		return err
	}
	if d.Boot.Loader != "" {
		loader, err := parts.SingleFile(ctx, d.Boot.Loader)
		if err == nil {
			err = disk.SetLoader(image, diskbuild.LoaderName(s.Config.Target), loader, time.Unix(0, 0))
		}
		if err != nil {
			return fmt.Errorf("loader %q: %w", d.Boot.Loader, err)
		}
	}
	return r.UseCopy(ctx, image, parts.Tool)
}

package diskbuild

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/initfs"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// DefaultImage is the description that is built when no other is named.
const DefaultImage = "pure-rust"

// Build builds a disk image from images/<name>.toml, with everything it refers to.
func Build(ctx context.Context, s *session.Session, f Flags, o session.BuildOptions) error {
	d, err := Describe(s, f)
	if err != nil {
		return err
	}
	b, err := BuildParts(ctx, s, d, o)
	if err != nil {
		return err
	}
	if b == nil {
		return planPackages(ctx, s, d)
	}
	contents, err := d.Contents(ctx, b.Resolve)
	if err != nil {
		return err
	}
	contents, done, err := withPackages(ctx, s, d, contents)
	if err != nil {
		return err
	}
	defer done()
	for _, op := range contents {
		if op.Path == "/boot/initfs" {
			if err := Bootable(op.From); err != nil {
				return err
			}
		}
		if op.Path == "/boot/kernel" {
			if err := CheckKernel(s, op.From); err != nil {
				return err
			}
		}
	}
	out := f.Out
	if out == "" {
		out = s.Config.Image(d.Name)
	}
	return Make(ctx, s, d, b, contents, out)
}

// Bootable refuses an initfs that the kernel would fault on, most of all one without a bootstrap.
func Bootable(file string) error {
	img, err := initfs.OpenFile(file)
	if err != nil {
		return err
	}
	defer img.Close()
	if err := errors.Join(img.Verify(), img.Bootable()); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// Make writes a disk image of a description and what was built for it to the file out.
func Make(ctx context.Context, s *session.Session, d *disk.Description, b *Parts, contents []redoxfs.Op, out string) error {
	job := &disk.Build{Tool: b.Tool, Description: d, Contents: contents, Keep: keptSnapshots, Progress: imageProgress(s, len(contents))}
	if d.Boot.Loader != "" {
		loader, err := b.SingleFile(ctx, d.Boot.Loader)
		if err != nil {
			return fmt.Errorf("loader %q: %w", d.Boot.Loader, err)
		}
		job.Loader, job.LoaderName = loader, LoaderName(s.Config.Target)
	}
	start := time.Now()
	report, err := job.Make(ctx, out)
	if errors.Is(err, disk.ErrUnchanged) {
		s.Say("%s is as it would be built: nothing to do", s.Relative(out))
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.Relative(out), err)
	}
	s.Say("%s: %d MiB, %d files, %s, verified, in %s", s.Relative(out), d.Size, report.Files, ui.Bytes(report.Bytes), ui.Seconds(time.Since(start)))
	open, err := disk.FindOpenLogin(contents)
	if err != nil {
		return err
	}
	if open != nil {
		s.Say("%s: %s", s.Relative(out), open)
	}
	return nil
}

// LoaderName is what UEFI firmware starts from a disk that it was told nothing about.
func LoaderName(target string) string {
	if strings.HasPrefix(target, "x86_64") {
		return "BOOTX64.EFI"
	}
	return "BOOTAA64.EFI"
}

// imageProgress says every other second how far an image is.
func imageProgress(s *session.Session, total int) func(redoxfs.Applied) {
	next := time.Now().Add(2 * time.Second)
	return func(done redoxfs.Applied) {
		if time.Now().After(next) {
			next = time.Now().Add(2 * time.Second)
			s.Say("  %d of %d entries, %s", done.Entries, total, ui.Bytes(done.Bytes))
		}
	}
}

package boottest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
)

// run is one run of a boot test.
type run struct {
	s    *session.Session
	test *boottest.Test
	dir  string // of this run alone
	m    *qemu.Machine

	tool   string // redoxfs-tool, when the run has a copy of the image
	before string // the copy as it was before the run, when only flushed writes are kept
}

// prepare makes the machine of a test, with a copy of the image where the test changes it or looks at it afterwards.
func prepare(ctx context.Context, s *session.Session, t *boottest.Test, o qemu.GuestOptions, dir string) (*run, error) {
	o.Profile, o.Memory, o.Writable = t.Machine, t.Memory, t.Keep != boottest.KeepNothing
	m, err := guest.New(s, o)
	if err != nil {
		return nil, err
	}
	r := &run{s: s, test: t, dir: dir, m: m}
	if t.Device != "" {
		m.Drives[0].Device = t.Device
	}
	if t.Network || len(t.Services) > 0 {
		m.AddNetwork()
	}
	if len(t.Traces) > 0 {
		m.Trace = &qemu.Trace{File: r.file("trace")}
		for _, tr := range t.Traces {
			m.Trace.Events = append(m.Trace.Events, tr.Event)
		}
	}
	if err := m.UsePrivateVars(dir); err != nil {
		return nil, err
	}
	if !t.WantsCopy() {
		return r, nil
	}
	return r, r.copyImage(ctx)
}

func (r *run) file(name string) string { return filepath.Join(r.dir, name) }

// copyImage gives the machine a copy of its image with what the test adds. It lies in out/ as the image does, so that they can share blocks.
func (r *run) copyImage(ctx context.Context) error {
	d := r.test.Additions()
	parts, err := diskbuild.BuildParts(ctx, r.s, d, session.BuildOptions{Quiet: true})
	if err != nil {
		return err
	}
	if parts == nil {
		return errors.New("a dry run boots nothing")
	}
	r.tool = parts.Tool
	ops, err := d.Additions(ctx, parts.Resolve)
	if err != nil {
		return err
	}
	image := r.file("disk.img")
	if err := disk.Copy(ctx, r.tool, r.m.Drives[0].File, image, append(ops, r.test.CommandOps()...)); err != nil {
		return err
	}
	if d.Boot.Loader != "" {
		loader, err := parts.SingleFile(ctx, d.Boot.Loader)
		if err == nil {
			err = disk.SetLoader(image, diskbuild.LoaderName(r.s.Config.Target), loader, time.Unix(0, 0))
		}
		if err != nil {
			return fmt.Errorf("loader %q: %w", d.Boot.Loader, err)
		}
	}
	r.m.Drives[0].File = image
	if r.test.Keep != boottest.KeepFlushed {
		return nil
	}
	r.before, r.m.Drives[0].WriteLog = r.file("before.img"), r.file("writes.log")
	if err := os.WriteFile(r.m.Drives[0].WriteLog, nil, 0o600); err != nil {
		return err
	}
	return disk.Clone(ctx, image, r.before)
}

// boot runs the guest.
func (r *run) boot(ctx context.Context, script qemu.Script, name string) (*qemu.Result, error) {
	limits := qemu.Limits{Silence: time.Duration(r.test.Silence) * time.Second, Total: time.Duration(r.test.Limit) * time.Second}
	return guest.Run(ctx, r.s, "boot-"+name, r.m, script, limits)
}

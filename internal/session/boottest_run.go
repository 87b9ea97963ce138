package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/redoxfs"
)

// bootRun is one run of a boot test.
type bootRun struct {
	s    *Session
	test *bootTest
	dir  string // of this run alone
	m    *guestMachine

	tool   string // redoxfs-tool, when the run has a copy of the image
	before string // the copy as it was before the run, when only flushed writes are kept
}

// prepareBoot makes the machine of a test, with a copy of the image where the test changes it or looks at it afterwards.
func (s *Session) prepareBoot(ctx context.Context, t *bootTest, f RunFlags, dir string) (*bootRun, error) {
	f.Machine, f.Memory, f.Write = t.Machine, t.Memory, t.Keep != keepNothing
	m, err := s.guest(f)
	if err != nil {
		return nil, err
	}
	r := &bootRun{s: s, test: t, dir: dir, m: m}
	if t.Device != "" {
		m.Drives[0].Device = t.Device
	}
	if t.Network || len(t.Services) > 0 {
		m.networkCard("")
	}
	if len(t.Traces) > 0 {
		m.Trace = &qemu.Trace{File: r.file("trace")}
		for _, tr := range t.Traces {
			m.Trace.Events = append(m.Trace.Events, tr.Event)
		}
	}
	firmware, err := m.Firmware.PrivateVars(dir)
	if err != nil {
		return nil, err
	}
	m.Firmware = &firmware
	if !t.wantsCopy() {
		return r, nil
	}
	return r, r.copyImage(ctx)
}

func (r *bootRun) file(name string) string { return filepath.Join(r.dir, name) }

func (t *bootTest) wantsCopy() bool {
	return t.Keep != keepNothing || len(t.Commands) > 0 || t.Loader+t.Kernel+t.Initfs != "" || len(t.Trees)+len(t.Files)+len(t.Dirs) > 0
}

// additions are what the test puts into its image, as a description of nothing else.
func (t *bootTest) additions() *disk.Description {
	return &disk.Description{Boot: disk.Boot{Loader: t.Loader, Kernel: t.Kernel, Initfs: t.Initfs}, Trees: t.Trees, Files: t.Files, Dirs: t.Dirs}
}

// copyImage gives the machine a copy of its image with what the test adds. It lies in out/ as the image does, so that they can share blocks.
func (r *bootRun) copyImage(ctx context.Context) error {
	d := r.test.additions()
	parts, err := r.s.imageParts(ctx, d, BuildOptions{Quiet: true})
	if err != nil {
		return err
	}
	if parts == nil {
		return errors.New("a dry run boots nothing")
	}
	r.tool = parts.tool
	ops, err := d.Additions(ctx, parts.resolve)
	if err != nil {
		return err
	}
	image := r.file("disk.img")
	if err := disk.Copy(ctx, r.tool, r.m.image, image, append(ops, r.test.commandOps()...)); err != nil {
		return err
	}
	if d.Boot.Loader != "" {
		loader, err := parts.singleFile(ctx, d.Boot.Loader)
		if err == nil {
			err = disk.SetLoader(image, loaderName(r.s.Config.Target), loader, time.Unix(0, 0))
		}
		if err != nil {
			return fmt.Errorf("loader %q: %w", d.Boot.Loader, err)
		}
	}
	r.m.image, r.m.Drives[0].File = image, image
	if r.test.Keep != keepFlushed {
		return nil
	}
	r.before, r.m.Drives[0].WriteLog = r.file("before.img"), r.file("writes.log")
	if err := os.WriteFile(r.m.Drives[0].WriteLog, nil, 0o600); err != nil {
		return err
	}
	return disk.Clone(ctx, image, r.before)
}

// commandOps put the commands where the seed-era init runs them: after everything else in init.d.
func (t *bootTest) commandOps() []redoxfs.Op {
	if len(t.Commands) == 0 {
		return nil
	}
	var script strings.Builder
	for i, c := range t.Commands {
		fmt.Fprintf(&script, "%s\necho boot-test command %d status $?\n", c.Run, i+1)
	}
	text, start := script.String(), "ion /etc/boot-test.ion\n"
	return []redoxfs.Op{
		{Op: redoxfs.OpFile, Path: "/etc/boot-test.ion", Text: &text},
		{Op: redoxfs.OpFile, Path: "/usr/lib/init.d/zz_boot-test", Text: &start},
	}
}

// boot runs the guest. What it prints goes to log as well.
func (r *bootRun) boot(ctx context.Context, script qemu.Script, log string) (*qemu.Result, error) {
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return nil, err
	}
	opts := qemu.Options{
		Limits: qemu.Limits{Silence: time.Duration(r.test.Silence) * time.Second, Total: time.Duration(r.test.Limit) * time.Second},
		Log:    log, Env: r.s.toolEnv(),
	}
	if r.s.Config.Verbose {
		opts.Stream = r.s.Streams.Out
	}
	return qemu.Run(ctx, r.m.Machine, script, opts)
}

// scratch makes a folder in out/ for one run, and removes what killed runs have left beside it. The name is locked until done is
// called, which removes the folder.
func (s *Session) scratch(kind, name string) (dir string, done func(), err error) {
	top := filepath.Join(s.Config.Out(), kind)
	if err := sweep(top); err != nil {
		return "", nil, err
	}
	lock, err := lockfile.Try(filepath.Join(top, name+lockSuffix))
	if err != nil {
		return "", nil, err
	}
	if lock == nil {
		return "", nil, errors.New("another run of mage has it under way")
	}
	dir = filepath.Join(top, name)
	done = func() {
		os.RemoveAll(dir)
		lock.ReleaseAndRemove()
	}
	// Not removed by sweep: a run may have ended between the two.
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		done()
		return "", nil, err
	}
	return dir, done, nil
}

const lockSuffix = ".lock"

// sweep removes the folders whose locks nobody holds.
func sweep(top string) error {
	locks, err := globdir.In(top, "*"+lockSuffix)
	if err != nil {
		return err
	}
	for _, path := range locks {
		lock, err := lockfile.Try(path)
		if err != nil {
			return err
		}
		if lock == nil {
			continue
		}
		err = os.RemoveAll(strings.TrimSuffix(path, lockSuffix))
		lock.ReleaseAndRemove()
		if err != nil {
			return err
		}
	}
	return nil
}

package boottest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Run runs boot tests by name, or all of them. -img boots another image.
func Run(ctx context.Context, s *session.Session, name string, o qemu.GuestOptions) error {
	if name != "all" {
		return runOne(ctx, s, name, o)
	}
	var all *multierror.Error
	for _, n := range diskbuild.Names(s, filepath.Join("images", "boot")) {
		if err := runOne(ctx, s, n, o); err != nil {
			all = multierror.Append(all, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return all.ErrorOrNil()
}

func runOne(ctx context.Context, s *session.Session, name string, o qemu.GuestOptions) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("boot test %s: %w", name, err)
		}
	}()
	test, err := load(s, name)
	if err != nil {
		return err
	}
	services, err := test.Serve()
	if err != nil {
		return err
	}
	defer services.Stop()
	script, err := test.Script()
	if err != nil {
		return err
	}
	if o.Image == "" && test.Image != "" {
		o.Image = s.Config.Image(test.Image)
	}
	// A report of an earlier run must not pass for this one's.
	report := filepath.Join(s.Config.Out(), "test", "boot-"+name+".xml")
	if err := os.Remove(report); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, done, err := s.Scratch("boot-test", name)
	if err != nil {
		return err
	}
	defer done()
	run, err := prepare(ctx, s, test, o, dir)
	if err != nil {
		return err
	}
	result, err := run.boot(ctx, script, name)
	if err != nil {
		return err
	}
	outcome, err := run.judge(ctx, result)
	if err != nil {
		return err
	}
	outcome.Add(services.Checks())
	if err := writeJUnit(report, name, outcome); err != nil {
		return err
	}
	if err := outcome.Err(); err != nil {
		return err
	}
	sayPassed(s, name, outcome)
	return nil
}

func load(s *session.Session, name string) (*boottest.Test, error) {
	file := filepath.Join(s.Config.Root, "images", "boot", name+".toml")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no such test; there are %s", strings.Join(diskbuild.Names(s, filepath.Join("images", "boot")), ", "))
	}
	if err != nil {
		return nil, err
	}
	t := &boottest.Test{Silence: 60, Limit: 300}
	return t, tomlfile.Decode(s.Relative(file), text, t)
}

package boottest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/junit"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Flags say in what tests are run, and how it is told.
type Flags struct {
	Image string // "" is the test's
	Accel string // "" picks what the host has
	JSON  bool
}

// folder has a file for each test.
const folder = "images/boot"

// Run runs a boot test by name, or all of them.
func Run(ctx context.Context, s *session.Session, name string, f Flags) error {
	names := []string{name}
	if name == "all" {
		names = diskbuild.Names(s, folder)
	}
	outcomes := []*boottest.Outcome{}
	var failed *multierror.Error
	for _, name := range names {
		o, err := runOne(ctx, s, name, f)
		if o == nil { // it did not come to one
			o = &boottest.Outcome{Name: name, Problem: err.Error()}
		}
		outcomes = append(outcomes, o)
		if err != nil {
			failed = multierror.Append(failed, fmt.Errorf("boot test %s: %w", name, err))
		} else {
			sayPassed(s, o)
		}
		if ctx.Err() != nil {
			break
		}
	}
	err := errs.One(failed)
	if f.JSON {
		err = errors.Join(err, ui.WriteJSON(s.Streams.Out, "test:boot", outcomes))
	}
	return err
}

// runOne runs a test. The outcome is nil when there is none.
func runOne(ctx context.Context, s *session.Session, name string, f Flags) (*boottest.Outcome, error) {
	if names := diskbuild.Names(s, folder); !slices.Contains(names, name) {
		return nil, fmt.Errorf("there is no such test; there are %s", strings.Join(names, ", "))
	}
	report, err := junit.Begin(filepath.Join(s.Config.Out(), "test", "boot-"+name+".xml"))
	if err != nil {
		return nil, err
	}
	test, err := load(s, name)
	if err != nil {
		return nil, err
	}
	outcome, err := boot(ctx, s, name, test, f)
	if err != nil {
		return nil, err
	}
	if err := report.Write(outcome.JUnit()); err != nil {
		return nil, err
	}
	return outcome, outcome.Err()
}

func load(s *session.Session, name string) (*boottest.Test, error) {
	file := filepath.Join(s.Config.Root, folder, name+".toml")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return boottest.Parse(s.Relative(file), text)
}

// boot runs the guest of a test, and what it talks to.
func boot(ctx context.Context, s *session.Session, name string, test *boottest.Test, f Flags) (*boottest.Outcome, error) {
	services, err := test.Serve()
	if err != nil {
		return nil, err
	}
	defer services.Stop()
	script, err := test.Script()
	if err != nil {
		return nil, err
	}
	dir, done, err := s.Scratch("boot-test", name)
	if err != nil {
		return nil, err
	}
	defer done()
	m, err := guest.New(s, guestOptions(s, test, f))
	if err != nil {
		return nil, err
	}
	run := &boottest.Run{Name: name, Test: test, Services: services, Machine: m, Dir: dir}
	if err := run.Configure(); err != nil {
		return nil, err
	}
	if test.WantsCopy() {
		if err := copyImage(ctx, s, run); err != nil {
			return nil, err
		}
	}
	result, err := guest.Run(ctx, s, "boot-"+name, m, script, test.Limits())
	if err != nil {
		return nil, err
	}
	return run.Judge(ctx, result)
}

func guestOptions(s *session.Session, test *boottest.Test, f Flags) qemu.GuestOptions {
	o := test.Guest()
	o.Image, o.Accel = f.Image, f.Accel
	if o.Image == "" && test.Image != "" {
		o.Image = s.Config.Image(test.Image)
	}
	return o
}

func sayPassed(s *session.Session, o *boottest.Outcome) {
	more := ""
	if len(o.Checks) > 0 {
		more = fmt.Sprintf(", %d checks after it", len(o.Checks))
	}
	if w := o.Writes; w != nil {
		more += fmt.Sprintf("; %d flushes, %d writes before them, %d lost", w.Flushes, w.Writes, w.Lost)
	}
	s.Say("boot test %s: passed in %s%s (log: %s)", o.Name, ui.Seconds(o.Took()), more, s.Relative(o.Log))
}

// Package dev is `mage dev`: a source is edited, and what is built of it boots again after each save.
//
// It owns what is booted for a recipe, and the words. It must not know the order of things in the loop (package devloop), nor how a source is
// taken for editing (package editing).
package dev

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/devloop"
	"github.com/pannous/redox-clif/internal/editing"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
	"github.com/pannous/redox-clif/internal/watch"
)

// Flags say what is booted, and in what machine.
type Flags struct {
	qemu.GuestOptions        // without an image
	Name              string // of the image's description; "" is diskbuild.DefaultImage
	CPUs              int    // 0 is the machine's
}

// system is what is booted.
type system interface {
	// build brings it up to date.
	build(ctx context.Context) error
	// machine is the guest that runs what was built.
	machine() (*qemu.Machine, error)
}

// Run goes round until ctx ends.
func Run(ctx context.Context, s *session.Session, name string, f Flags) error {
	place, err := editing.Take(ctx, s, name)
	if err != nil || place == nil {
		return err
	}
	s.Reread()
	dir, done, err := s.Scratch("dev", name)
	if err != nil {
		return err
	}
	defer done()
	booted, err := systemOf(s, name, dir, f)
	if err != nil {
		return err
	}
	w, err := watch.New([]string{place.Dir}, watch.Unsaved)
	if err != nil {
		return err
	}
	defer w.Close()
	s.Say("save a file in %s and it boots again; Ctrl-C ends it all", s.Relative(place.Dir))
	loop := devloop.Loop{Changes: w, Events: events(s, place.Dir),
		Build: func(ctx context.Context) error { s.Reread(); return booted.build(ctx) },
		Guest: func(ctx context.Context, started func()) error {
			m, err := booted.machine()
			if err != nil {
				return err
			}
			return guest.Interactive(ctx, s, "run", m, started)
		},
	}
	err = loop.Run(ctx)
	s.Say("\nended; %s stays as it is", s.Relative(place.Dir))
	return err
}

// events are the lines between what the guests print. They begin on a line of their own, whatever a guest has left.
func events(s *session.Session, dir string) devloop.Events {
	say := func(format string, args ...any) { s.Say("\r\n--- "+format, args...) }
	return devloop.Events{
		Changed:  func(files []string) { say("%s", changed(files, dir)) },
		Building: func() {},
		Failed:   func(err error) { s.Say("%v", session.Hinted(err)); say("failed; waiting for a change") },
		Ended:    func() { say("the guest has ended; waiting for a change") },
		Started: func(t devloop.Times) {
			if t.Since == 0 {
				say("booting; built in %s", ui.Seconds(t.Build))
				return
			}
			say("booting, %s after the change; the build took %s", precise(t.Since), precise(t.Build))
		},
	}
}

// precise is a time that people compare.
func precise(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// shownFiles is how many changed files are named.
const shownFiles = 3

func changed(files []string, dir string) string {
	var names []string
	for _, f := range files[:min(len(files), shownFiles)] {
		if rel, err := filepath.Rel(dir, f); err == nil && filepath.IsLocal(rel) {
			f = rel
		}
		names = append(names, f)
	}
	text := strings.Join(names, ", ")
	switch more := len(files) - len(names); {
	case len(files) == 0:
		return "changed"
	case more > 0:
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + " changed"
}

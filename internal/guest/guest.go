// Package guest starts guests with the settings of a session: it is what package qemu needs one for.
//
// It owns which image is booted when none is named, where serial logs lie and what QEMU finds around it. It must not know
// what is in an image nor what a guest has to print.
package guest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/crash"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/terminal"
)

// New makes the machine for an image of the session's target, the default image when o.Image is "".
func New(s *session.Session, o qemu.GuestOptions) (*qemu.Machine, error) {
	o.Image = diskbuild.OrDefault(s, o.Image)
	info, err := os.Stat(o.Image)
	if err != nil {
		return nil, fmt.Errorf("no image to run, `mage image` builds one: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", o.Image)
	}
	o.Arch, _, _ = strings.Cut(s.Config.Target, "-")
	return qemu.NewGuest(o, s.Look)
}

// Run runs a guest by a script. Its serial line goes to the log NAME.serial.log, and with -v to standard error too: it is no result.
func Run(ctx context.Context, s *session.Session, name string, m *qemu.Machine, script qemu.Script, limits qemu.Limits) (*qemu.Result, error) {
	o := qemu.Options{Limits: limits, Log: filepath.Join(s.Config.Logs(), name+".serial.log"), Env: s.ToolEnv()}
	if s.Config.Verbose {
		o.Stream = terminal.NewWriter(s.Streams.Err)
	}
	result, err := qemu.Run(ctx, *m, script, o)
	if result != nil && result.Outcome != qemu.Passed {
		result.Traces = traces(s, o.Log)
	}
	return result, err
}

// traces is what the log of a guest that did not do as it should has of crashes. That they cannot be told is no reason to hide the failure.
func traces(s *session.Session, log string) string {
	f, err := os.Open(log)
	if err != nil {
		return ""
	}
	defer f.Close()
	stacks, err := Programs(s).Stacks(f, s.SourceFile)
	if err != nil {
		return ""
	}
	return crash.Text(stacks, s.Relative(log))
}

// Programs are those that the session's guests run.
func Programs(s *session.Session) *crash.Programs {
	return crash.Find(s.Store, s.History, s.Config.Out())
}

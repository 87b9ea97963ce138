package pin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// Show shows the pin, what is installed and what it can do. With probe, what was measured before
// is forgotten first.
func Show(ctx context.Context, s *session.Session, asJSON, probe bool) error {
	if probe {
		if err := forgetProbes(s); err != nil {
			return err
		}
	}
	in, err := s.LookAtToolchain(ctx)
	if err != nil {
		return err
	}
	built, err := s.BuiltToolchains().List()
	if err != nil {
		return err
	}
	sets, err := s.ReleaseSets()
	if err != nil {
		return err
	}
	r := &shown{s.Config.Set, sets.Names(), toolchain.NewReport(in), session.ManifestOf(in.Toolchain), built}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "toolchain:show", r)
	}
	return r.print(s.Streams.Out)
}

func forgetProbes(s *session.Session) error {
	found, err := globdir.In(s.Config.Toolchains(), "probe-*.json")
	for _, path := range found {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// Install has rustup install the pin, and with cranelift the backend's component too.
func Install(ctx context.Context, s *session.Session, cranelift bool) error {
	pin, err := toolchain.LoadPin(s.Config.Pin())
	if err != nil {
		return err
	}
	if s.Config.Offline {
		return fmt.Errorf("%s cannot be installed with -offline", pin.Toolchain.Channel)
	}
	env := append(s.ToolEnv(), s.Config.NetworkEnv...)
	err = toolchain.Install(ctx, s.LookPath("rustup"), pin, cranelift, toolchain.ExecLines(env), func(line string) { s.Say("  %s", line) })
	if none := (*toolchain.NoComponent)(nil); errors.As(err, &none) && cranelift {
		return fmt.Errorf("%w\n%s itself is installed. Ways to Cranelift: a toolchain directory that has it (REDOX_TOOLCHAIN=DIR), "+
			"another server for rustup (RUSTUP_DIST_SERVER), or LLVM (-backend='llvm:*')", err, pin.Toolchain.Channel)
	}
	if err != nil {
		return err
	}
	s.Say("%s is installed; `mage toolchain:show` tells what it can do", pin.Toolchain.Channel)
	return nil
}

// Lock writes down what the installed toolchain is, and what the pin expects where it does not say; with
// REDOX_TOOLCHAIN, what a toolchain that was built from sources was made of. hosts asks for the other hosts too.
func Lock(ctx context.Context, s *session.Session, hosts, asJSON bool) error {
	in, err := s.LookAtToolchain(ctx)
	if err != nil {
		return err
	}
	locked, err := lock(ctx, s, in)
	if locked == nil {
		return err
	}
	if hosts && err == nil {
		locked.Hosts, err = lockHosts(ctx, s, in)
	}
	if asJSON {
		return errors.Join(err, ui.WriteJSON(s.Streams.Out, "toolchain:lock", locked))
	}
	what := "rustc " + locked.Commit
	if locked.Identity != "" {
		what = "identity " + locked.Identity[:16]
	}
	s.Say("%s: %s on %s, %s", s.Relative(s.Config.PinLock()), locked.Name, locked.Host, what)
	for _, h := range locked.Hosts {
		if len(h.Missing) > 0 {
			s.Say("  %s: not locked, rustup's server does not offer %s", h.Host, strings.Join(h.Missing, ", "))
			continue
		}
		s.Say("  %s: locked, from rustup's archives", h.Host)
	}
	for _, e := range locked.Expects {
		s.Say("%s: expects %s %s from now on", s.Relative(s.Config.Pin()), e.Key, e.Value)
	}
	return err
}

func lock(ctx context.Context, s *session.Session, in *toolchain.Installed) (*toolchain.Locked, error) {
	if s.Config.Toolchain == "" {
		return in.LockInstalled(ctx, s.Config.PinLock(), s.Config.Pin())
	}
	m := session.ManifestOf(in.Toolchain)
	if m == nil {
		return nil, fmt.Errorf("the lock is of the pinned toolchain and of those that toolchain:build makes: unset REDOX_TOOLCHAIN (%s)", s.Config.Toolchain)
	}
	return in.LockBuilt(s.Config.PinLock(), m.Name, m.Host, toolchain.BuiltFrom{
		Identity: m.Identity, Release: m.Release, Archive: m.Archive, Source: m.Source, Stage0: m.Stage0, LLVM: m.LLVM,
		Flags: m.Bootstrap, Patches: m.Patches, Applied: m.Applied,
	})
}

// lockHosts locks the pin for the other hosts.
func lockHosts(ctx context.Context, s *session.Session, in *toolchain.Installed) ([]toolchain.HostLocked, error) {
	if s.Config.Toolchain != "" {
		return nil, fmt.Errorf("other hosts have the pinned toolchain: unset REDOX_TOOLCHAIN (%s)", s.Config.Toolchain)
	}
	scratch := s.Config.Toolchains()
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return nil, err
	}
	return dist(s, in.Version.Host).LockHosts(ctx, in.Pin, s.Config.PinLock(), scratch)
}

// dist is the server that rustup installs from.
func dist(s *session.Session, host string) toolchain.Dist {
	from := toolchain.Dist{Host: host}
	for _, v := range s.Config.NetworkEnv {
		if server, ok := strings.CutPrefix(v, "RUSTUP_DIST_SERVER="); ok {
			from.Server = server
		}
	}
	return from
}

// repinned is what `mage toolchain:pin` did.
type repinned struct {
	*drift.Repinned
	// Offer is what rustup's server has of the channel. It is absent when it was not asked: the channel is the pin's already, or the
	// server cannot be reached, which Unasked says.
	Offer   *toolchain.Offer `json:"offer,omitempty"`
	Unasked string           `json:"unasked,omitempty"`
}

// Pin changes the one pin and everything that names a toolchain, or nothing at all; with -dryrun it says what would change. A channel
// that rustup could not install is found before.
func Pin(ctx context.Context, s *session.Session, channel string, link, asJSON bool) error {
	did := &repinned{}
	if err := did.ask(ctx, s, channel); err != nil {
		return err
	}
	c, err := openCheckouts(s, nil, false)
	if err != nil {
		return err
	}
	did.Repinned, err = drift.Repin(ctx, c, drift.RepinOptions{Channel: channel, Link: link, DryRun: s.Config.DryRun})
	if err != nil {
		return err
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "toolchain:pin", did)
	}
	did.print(s)
	return nil
}

// ask asks rustup's server for a channel that is not the pin's. Without the network the pin is changed unasked: who is offline may have
// the toolchain.
func (r *repinned) ask(ctx context.Context, s *session.Session, channel string) error {
	pin, err := toolchain.LoadPin(s.Config.Pin())
	if err != nil {
		return err
	}
	if channel == pin.Toolchain.Channel {
		return nil
	}
	if s.Config.Offline {
		r.Unasked = "this run is offline"
		return nil
	}
	r.Offer, err = dist(s, toolchain.HostTriple(runtime.GOOS, runtime.GOARCH)).Ask(ctx, channel, pin)
	if failed := (*toolchain.NoAnswer)(nil); errors.As(err, &failed) {
		r.Unasked, err = failed.Error(), nil
	}
	return err
}

func (r *repinned) print(s *session.Session) {
	printChanges(s, r.Changes)
	for _, g := range drift.ByReason(r.Unseen) {
		s.Say("not looked at: %s; %s, then repeat this", g.Message(), g.Fix)
	}
	if r.Unasked != "" {
		s.Say("whether rustup can install it is not known: %s", r.Unasked)
	}
	if r.Offer != nil && len(r.Offer.Missing) > 0 {
		s.Say("%s does not offer %s for %s", r.Offer.Server, strings.Join(r.Offer.Missing, ", "), r.Offer.Host)
	}
}

func printChanges(s *session.Session, changes []toolchain.Change) {
	for _, c := range changes {
		what := c.Old + " -> " + c.New
		switch c.Old {
		case toolchain.NewFile:
			what = "new, carries " + c.New + " into a source"
		case toolchain.OtherText:
			what = "brought along"
		}
		fmt.Fprintf(s.Streams.Out, "%s: %s\n", c.Path, what)
	}
	switch {
	case len(changes) == 0:
		s.Say("nothing to change")
	case s.Config.DryRun:
		s.Say("%d files would be changed", len(changes))
	default:
		s.Say("%d files changed; next: mage toolchain:install, mage toolchain:lock, mage target:spec -write, mage drift", len(changes))
	}
}

package pin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// DriftFlags say how drift is told, and what of it is a failure.
type DriftFlags struct {
	JSON   bool
	Strict bool // what could not be compared is a failure too
	All    bool // every release set, not only the one of the session
}

// Drift compares everything derived with what it is derived from. The error says that something drifted, or
// what kept it from looking. Sources that are not here are fetched unless -offline.
func Drift(ctx context.Context, s *session.Session, f DriftFlags) error {
	sessions, err := sessionsOf(s, f.All)
	if err != nil {
		return err
	}
	var reports []*drift.Report
	var failed error
	for _, in := range sessions {
		r, err := findDrift(ctx, in)
		if r == nil {
			return errors.Join(failed, err)
		}
		failed = errors.Join(failed, err)
		reports = append(reports, r)
	}
	s.Keep("drift", reports[0]) // a page is about one set: with all the active one, which is the first
	if f.JSON {
		failed = errors.Join(failed, writeDrift(s, reports, f.All))
	} else {
		for _, r := range reports {
			if f.All && r.Set != "" {
				fmt.Fprintf(s.Streams.Out, "== release set %s\n", r.Set)
			}
			printDrift(s.Streams.Out, r, f.Strict, s.Config.GitHub)
		}
	}
	return errors.Join(verdict(failed, reports, f.Strict), s.BrokenError())
}

// sessionsOf is the session, or with all one for each release set.
func sessionsOf(s *session.Session, all bool) ([]*session.Session, error) {
	if !all {
		return []*session.Session{s}, nil
	}
	sets, err := s.ReleaseSets()
	if err != nil {
		return nil, err
	}
	var sessions []*session.Session
	for _, set := range sets {
		in, err := s.InSet(set.Name)
		if err != nil {
			return nil, err
		}
		sessions = append(sessions, in)
	}
	return sessions, nil
}

// writeDrift writes the report, with all a list of the sets' reports.
func writeDrift(s *session.Session, reports []*drift.Report, all bool) error {
	if !all {
		return ui.WriteJSON(s.Streams.Out, "drift", reports[0])
	}
	return ui.WriteJSON(s.Streams.Out, "drift", struct {
		Sets []*drift.Report `json:"sets"`
	}{reports})
}

// verdict says whether the reports are a failure, beside what kept them from being complete.
func verdict(failed error, reports []*drift.Report, strict bool) error {
	findings, unchecked := 0, 0
	for _, r := range reports {
		findings, unchecked = findings+len(r.Findings), unchecked+len(r.Unchecked)
	}
	if failed == nil && findings > 0 {
		failed = &DriftError{findings}
	}
	if strict && unchecked > 0 {
		failed = errors.Join(failed, &UncheckedError{unchecked})
	}
	return failed
}

func findDrift(ctx context.Context, s *session.Session) (*drift.Report, error) {
	installed, err := s.LookAtToolchain(ctx)
	if err != nil {
		return nil, err
	}
	c, err := openCheckouts(s, installed.Toolchain, !s.Config.Offline)
	if err != nil {
		return nil, err
	}
	return drift.Check(ctx, c, installed)
}

// DriftError says that something drifted; the findings are printed already.
type DriftError struct{ Count int }

func (e *DriftError) Error() string {
	if e.Count == 1 {
		return "1 thing drifted"
	}
	return fmt.Sprintf("%d things drifted", e.Count)
}

// UncheckedError says that -strict was given and something could not be compared; what and why is printed already.
type UncheckedError struct{ Count int }

func (e *UncheckedError) Error() string {
	if e.Count == 1 {
		return "1 comparison could not be made, and -strict wants all"
	}
	return fmt.Sprintf("%d comparisons could not be made, and -strict wants all", e.Count)
}

func printDrift(out io.Writer, r *drift.Report, strict, annotate bool) {
	for _, f := range r.Findings {
		fmt.Fprintf(out, "%s: %s\n    expected: %s\n    found:    %s\n    mend:     %s\n", f.Kind, f.Place(), f.Expected, ui.Dash(f.Found), f.Fix)
		if annotate {
			fmt.Fprintln(out, f.Annotation())
		}
	}
	for _, g := range drift.ByReason(r.Unchecked) {
		fmt.Fprintf(out, "not checked: %s\n    mend:     %s\n", g.Message(), g.Fix)
		if annotate {
			fmt.Fprintln(out, g.Annotation(strict))
		}
	}
	for _, p := range r.Patches {
		fmt.Fprintf(out, "patches/%s on %s: %s\n", p.Series, p.Source, p.Summary)
	}
	if len(r.Findings) == 0 {
		fmt.Fprintln(out, "nothing that was compared drifted")
	}
}

// DriftLock writes down what the pinned sources hold now. What is not here or overridden keeps what was
// locked for it before, and when nothing fitting was, the error says so.
func DriftLock(ctx context.Context, s *session.Session, asJSON bool) error {
	installed, err := s.LookAtToolchain(ctx)
	if err != nil {
		return err
	}
	c, err := openCheckouts(s, installed.Toolchain, !s.Config.Offline)
	if err != nil {
		return err
	}
	locked, err := drift.LockSources(ctx, c)
	if locked == nil {
		return err
	}
	if asJSON {
		return errors.Join(err, ui.WriteJSON(s.Streams.Out, "drift:lock", locked))
	}
	for _, one := range locked.Written {
		s.Say("%s: locked %s", one.Source, one.Identity)
	}
	s.Say("%s: %d sources", drift.LockFile, locked.Sources)
	return err
}

// DriftUpstream tells for each git source how far its pin is behind and what becomes of our patches there.
// It only reports: a host that cannot be reached is said, not failed on.
func DriftUpstream(ctx context.Context, s *session.Session, asJSON bool) error {
	if s.Config.Offline {
		return fmt.Errorf("upstream cannot be asked with -offline")
	}
	c, err := openCheckout(s, nil, true)
	if err != nil {
		return err
	}
	from, err := remote(s)
	if err != nil {
		return err
	}
	all, err := drift.AskUpstream(ctx, c, from)
	if err != nil {
		return err
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "drift:upstream", all)
	}
	return printUpstream(s.Streams.Out, all)
}

func printUpstream(out io.Writer, all []drift.Upstream) error {
	rows := [][]string{{"SOURCE", "PIN", "UPSTREAM", "BEHIND", "AHEAD", "PATCHES THERE"}}
	for _, u := range all {
		var states []string
		for _, p := range u.Patches {
			states = append(states, p.Series+": "+p.Summary)
		}
		rows = append(rows, []string{
			u.Source, short(u.Pin) + " " + u.PinDate, short(u.Head) + " " + u.HeadDate, count(u.Behind), count(u.Ahead), ui.Dash(strings.Join(states, "; ")),
		})
	}
	if err := ui.Table(out, rows); err != nil {
		return err
	}
	for _, u := range all {
		if u.Problem != "" {
			fmt.Fprintf(out, "%s (%s): %s\n", u.Source, u.URL, u.Problem)
		}
	}
	return nil
}

func short(commit string) string { return commit[:min(9, len(commit))] }

func count(n int) string {
	if n < 0 {
		return "?"
	}
	return fmt.Sprint(n)
}

// Package ui shows a build to people: a live block on a terminal, plain lines elsewhere, and
// errors with everything needed to go on.
//
// It owns the wording and layout of output. It must not decide anything about a
// build; it is told through graph.Observer.
package ui

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/pannous/redox-clif/internal/graph"
)

// Observer is a graph.Observer with an end.
type Observer interface {
	graph.Observer
	// Close writes what is still to be written and leaves the terminal clean.
	Close()
}

// New returns the observer that fits w: live on a terminal that can move its cursor (not dumb), else plain lines.
//
// colours says whether what the steps say keeps its colours, grouped that it is folded as GitHub shows it.
func New(w *os.File, verbose, dumb, colours, grouped bool) Observer {
	if !verbose && !dumb && !grouped && term.IsTerminal(int(w.Fd())) {
		return newLive(w)
	}
	p := NewPlain(w, verbose, time.Now)
	p.colours, p.grouped = colours, grouped
	ticker := time.NewTicker(heartbeat)
	stop := p.beat(ticker.C)
	p.stop = func() { ticker.Stop(); stop() }
	return p
}

// ended words an outcome. A step that was skipped after some time was stopped.
func ended(o graph.Outcome, d time.Duration) string {
	if o == graph.Skipped && d > 0 {
		return "stopped after " + Seconds(d)
	}
	return o.String()
}

func about(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return fmt.Sprintf(" (about %s)", Seconds(d))
}

// pace compares a running step with the last time it ran, of which estimate is the duration; "" if that is not known.
// A step that takes longer than then has no time left that anybody knows.
func pace(elapsed, estimate time.Duration) string {
	switch {
	case estimate == 0:
		return ""
	case elapsed < estimate:
		return ", about " + Seconds(max(estimate-elapsed, time.Second)) + " left"
	}
	return ", longer than last time (" + Seconds(estimate) + ")"
}

// Seconds writes a duration for people: 0.3s, 42s, 3m07s, 5h02m, 3 days.
func Seconds(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

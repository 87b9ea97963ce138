// Package ui shows a build to people: a live block on a terminal, plain lines elsewhere, and
// errors with everything needed to go on.
//
// It owns the wording and layout of output. It must not decide anything about a
// build; it is told through graph.Observer.
package ui

import (
	"fmt"
	"io"
	"os"
	"sync"
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
func New(w *os.File, verbose, dumb bool) Observer {
	if !verbose && !dumb && term.IsTerminal(int(w.Fd())) {
		return newLive(w)
	}
	return NewPlain(w, verbose)
}

// Plain writes one line per event.
type Plain struct {
	mu      sync.Mutex
	w       io.Writer
	verbose bool
	total   int
	done    map[*graph.Node]bool
}

var _ Observer = (*Plain)(nil)

// NewPlain returns an observer for pipes, files and CI.
func NewPlain(w io.Writer, verbose bool) *Plain {
	return &Plain{w: w, verbose: verbose, done: map[*graph.Node]bool{}}
}

// Begin implements graph.Observer.
func (p *Plain) Begin(nodes []*graph.Node) { p.total = len(nodes) }

// Started implements graph.Observer.
func (p *Plain) Started(n *graph.Node, reason string, estimate time.Duration) {
	p.line("%s %s: %s%s", p.count(), n.ID, reason, about(estimate))
}

// Status implements graph.Observer.
func (p *Plain) Status(n *graph.Node, line string) {
	if p.verbose {
		p.line("  %s| %s", n.ID, line)
	}
}

// Finished implements graph.Observer.
func (p *Plain) Finished(n *graph.Node, o graph.Outcome, d time.Duration, err error) {
	if o != graph.Skipped {
		p.mu.Lock()
		p.done[n] = true // a step that was lost and made again counts once
		p.mu.Unlock()
	}
	switch {
	case o == graph.Ran:
		p.line("%s %s: done in %s", p.count(), n.ID, Seconds(d))
	case o == graph.Failed:
		p.line("%s %s: FAILED after %s", p.count(), n.ID, Seconds(d))
	case p.verbose, o == graph.Skipped && d > 0:
		p.line("%s %s: %s", p.count(), n.ID, ended(o, d))
	}
}

// Notice implements graph.Observer.
func (p *Plain) Notice(line string) { p.line("%s", line) }

// Close implements Observer.
func (p *Plain) Close() {}

func (p *Plain) count() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	width := len(fmt.Sprint(p.total))
	return fmt.Sprintf("[%*d/%d]", width, len(p.done), p.total)
}

func (p *Plain) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, format+"\n", args...)
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

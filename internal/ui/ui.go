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

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"github.com/pannous/redox-clif/internal/graph"
)

// Observer is a graph.Observer with an end.
type Observer interface {
	graph.Observer
	// Close writes what is still to be written and leaves the terminal clean.
	Close()
}

// New returns the observer that fits w: live on a terminal, else plain lines.
func New(w *os.File, verbose bool) Observer {
	if !verbose && term.IsTerminal(int(w.Fd())) {
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
	done    int
}

var _ Observer = (*Plain)(nil)

// NewPlain returns an observer for pipes, files and CI.
func NewPlain(w io.Writer, verbose bool) *Plain { return &Plain{w: w, verbose: verbose} }

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
	p.mu.Lock()
	p.done++
	p.mu.Unlock()
	switch {
	case o == graph.Ran:
		p.line("%s %s: done in %s", p.count(), n.ID, Seconds(d))
	case o == graph.Failed:
		p.line("%s %s: FAILED after %s", p.count(), n.ID, Seconds(d))
	case p.verbose:
		p.line("%s %s: %s", p.count(), n.ID, o)
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
	return fmt.Sprintf("[%*d/%d]", width, p.done, p.total)
}

func (p *Plain) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, format+"\n", args...)
}

func about(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return fmt.Sprintf(" (about %s)", Seconds(d))
}

// Seconds writes a duration for people: 0.3s, 42s, 3m07s.
func Seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	}
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

// live keeps a block at the bottom of the terminal with a line for each running step.
type live struct {
	progress *mpb.Progress
	mu       sync.Mutex
	bars     map[*graph.Node]*liveBar
	total    int
	done     int
	summary  *mpb.Bar
}

type liveBar struct {
	bar    *mpb.Bar
	start  time.Time
	status string
}

func newLive(w io.Writer) *live {
	return &live{progress: mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithRefreshRate(150*time.Millisecond)), bars: map[*graph.Node]*liveBar{}}
}

func (l *live) Begin(nodes []*graph.Node) {
	l.total = len(nodes)
	start := time.Now()
	l.summary = l.progress.AddBar(int64(len(nodes)),
		mpb.BarPriority(1<<20), mpb.BarRemoveOnComplete(),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string {
			l.mu.Lock()
			defer l.mu.Unlock()
			return fmt.Sprintf(" %d of %d steps, %d running, %s", l.done, l.total, len(l.bars), Seconds(time.Since(start)))
		})))
}

func (l *live) Started(n *graph.Node, reason string, estimate time.Duration) {
	b := &liveBar{start: time.Now(), status: reason}
	text := decor.Any(func(decor.Statistics) string {
		l.mu.Lock()
		defer l.mu.Unlock()
		return fmt.Sprintf("%s  %s%s  %s", n.ID, Seconds(time.Since(b.start)), about(estimate), clip(b.status, 60))
	})
	b.bar = l.progress.New(1, mpb.NopStyle(), mpb.BarRemoveOnComplete(), mpb.PrependDecorators(text))
	l.mu.Lock()
	l.bars[n] = b
	l.mu.Unlock()
}

func (l *live) Status(n *graph.Node, line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.bars[n]; b != nil {
		b.status = line
	}
}

func (l *live) Finished(n *graph.Node, o graph.Outcome, d time.Duration, err error) {
	l.mu.Lock()
	b := l.bars[n]
	delete(l.bars, n)
	l.done++
	l.mu.Unlock()
	l.summary.Increment()
	if b != nil {
		b.bar.Abort(true)
	}
	switch o {
	case graph.Ran:
		l.Notice(fmt.Sprintf("%s: done in %s", n.ID, Seconds(d)))
	case graph.Failed:
		l.Notice(fmt.Sprintf("%s: FAILED after %s", n.ID, Seconds(d)))
	}
}

func (l *live) Notice(line string) { fmt.Fprintln(l.progress, line) }

func (l *live) Close() {
	l.mu.Lock()
	for _, b := range l.bars {
		b.bar.Abort(true)
	}
	l.mu.Unlock()
	if l.summary != nil {
		l.summary.Abort(true)
	}
	l.progress.Wait()
}

func clip(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	return string(r[:width-1]) + "…"
}

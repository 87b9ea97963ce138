package ui

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/terminal"
)

const (
	refresh = 150 * time.Millisecond
	// statusWidth is the room for a step's own words behind its name and time.
	statusWidth = 60
)

// live keeps a block at the bottom of the terminal with a line for each running step. The block appears with
// the first step that runs: a build with nothing to do never touches the terminal.
//
// Decorators run on mpb's goroutines and take mu, so mpb must never be called with mu held.
type live struct {
	w        io.Writer
	mu       sync.Mutex
	progress *mpb.Progress // nil before the first step runs
	summary  *mpb.Bar
	steps    map[*graph.Node]*liveStep
	total    int
	done     map[*graph.Node]bool
	start    time.Time
	closed   bool
}

type liveStep struct {
	bar      *mpb.Bar
	start    time.Time
	estimate time.Duration
	status   string
}

var _ Observer = (*live)(nil)

func newLive(w io.Writer) *live {
	return &live{w: w, steps: map[*graph.Node]*liveStep{}, done: map[*graph.Node]bool{}}
}

// Begin implements graph.Observer.
func (l *live) Begin(nodes []*graph.Node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total, l.start = len(nodes), time.Now()
}

// block returns the progress block and makes it when it is not there yet.
func (l *live) block() *mpb.Progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.progress == nil {
		l.progress = mpb.New(mpb.WithOutput(l.w), mpb.WithAutoRefresh(), mpb.WithRefreshRate(refresh))
		l.summary = l.progress.New(0, mpb.NopStyle(), mpb.BarPriority(1<<20),
			mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return l.summaryLine() })))
	}
	return l.progress
}

func (l *live) summaryLine() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := fmt.Sprintf("%d of %d steps done, %d running, %s", len(l.done), l.total, len(l.steps), Seconds(time.Since(l.start)))
	var left time.Duration
	for _, s := range l.steps {
		left = max(left, s.estimate-time.Since(s.start))
	}
	if left >= time.Second {
		line += fmt.Sprintf(", at least %s more", Seconds(left))
	}
	return line
}

// Started implements graph.Observer.
func (l *live) Started(n *graph.Node, reason string, estimate time.Duration) {
	s := &liveStep{start: time.Now(), estimate: estimate, status: terminal.Bare(reason)}
	bar := l.block().New(1, mpb.NopStyle(), mpb.BarRemoveOnComplete(), mpb.PrependDecorators(decor.Any(func(decor.Statistics) string {
		l.mu.Lock()
		defer l.mu.Unlock()
		elapsed := time.Since(s.start)
		return fmt.Sprintf("  %s  %s%s  %s", n.ID, Seconds(elapsed), pace(elapsed, s.estimate), clip(s.status, statusWidth))
	})))
	l.mu.Lock()
	defer l.mu.Unlock()
	s.bar = bar
	l.steps[n] = s
}

// Status implements graph.Observer.
func (l *live) Status(n *graph.Node, line string) {
	line = strings.TrimSpace(terminal.Bare(line))
	if line == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.steps[n]; s != nil {
		s.status = withoutFolder(line)
	}
}

// Waited implements graph.Observer.
func (l *live) Waited(n *graph.Node, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.steps[n]; s != nil {
		s.start, s.status = s.start.Add(d), ""
	}
}

// Finished implements graph.Observer.
func (l *live) Finished(n *graph.Node, o graph.Outcome, d time.Duration, err error) {
	l.mu.Lock()
	s := l.steps[n]
	delete(l.steps, n)
	if o != graph.Skipped {
		l.done[n] = true
	}
	l.mu.Unlock()
	if s != nil {
		s.bar.Abort(true)
	}
	switch {
	case o == graph.Ran && d >= moment:
		l.Notice(fmt.Sprintf("%s: done in %s", n.ID, Seconds(d)))
	case o == graph.Failed:
		l.Notice(fmt.Sprintf("%s: FAILED after %s", n.ID, Seconds(d)))
	case o == graph.Skipped && d > 0:
		l.Notice(n.ID + ": " + ended(o, d))
	}
}

// Notice implements graph.Observer.
func (l *live) Notice(line string) {
	l.mu.Lock()
	var to io.Writer = l.w
	if l.progress != nil && !l.closed {
		to = l.progress
	}
	l.mu.Unlock()
	fmt.Fprintln(to, terminal.Clean(line))
}

// Close implements Observer.
func (l *live) Close() {
	l.mu.Lock()
	progress, summary := l.progress, l.summary
	var left []*liveStep
	for _, s := range l.steps {
		left = append(left, s)
	}
	l.mu.Unlock()
	if progress == nil {
		return
	}
	for _, s := range left {
		s.bar.Abort(true)
	}
	summary.Abort(true)
	progress.Wait()
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
}

// withoutFolder takes the folder off what cargo says of a crate: "Compiling x v1.0 (/long/path)".
func withoutFolder(line string) string {
	short, folder, ok := strings.Cut(line, " (/")
	if ok && strings.HasSuffix(folder, ")") {
		return short
	}
	return line
}

func clip(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	return string(r[:width-1]) + "…"
}

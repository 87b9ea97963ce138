package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/terminal"
)

const (
	// moment is what a step may take without a line of its own: most of a build's steps do.
	moment = time.Second
	// heartbeat is how often a build that is not watched says what runs; CI ends jobs that are silent for minutes.
	heartbeat = 30 * time.Second
)

// Plain writes a line for each step that ran longer than a moment, and at each heartbeat one for what runs. When it is verbose
// it writes one for every event.
type Plain struct {
	mu      sync.Mutex
	w       io.Writer
	verbose bool
	colours bool // of what the steps say
	now     func() time.Time
	stop    func() // ends the heartbeat; nil without one
	total   int
	done    map[*graph.Node]bool
	running []plainStep // in the order they were started
}

type plainStep struct {
	node     *graph.Node
	reason   string
	start    time.Time
	estimate time.Duration
}

var _ Observer = (*Plain)(nil)

// NewPlain returns an observer for pipes, files and CI, which shows no colours. It has no heartbeat.
func NewPlain(w io.Writer, verbose bool, now func() time.Time) *Plain {
	return &Plain{w: w, verbose: verbose, now: now, done: map[*graph.Node]bool{}}
}

// beat says at every tick what runs, until the function that it returns is called.
func (p *Plain) beat(ticks <-chan time.Time) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ticks:
				p.sayRunning()
			case <-end:
				return
			}
		}
	}()
	return func() { close(end); <-ended }
}

func (p *Plain) sayRunning() {
	p.mu.Lock()
	defer p.mu.Unlock()
	var steps []string
	for _, s := range p.running {
		elapsed := p.now().Sub(s.start)
		steps = append(steps, s.node.ID+" "+Seconds(elapsed)+pace(elapsed, s.estimate))
	}
	if len(steps) > 0 {
		p.line("%s running: %s", p.count(), strings.Join(steps, "; "))
	}
}

// Begin implements graph.Observer.
func (p *Plain) Begin(nodes []*graph.Node) { p.total = len(nodes) }

// Started implements graph.Observer.
func (p *Plain) Started(n *graph.Node, reason string, estimate time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running = append(p.running, plainStep{n, reason, p.now(), estimate})
	if p.verbose {
		p.line("%s %s: %s%s", p.count(), n.ID, reason, about(estimate))
	}
}

// Status implements graph.Observer.
func (p *Plain) Status(n *graph.Node, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verbose {
		if !p.colours {
			line = terminal.WithoutColours(line)
		}
		p.line("%s", strings.TrimRight(fmt.Sprintf("  %s| %s", n.ID, line), " "))
	}
}

// Waited implements graph.Observer.
func (p *Plain) Waited(n *graph.Node, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.running {
		if p.running[i].node == n {
			p.running[i].start = p.running[i].start.Add(d)
		}
	}
}

// Finished implements graph.Observer.
func (p *Plain) Finished(n *graph.Node, o graph.Outcome, d time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o != graph.Skipped {
		p.done[n] = true // a step that was lost and made again counts once
	}
	reason := p.end(n)
	switch {
	case o == graph.Ran && p.verbose:
		p.line("%s %s: done in %s", p.count(), n.ID, Seconds(d))
	case o == graph.Ran && d >= moment:
		p.line("%s %s: done in %s (%s)", p.count(), n.ID, Seconds(d), reason)
	case o == graph.Ran:
	case o == graph.Failed:
		p.line("%s %s: FAILED after %s", p.count(), n.ID, Seconds(d))
	case p.verbose, o == graph.Skipped && d > 0:
		p.line("%s %s: %s", p.count(), n.ID, ended(o, d))
	}
}

// end takes a step from those that run and returns why it ran.
func (p *Plain) end(n *graph.Node) (reason string) {
	p.running = slices.DeleteFunc(p.running, func(s plainStep) bool {
		if s.node == n {
			reason = s.reason
		}
		return s.node == n
	})
	return reason
}

// Notice implements graph.Observer.
func (p *Plain) Notice(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line("%s", line)
}

// Close implements Observer.
func (p *Plain) Close() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
}

// count is how far the build is; mu is held.
func (p *Plain) count() string {
	width := len(fmt.Sprint(p.total))
	return fmt.Sprintf("[%*d/%d]", width, len(p.done), p.total)
}

// line writes a line; mu is held.
func (p *Plain) line(format string, args ...any) {
	fmt.Fprintln(p.w, terminal.Clean(fmt.Sprintf(format, args...)))
}

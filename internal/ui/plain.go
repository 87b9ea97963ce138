package ui

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pannous/redox-clif/internal/github"
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
	grouped bool // what the steps say is folded, as GitHub shows it, when they have ended
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
	said     []string // where it is to be grouped
}

// mostSaid bounds the lines of a step that are grouped; its log has all.
const mostSaid = 2000

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
	p.running = append(p.running, plainStep{node: n, reason: reason, start: p.now(), estimate: estimate})
	if p.verbose {
		p.line("%s %s: %s%s", p.count(), n.ID, reason, about(estimate))
	}
}

// Status implements graph.Observer.
func (p *Plain) Status(n *graph.Node, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.colours {
		line = terminal.WithoutColours(line)
	}
	if p.grouped {
		p.keep(n, terminal.Clean(line))
		return
	}
	if p.verbose {
		p.line("%s", strings.TrimRight(fmt.Sprintf("  %s| %s", n.ID, line), " "))
	}
}

// keep notes what a step says, the last lines of it.
func (p *Plain) keep(n *graph.Node, line string) {
	for i := range p.running {
		if s := &p.running[i]; s.node == n {
			if s.said = append(s.said, line); len(s.said) > 2*mostSaid {
				s.said = slices.Delete(s.said, 0, mostSaid)
			}
		}
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
	was := p.end(n)
	reason := was.reason
	if p.grouped && o != graph.Failed && len(was.said) > 0 && (p.verbose || d >= moment) {
		p.group(fmt.Sprintf("%s %s: %s in %s (%s)", p.count(), n.ID, doneOr(o), Seconds(d), reason), was.said)
		return
	}
	switch {
	case o == graph.Ran && p.verbose:
		p.line("%s %s: done in %s", p.count(), n.ID, Seconds(d))
	case o == graph.Ran && d >= moment:
		p.line("%s %s: done in %s (%s)", p.count(), n.ID, Seconds(d), reason)
	case o == graph.Ran:
	case o == graph.Failed:
		p.line("%s %s: FAILED after %s", p.count(), n.ID, Seconds(d))
		if len(was.said) > 0 {
			p.group("what "+n.ID+" said", was.said)
		}
	case p.verbose, o == graph.Skipped && d > 0:
		p.line("%s %s: %s", p.count(), n.ID, ended(o, d))
	}
}

// end takes a step from those that run and returns what is known of it.
func (p *Plain) end(n *graph.Node) (was plainStep) {
	p.running = slices.DeleteFunc(p.running, func(s plainStep) bool {
		if s.node == n {
			was = s
		}
		return s.node == n
	})
	return was
}

// doneOr words the outcome of a step that has said something.
func doneOr(o graph.Outcome) string {
	if o == graph.Ran {
		return "done"
	}
	return o.String()
}

// group folds what a step has said; mu is held.
func (p *Plain) group(title string, said []string) {
	_, _ = io.WriteString(p.w, github.Group(terminal.Clean(title), said[max(0, len(said)-mostSaid):])) // as line does
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

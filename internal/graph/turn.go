package graph

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// letEnd is how long a step has to have worked to be let end when another one fails: what is left of it is worth less than doing it
// again in the next build.
const letEnd = 10 * time.Second

// turn is the way of one node from ready to an outcome. What turns out to be lost meanwhile is made again within it.
type turn struct {
	b      *build
	n      *Node // nil while the outputs of a whole build are looked at
	ctx    context.Context
	cancel context.CancelFunc
	// Guarded by the build's mu: since when something runs (zero before), how long it has waited since then, and since
	// when it waits now (zero when it does not).
	since   time.Time
	idle    time.Duration
	waiting time.Time
}

// begin begins the turn of a node; after a failure its context has ended already. The function that it returns ends the turn.
func (b *build) begin(n *Node) (*turn, func()) {
	t := &turn{b: b, n: n}
	t.ctx, t.cancel = context.WithCancel(b.ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.halted {
		t.cancel()
	}
	b.turns[t] = true
	return t, func() {
		t.cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.turns, t)
	}
}

// halt begins nothing any more and stops what has not worked for long, because a node failed.
func (b *build) halt(failed *Node) {
	b.mu.Lock()
	already := b.halted
	b.halted = true
	var left []string
	for t := range b.turns {
		if t.worked(b.Now()) < letEnd {
			t.cancel()
		} else if t.n != nil {
			left = append(left, t.n.ID)
		}
	}
	b.mu.Unlock()
	if len(left) > 0 && !already {
		slices.Sort(left)
		b.Observer.Notice(fmt.Sprintf("%s failed; %s may end, so that the work is not lost (Ctrl-C stops it)", failed.ID, strings.Join(left, ", ")))
	}
}

// worked is how long the turn has worked; mu is held.
func (t *turn) worked(now time.Time) time.Duration {
	if t.since.IsZero() {
		return 0
	}
	d := now.Sub(t.since) - t.idle
	if !t.waiting.IsZero() {
		d -= now.Sub(t.waiting)
	}
	return d
}

func (t *turn) worksSince(start time.Time) {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if t.since.IsZero() {
		t.since = start
	}
}

// pause notes that the turn waits, until the function that it returns is told for how long it did.
func (t *turn) pause() func(time.Duration) {
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	t.waiting = t.b.Now()
	return func(d time.Duration) {
		t.b.mu.Lock()
		defer t.b.mu.Unlock()
		t.waiting = time.Time{}
		t.idle += d
	}
}

// stopped tells whether an error only says that the turn was stopped.
func (t *turn) stopped(err error) bool {
	return t.ctx.Err() != nil && (errors.Is(err, t.ctx.Err()) || errors.Is(err, context.Cause(t.ctx)))
}

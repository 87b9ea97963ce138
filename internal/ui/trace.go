package ui

import (
	"encoding/json"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/graph"
)

// Trace records what ran when, for chrome://tracing and its successors, and passes everything on.
type Trace struct {
	graph.Observer
	now   func() time.Time
	start time.Time
	mu    sync.Mutex
	open  map[*graph.Node]span
	spans []span
	lanes []bool
}

// span is a complete event of the Trace Event Format; times are in microseconds.
type span struct {
	Name string            `json:"name"`
	Cat  string            `json:"cat"`
	Ph   string            `json:"ph"`
	Ts   int64             `json:"ts"`
	Dur  int64             `json:"dur"`
	Pid  int               `json:"pid"`
	Tid  int               `json:"tid"`
	Args map[string]string `json:"args"`
}

// NewTrace wraps an observer.
func NewTrace(o graph.Observer, now func() time.Time) *Trace {
	return &Trace{Observer: o, now: now, start: now(), open: map[*graph.Node]span{}}
}

// Started implements graph.Observer.
func (t *Trace) Started(n *graph.Node, reason string, estimate time.Duration) {
	t.mu.Lock()
	lane := t.lane()
	t.open[n] = span{Name: n.ID, Cat: "step", Ph: "X", Ts: t.now().Sub(t.start).Microseconds(), Pid: 1, Tid: lane, Args: map[string]string{"reason": reason}}
	t.mu.Unlock()
	t.Observer.Started(n, reason, estimate)
}

// lane is the first free row of the picture.
func (t *Trace) lane() int {
	for i, used := range t.lanes {
		if !used {
			t.lanes[i] = true
			return i
		}
	}
	t.lanes = append(t.lanes, true)
	return len(t.lanes) - 1
}

// Finished implements graph.Observer.
func (t *Trace) Finished(n *graph.Node, o graph.Outcome, d time.Duration, err error) {
	t.mu.Lock()
	if s, ok := t.open[n]; ok {
		delete(t.open, n)
		t.lanes[s.Tid] = false
		s.Dur = d.Microseconds()
		// What it waited for a job lies before its work, in all but a few steps wholly.
		s.Ts = max(s.Ts, t.now().Sub(t.start).Microseconds()-s.Dur)
		s.Args["outcome"] = o.String()
		t.spans = append(t.spans, s)
	}
	if o == graph.Fetched {
		// It did not run: a mark without a length.
		t.spans = append(t.spans, span{Name: n.ID, Cat: "step", Ph: "X", Ts: t.now().Sub(t.start).Microseconds(), Pid: 1,
			Args: map[string]string{"outcome": o.String()}})
	}
	t.mu.Unlock()
	t.Observer.Finished(n, o, d, err)
}

// Spans is how many steps ran.
func (t *Trace) Spans() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.spans)
}

// WriteFile writes the trace as JSON.
func (t *Trace) WriteFile(path string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	text, err := json.MarshalIndent(map[string]any{"traceEvents": t.spans}, "", " ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, text, 0o644, renameio.WithTempDir(filepath.Dir(path)))
}

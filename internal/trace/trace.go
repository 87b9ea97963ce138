// Package trace records what a build did with each of its steps, and is the form of trace.json, which tells of the last build.
//
// It owns the file: events as chrome://tracing and its successors read them, and beside them the build as a whole. It must not know
// how a build runs (it is told, as every graph.Observer) nor how anything is shown.
//
// The events are those of the Trace Event Format, whose readers pass over properties of the file that they do not know.
package trace

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/graph"
)

// FileName is how the file is called, in out/<target>/.
const FileName = "trace.json"

// File is the content of trace.json.
type File struct {
	Events []Event `json:"traceEvents"`
	// Build is nil in a file that an older version wrote.
	Build *Build `json:"build,omitempty"`
}

// Event is a complete event of the Trace Event Format: a step that ran, or came from another machine. Times are in microseconds since the
// build began.
type Event struct {
	Name string `json:"name"` // the step
	Cat  string `json:"cat"`
	Ph   string `json:"ph"`
	Ts   int64  `json:"ts"`
	Dur  int64  `json:"dur"`
	Pid  int    `json:"pid"`
	// Tid is the worker: the first that was free.
	Tid  int               `json:"tid"`
	Args map[string]string `json:"args"` // outcome and reason
}

// Build is a build as a whole.
type Build struct {
	Schema  int       `json:"schema"`
	Started time.Time `json:"started"`
	// Micros is how long it took, in microseconds.
	Micros int64 `json:"us"`
	About
	// Failed says for people what failed; "" when nothing did.
	Failed string `json:"failed,omitempty"`
	// Steps are all steps, in an order in which they could run.
	Steps []Step `json:"steps"`
}

// About is what a build was of, and with what. The recorder is told it.
type About struct {
	Target    string   `json:"target"`
	Set       string   `json:"set,omitempty"`
	Toolchain string   `json:"toolchain"`
	Roots     []string `json:"roots"` // the steps that were wanted
	Jobs      int      `json:"jobs"`
}

// Step is what became of a step.
type Step struct {
	ID      string   `json:"id"`
	Needs   []string `json:"needs,omitempty"`
	Outcome string   `json:"outcome"` // the words of graph.Outcome; "" when the build ended before it had one
}

// Schema is raised when a field changes its meaning.
const Schema = 1

// Recorder is a graph.Observer that notes what it is told and passes it on.
type Recorder struct {
	graph.Observer
	now   func() time.Time
	start time.Time

	mu       sync.Mutex
	open     map[*graph.Node]Event
	events   []Event
	workers  []bool // which are at work
	order    []*graph.Node
	outcomes map[*graph.Node]graph.Outcome
}

// New wraps an observer.
func New(o graph.Observer, now func() time.Time) *Recorder {
	return &Recorder{Observer: o, now: now, start: now(), open: map[*graph.Node]Event{}, outcomes: map[*graph.Node]graph.Outcome{}}
}

// Begin implements graph.Observer.
func (r *Recorder) Begin(nodes []*graph.Node) {
	r.mu.Lock()
	r.order = slices.Clone(nodes)
	r.mu.Unlock()
	r.Observer.Begin(nodes)
}

// Started implements graph.Observer.
func (r *Recorder) Started(n *graph.Node, reason string, estimate time.Duration) {
	r.mu.Lock()
	r.open[n] = Event{Name: n.ID, Cat: "step", Ph: "X", Ts: r.now().Sub(r.start).Microseconds(), Pid: 1, Tid: r.worker(), Args: map[string]string{"reason": reason}}
	r.mu.Unlock()
	r.Observer.Started(n, reason, estimate)
}

// worker is the first that is free; it is at work from now on.
func (r *Recorder) worker() int {
	for i, used := range r.workers {
		if !used {
			r.workers[i] = true
			return i
		}
	}
	r.workers = append(r.workers, true)
	return len(r.workers) - 1
}

// Finished implements graph.Observer.
func (r *Recorder) Finished(n *graph.Node, o graph.Outcome, d time.Duration, err error) {
	r.mu.Lock()
	r.outcomes[n] = o
	if e, ok := r.open[n]; ok {
		delete(r.open, n)
		r.workers[e.Tid] = false
		e.Dur = d.Microseconds()
		// What it waited for a job lies before its work, in all but a few steps wholly.
		e.Ts = max(e.Ts, r.now().Sub(r.start).Microseconds()-e.Dur)
		e.Args["outcome"] = o.String()
		r.events = append(r.events, e)
	}
	if o == graph.Fetched {
		// It did not run: a mark without a length.
		r.events = append(r.events, Event{Name: n.ID, Cat: "step", Ph: "X", Ts: r.now().Sub(r.start).Microseconds(), Pid: 1,
			Args: map[string]string{"outcome": o.String()}})
	}
	r.mu.Unlock()
	r.Observer.Finished(n, o, d, err)
}

// Save writes the file for a build that has ended now. One in which nothing ran leaves the file of a build of the same as it is: that
// says how what there is came to be.
func (r *Recorder) Save(path string, about About, failed string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) == 0 && failed == "" {
		if last, err := Read(path); err == nil && last.Build != nil && slices.Equal(last.Build.Roots, about.Roots) {
			return nil
		}
	}
	file := File{Events: append([]Event{}, r.events...), Build: r.build(about, failed)}
	text, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, text, 0o644, renameio.WithTempDir(filepath.Dir(path)))
}

// build is the build as a whole; mu is held.
func (r *Recorder) build(about About, failed string) *Build {
	b := &Build{Schema: Schema, Started: r.start.UTC(), Micros: r.now().Sub(r.start).Microseconds(), About: about, Failed: failed}
	for _, n := range r.order {
		s := Step{ID: n.ID}
		if o, ended := r.outcomes[n]; ended {
			s.Outcome = o.String()
		}
		for _, d := range n.Deps {
			s.Needs = append(s.Needs, d.ID)
		}
		b.Steps = append(b.Steps, s)
	}
	return b
}

// Read reads a file that Save wrote.
func Read(path string) (*File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &File{}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if f.Build != nil && f.Build.Schema != Schema {
		return nil, fmt.Errorf("%s is of another version of redox-clif (schema %d, want %d): build once more", path, f.Build.Schema, Schema)
	}
	return f, nil
}

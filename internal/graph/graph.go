// Package graph runs a graph of actions: which are up to date, which have to run, in what
// order, how many at a time.
//
// It owns scheduling, early cut-off, the repair of lost outputs and the reasons for
// what it does. It must not know what an action does (package builder makes the nodes) nor
// how anything is shown (an Observer is told).
//
// A node's action is known when the outputs of what it depends on are known, not
// when their actions are: an action whose output came out the same does not dirty what
// depends on it.
package graph

import (
	"context"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

// Node is one step of a build. Nodes are compared by address.
type Node struct {
	// ID is unique in the graph and stable from run to run: "base/programs".
	ID string
	// Deps are the nodes whose outputs go into this one.
	Deps []*Node
	// Plan says what the action is, given the outputs of Deps. It must be quick and
	// must not run tools: it is called on every build and by every dry run.
	Plan func(ctx context.Context, in Outputs) (*action.Action, error)
	// Run performs the action and returns the root of its output tree.
	Run func(ctx context.Context, job *Job) (cas.Digest, error)
	// Resolve, in place of Plan and Run, gives the output of a node that is no action: a
	// folder of the user's that is read as it is, or trees put together without
	// looking into their files. It is called on every build and must be quick.
	Resolve func(ctx context.Context, in Outputs) (cas.Digest, error)
	// Memory is what the step is expected to need at its peak, in bytes.
	Memory int64
	// Light says that the step waits for disks and servers rather than for a processor, or is over in a moment. It runs beside the
	// steps that Jobs and Memory bound: what finds a mistake in a recipe, a lock file or a patch does not wait until a library is
	// compiled.
	Light bool
	// Local says that the result is of use on this machine alone, so that no other is asked for it or offered it.
	Local bool
	// Elsewhere says that another machine may run the step. It takes none of the Jobs and of the Memory of this one then, until its Run
	// gives a [HereError].
	Elsewhere bool
	// Typical is how long a step of its kind takes; it counts until it is known how long this one does.
	Typical time.Duration
}

// Nodes are the nodes of a graph that is being made, by ID.
type Nodes map[string]*Node

// Once makes a node the first time it is asked for. What makes it may ask for others, not for the node itself.
func (all Nodes) Once(id string, make func(*Node) error) (*Node, error) {
	if n := all[id]; n != nil {
		return n, nil
	}
	n := &Node{ID: id}
	if err := make(n); err != nil {
		return nil, err
	}
	all[id] = n
	return n, nil
}

// Unique keeps the first of each node.
func Unique(nodes []*Node) []*Node {
	seen := map[*Node]bool{}
	var out []*Node
	for _, n := range nodes {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// Outputs are the output trees of nodes that are done.
type Outputs map[*Node]cas.Digest

// Job is what a running node is given.
type Job struct {
	// Node is the ID of the node.
	Node   string
	Action *action.Action
	Inputs Outputs
	// Log takes everything worth keeping about the run.
	Log io.Writer
	// LogPath is the file behind Log.
	LogPath string
	// Status reports what the step is doing just now, one short line.
	Status func(string)
	// Notice says something about the output that whoever uses it should know. It is kept with the result and said in
	// every build that the step is part of. It is called by the goroutine that Run runs in.
	Notice func(string)
	// Here says that the step has to run on this machine.
	Here bool
	// Remote says that files of the output are on another machine and not here. It is called by the goroutine that Run runs in.
	Remote func()
	// Waits says that the step waits for something that is not its own work ("a free job"), until the function that it returns is
	// called. That time is not the step's. It is called by the goroutine that Run runs in.
	Waits func(what string) (until func())
}

// Outcome tells how a node came to its output.
type Outcome int

const (
	// UpToDate means the result was in the action cache.
	UpToDate Outcome = iota
	// Ran means the action was performed.
	Ran
	// Failed means it was performed and failed.
	Failed
	// Skipped means something it depends on failed, or the build was stopped before it ended.
	Skipped
	// Fetched means that another machine had the result.
	Fetched
)

func (o Outcome) String() string {
	return [...]string{"up to date", "ran", "failed", "skipped", "from the remote cache"}[o]
}

// Observer is told what happens. Its methods may be called from several goroutines at once.
type Observer interface {
	// Begin names the nodes of the graph in an order in which they could run. A node whose output is
	// found lost may be started and finished again after it has been finished.
	Begin(nodes []*Node)
	// Started says that a node runs now, why, and how long it took the last time (0 if unknown).
	Started(n *Node, reason string, estimate time.Duration)
	// Status passes on a line from the running node.
	Status(n *Node, line string)
	// Waited says that a running node waited for so long for something that is not its work, and goes on.
	Waited(n *Node, d time.Duration)
	// Finished says how a node ended. d is its own time, without what it waited, and 0 unless it ran.
	Finished(n *Node, o Outcome, d time.Duration, err error)
	// Notice is a line about the build as a whole.
	Notice(line string)
}

// Failure is the error of one node.
type Failure struct {
	Node string
	Log  string // path of the log, "" when there is none
	Err  error
}

func (f *Failure) Error() string { return fmt.Sprintf("%s: %v", f.Node, f.Err) }

func (f *Failure) Unwrap() error { return f.Err }

// HereError is the error of a Run that another machine was to do and did not: the step is run again on this one.
type HereError struct{ Why string }

func (e *HereError) Error() string { return e.Why }

// Order returns every node reachable from roots, each after what it depends on, in an
// order that depends on the IDs alone. Two nodes with one ID or a cycle are errors.
func Order(roots []*Node) ([]*Node, error) {
	var order, chain []*Node
	state := map[*Node]int{} // 1 on the chain, 2 done
	byID := map[string]*Node{}
	var visit func(*Node) error
	visit = func(n *Node) error {
		switch state[n] {
		case 1:
			return cycleError(chain, n)
		case 2:
			return nil
		}
		if other := byID[n.ID]; other != nil && other != n {
			return fmt.Errorf("two steps are named %s", n.ID)
		}
		byID[n.ID] = n
		state[n] = 1
		chain = append(chain, n)
		deps := append([]*Node(nil), n.Deps...)
		sort.SliceStable(deps, func(i, j int) bool { return deps[i].ID < deps[j].ID })
		for _, d := range deps {
			if err := visit(d); err != nil {
				return err
			}
		}
		chain = chain[:len(chain)-1]
		state[n] = 2
		order = append(order, n)
		return nil
	}
	for _, n := range roots {
		if err := visit(n); err != nil {
			return nil, err
		}
	}
	return order, nil
}

func cycleError(chain []*Node, n *Node) error {
	var ids []string
	for i := range chain {
		if chain[i] == n || len(ids) > 0 {
			ids = append(ids, chain[i].ID)
		}
	}
	return fmt.Errorf("steps wait for each other: %s", strings.Join(append(ids, n.ID), " needs "))
}

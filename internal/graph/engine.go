package graph

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/semaphore"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

// Engine runs graphs. All fields are set by the caller and not changed during a build.
type Engine struct {
	Store   *cas.Store
	Cache   *action.Cache
	History *History
	// LogDir receives one log per node that runs.
	LogDir string
	// LockDir holds one lock per action, so that two builds that share the cache do not
	// do the same work twice.
	LockDir string
	// Jobs bounds how many nodes run at once; at least 1.
	Jobs int
	// Memory bounds the sum of the running nodes' expected peaks, in bytes; 0 means no bound.
	Memory int64
	// KeepGoing builds whatever does not depend on a failure and reports all failures.
	KeepGoing bool
	// Observer is told what happens.
	Observer Observer
	// Now is the clock.
	Now func() time.Time
}

// Summary is the result of a build.
type Summary struct {
	Outputs  Outputs
	Outcomes map[*Node]Outcome
}

// Count is how many nodes ended in an outcome.
func (s *Summary) Count(o Outcome) int {
	n := 0
	for _, got := range s.Outcomes {
		if got == o {
			n++
		}
	}
	return n
}

// build is the state of one Build call.
type build struct {
	*Engine
	ctx    context.Context
	memory *semaphore.Weighted
	mu     sync.Mutex // guards what follows
	sum    *Summary
	repair map[*Node]*sync.Mutex
}

// Build brings the outputs of roots up to date. The error lists every failure
// (go-multierror); without KeepGoing the first failure stops what runs and what waits.
func (e *Engine) Build(ctx context.Context, roots []*Node) (*Summary, error) {
	order, err := Order(roots)
	if err != nil {
		return nil, err
	}
	e.Observer.Begin(order)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &build{Engine: e, ctx: ctx, sum: &Summary{Outputs{}, map[*Node]Outcome{}}, repair: map[*Node]*sync.Mutex{}}
	if e.Memory > 0 {
		b.memory = semaphore.NewWeighted(e.Memory)
	}
	for _, n := range order {
		b.repair[n] = &sync.Mutex{}
	}
	err = b.schedule(order, cancel)
	if err == nil {
		// Cut short before anything failed: everything left was skipped.
		err = context.Cause(ctx)
	}
	if err == nil {
		err = b.checkRoots(roots)
	}
	return b.sum, err
}

// schedule starts nodes as they become ready, the longest way to the end first.
func (b *build) schedule(order []*Node, cancel context.CancelFunc) error {
	waiting, dependents := map[*Node]int{}, map[*Node][]*Node{}
	ready := &queue{cost: b.costs(order)}
	for _, n := range order {
		waiting[n] = len(n.Deps)
		for _, d := range n.Deps {
			dependents[d] = append(dependents[d], n)
		}
		if len(n.Deps) == 0 {
			heap.Push(ready, n)
		}
	}
	type ended struct {
		n   *Node
		err error
	}
	done := make(chan ended)
	var failures *multierror.Error
	running := 0
	for running > 0 || ready.Len() > 0 {
		for ready.Len() > 0 && running < b.Jobs {
			n := heap.Pop(ready).(*Node)
			running++
			go func() { done <- ended{n, b.process(n)} }()
		}
		end := <-done
		running--
		if end.err != nil {
			// After the first failure the others end because they were told to.
			if !(errors.Is(end.err, context.Canceled) && failures != nil) {
				failures = multierror.Append(failures, end.err)
			}
			if !b.KeepGoing {
				cancel()
			}
		}
		for _, next := range dependents[end.n] {
			if waiting[next]--; waiting[next] == 0 {
				heap.Push(ready, next)
			}
		}
	}
	return failures.ErrorOrNil()
}

// process takes one node from ready to an outcome.
func (b *build) process(n *Node) error {
	if b.ctx.Err() != nil || b.depFailed(n) {
		b.finish(n, Skipped, cas.Digest{}, 0, nil)
		return nil
	}
	out, outcome, took, err := b.bringUpToDate(n)
	if err != nil {
		b.finish(n, Failed, cas.Digest{}, took, err)
		return b.failure(n, err)
	}
	b.finish(n, outcome, out, took, nil)
	return nil
}

func (b *build) failure(n *Node, err error) error {
	f := &Failure{Node: n.ID, Err: err}
	if path := b.logPath(n); n.Run != nil {
		if _, statErr := os.Stat(path); statErr == nil {
			f.Log = path
		}
	}
	return f
}

func (b *build) depFailed(n *Node) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range n.Deps {
		if o := b.sum.Outcomes[d]; o == Failed || o == Skipped {
			return true
		}
	}
	return false
}

func (b *build) finish(n *Node, o Outcome, out cas.Digest, took time.Duration, err error) {
	b.mu.Lock()
	b.sum.Outcomes[n] = o
	if err == nil && o != Skipped {
		b.sum.Outputs[n] = out
	}
	b.mu.Unlock()
	b.Observer.Finished(n, o, took, err)
}

func (b *build) inputs(n *Node) Outputs {
	b.mu.Lock()
	defer b.mu.Unlock()
	in := Outputs{}
	for _, d := range n.Deps {
		in[d] = b.sum.Outputs[d]
	}
	return in
}

func (b *build) bringUpToDate(n *Node) (cas.Digest, Outcome, time.Duration, error) {
	in := b.inputs(n)
	if n.Resolve != nil {
		out, err := n.Resolve(b.ctx, in)
		return out, UpToDate, 0, err
	}
	act, err := n.Plan(b.ctx, in)
	if err != nil {
		return cas.Digest{}, Failed, 0, err
	}
	if r, ok, err := b.Cache.Get(act.Digest()); err != nil || ok {
		if ok {
			b.remember(n, act, r.Output, 0)
		}
		return r.Output, UpToDate, 0, err
	}
	return b.execute(n, act, in)
}

// execute performs an action under its lock and keeps the result.
func (b *build) execute(n *Node, act *action.Action, in Outputs) (cas.Digest, Outcome, time.Duration, error) {
	key := act.Digest()
	unlock, err := b.lock(n, key)
	if err != nil {
		return cas.Digest{}, Failed, 0, err
	}
	defer unlock()
	// Another build may have done it while this one waited.
	if r, ok, err := b.Cache.Get(key); err != nil || ok {
		return r.Output, UpToDate, 0, err
	}
	if err := b.ensureDeps(n); err != nil {
		return cas.Digest{}, Failed, 0, err
	}
	if b.memory != nil {
		need := min(n.Memory, b.Memory)
		if err := b.memory.Acquire(b.ctx, need); err != nil {
			return cas.Digest{}, Failed, 0, err
		}
		defer b.memory.Release(need)
	}
	last := b.History.Get(n.ID)
	var estimate time.Duration
	if last != nil {
		estimate = last.Duration
	}
	b.Observer.Started(n, reason(b.Store, last, act), estimate)
	start := b.Now()
	out, err := b.runLogged(n, act, in)
	took := b.Now().Sub(start)
	if err != nil {
		return cas.Digest{}, Failed, took, err
	}
	if err := b.Cache.Put(key, action.Result{Output: out, Node: n.ID, Start: start.UTC(), Duration: took}); err != nil {
		return cas.Digest{}, Failed, took, err
	}
	b.remember(n, act, out, took)
	return out, Ran, took, nil
}

func (b *build) runLogged(n *Node, act *action.Action, in Outputs) (cas.Digest, error) {
	if err := os.MkdirAll(b.LogDir, 0o755); err != nil {
		return cas.Digest{}, err
	}
	log, err := os.Create(b.logPath(n))
	if err != nil {
		return cas.Digest{}, err
	}
	defer log.Close()
	return n.Run(b.ctx, &Job{
		Action: act, Inputs: in, Log: log, LogPath: log.Name(),
		Status: func(line string) { b.Observer.Status(n, line) },
	})
}

// LogName is the file name of a node's log.
func LogName(id string) string { return strings.ReplaceAll(id, "/", ".") + ".log" }

func (b *build) logPath(n *Node) string { return filepath.Join(b.LogDir, LogName(n.ID)) }

// remember keeps what explains the next build. Failing to is no reason to fail a build.
func (b *build) remember(n *Node, act *action.Action, out cas.Digest, took time.Duration) {
	last := b.History.Get(n.ID)
	if took == 0 && last != nil {
		if last.Action.Digest() == act.Digest() && last.Output == out {
			return
		}
		took = last.Duration
	}
	if err := b.History.Put(n.ID, &Record{act, out, took, b.Now().UTC()}); err != nil {
		b.Observer.Notice(fmt.Sprintf("could not remember the build of %s: %v", n.ID, err))
	}
}

func (b *build) lock(n *Node, key cas.Digest) (func(), error) {
	if err := os.MkdirAll(b.LockDir, 0o755); err != nil {
		return nil, err
	}
	l := flock.New(filepath.Join(b.LockDir, key.Hash))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	if !ok {
		b.Observer.Notice(n.ID + " is being built by another run; waiting for it")
		if _, err := l.TryLockContext(b.ctx, 200*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return func() { _ = l.Unlock() }, nil
}

// ensureDeps makes sure that what n needs is really in the store: outputs of actions that
// were up to date are looked at only now that somebody wants their bytes.
func (b *build) ensureDeps(n *Node) error {
	for _, d := range n.Deps {
		if err := b.ensure(d); err != nil {
			return err
		}
	}
	return nil
}

// ensure performs a node's action again when its output has been lost or damaged.
func (b *build) ensure(n *Node) error {
	b.repair[n].Lock()
	defer b.repair[n].Unlock()
	b.mu.Lock()
	out := b.sum.Outputs[n]
	b.mu.Unlock()
	err := b.Store.Complete(out)
	var missing *cas.MissingError
	if !errors.As(err, &missing) {
		return err
	}
	if n.Resolve != nil {
		// What is lost belongs to something it is put together from.
		if err := b.ensureDeps(n); err != nil {
			return err
		}
		_, err := n.Resolve(b.ctx, b.inputs(n))
		return err
	}
	b.Observer.Notice(fmt.Sprintf("%s: %v; building it again", n.ID, missing))
	in := b.inputs(n)
	act, err := n.Plan(b.ctx, in)
	if err != nil {
		return err
	}
	if err := b.Cache.Forget(act.Digest()); err != nil {
		return err
	}
	again, outcome, took, err := b.execute(n, act, in)
	if err != nil {
		return b.failure(n, err)
	}
	if again != out {
		return fmt.Errorf("%s gave other bytes when it was built again (%s, was %s): run the build once more", n.ID, again.Short(), out.Short())
	}
	b.finish(n, outcome, again, took, nil)
	return nil
}

// checkRoots makes sure that what the caller will read is there.
func (b *build) checkRoots(roots []*Node) error {
	for _, n := range roots {
		if err := b.ensure(n); err != nil {
			return err
		}
	}
	return nil
}

// costs estimates for each node the time from its start to the end of the build.
func (b *build) costs(order []*Node) map[*Node]time.Duration {
	cost := map[*Node]time.Duration{}
	for i := len(order) - 1; i >= 0; i-- {
		n := order[i]
		if r := b.History.Get(n.ID); r != nil {
			cost[n] += r.Duration
		}
		for _, d := range n.Deps {
			cost[d] = max(cost[d], cost[n])
		}
	}
	return cost
}

// queue is the ready nodes, longest way to the end first, then by ID.
type queue struct {
	nodes []*Node
	cost  map[*Node]time.Duration
}

func (q *queue) Len() int { return len(q.nodes) }
func (q *queue) Less(i, j int) bool {
	a, b := q.nodes[i], q.nodes[j]
	if q.cost[a] != q.cost[b] {
		return q.cost[a] > q.cost[b]
	}
	return a.ID < b.ID
}
func (q *queue) Swap(i, j int) { q.nodes[i], q.nodes[j] = q.nodes[j], q.nodes[i] }
func (q *queue) Push(x any)    { q.nodes = append(q.nodes, x.(*Node)) }
func (q *queue) Pop() any {
	last := q.nodes[len(q.nodes)-1]
	q.nodes = q.nodes[:len(q.nodes)-1]
	return last
}

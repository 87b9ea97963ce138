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

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/semaphore"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/secretkey"
)

// Engine runs graphs. All fields are set by the caller and not changed during a build.
type Engine struct {
	Store   *cas.Store
	Cache   *action.Cache
	History *History
	// LogDir receives one log per node that runs.
	LogDir string
	// KeepLog, if set, is told the name of a log before it is written, to save what is there.
	KeepLog func(path string)
	// LockDir holds one lock per action that runs, so that two builds that share the cache do
	// not do the same work twice.
	LockDir string
	// Jobs bounds how many nodes run at once, the light ones not counted; at least 1.
	Jobs int
	// Elsewhere bounds how many steps other machines run at once; 0 has all run here.
	Elsewhere int
	// Memory bounds the sum of the running nodes' expected peaks, in bytes; 0 means no bound.
	Memory int64
	// Distrust reads every byte of the outputs of roots that were up to date: somebody has found damage in the store.
	Distrust bool
	// KeepGoing builds whatever does not depend on a failure and reports all failures.
	KeepGoing bool
	// Remote, when it is set, is asked for results that are not here and offered those that are made here.
	Remote Remote
	// Observer is told what happens.
	Observer Observer
	// Now is the clock.
	Now func() time.Time
}

// Remote is a cache of results on another machine. Whatever is wrong with it is no error of a build's.
type Remote interface {
	// Lookup asks for the result of an action. Files of its output may still be there only.
	Lookup(ctx context.Context, a *action.Action) (action.Result, bool)
	// Offer gives a result that was made here. It does not wait until the other machine has it.
	Offer(a *action.Action, r action.Result)
}

// Summary is the result of a build.
type Summary struct {
	Outputs  Outputs
	Outcomes map[*Node]Outcome
	// Took is how long the nodes ran that did.
	Took map[*Node]time.Duration
	// Keys are the digests of the actions whose results were found in the cache.
	Keys map[*Node]cas.Digest
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
	turns  map[*turn]bool // of the nodes that are between ready and an outcome
	halted bool           // a step failed and nothing else is to begin
	here   map[*Node]bool // that no other machine runs
}

// Build brings the outputs of roots up to date. The error lists every failure
// (go-multierror); without KeepGoing nothing begins after the first failure, and what has run for a short time is stopped.
func (e *Engine) Build(ctx context.Context, roots []*Node) (*Summary, error) {
	order, err := Order(roots)
	if err != nil {
		return nil, err
	}
	e.Observer.Begin(order)
	b := &build{
		Engine: e, ctx: ctx, sum: &Summary{Outputs{}, map[*Node]Outcome{}, map[*Node]time.Duration{}, map[*Node]cas.Digest{}},
		repair: map[*Node]*sync.Mutex{}, turns: map[*turn]bool{}, here: map[*Node]bool{},
	}
	if e.Memory > 0 {
		b.memory = semaphore.NewWeighted(e.Memory)
	}
	for _, n := range order {
		b.repair[n] = &sync.Mutex{}
	}
	err = b.schedule(order)
	if err == nil {
		// Cut short before anything failed: everything left was skipped.
		err = context.Cause(ctx)
	}
	if err == nil {
		err = b.checkRoots(roots)
	}
	return b.sum, err
}

// maxLight bounds how many light nodes run at once: they wait for disks and servers.
const maxLight = 8

// schedule starts nodes as they become ready, the longest way to the end first. Light nodes do not wait for a job: what is cheap
// and finds a mistake of the user's must not come after what takes minutes.
func (b *build) schedule(order []*Node) error {
	waiting, dependents := map[*Node]int{}, map[*Node][]*Node{}
	cost := b.costs(order)
	heavy, light := &lane{queue: queue{cost: cost}, jobs: b.Jobs}, &lane{queue: queue{cost: cost}, jobs: maxLight}
	elsewhere := &lane{queue: queue{cost: cost}, jobs: b.Elsewhere}
	laneOf := func(n *Node) *lane {
		switch {
		case b.elsewhere(n):
			return elsewhere
		case n.Light:
			return light
		}
		return heavy
	}
	for _, n := range order {
		waiting[n] = len(n.Deps)
		for _, d := range n.Deps {
			dependents[d] = append(dependents[d], n)
		}
		if len(n.Deps) == 0 {
			heap.Push(laneOf(n), n)
		}
	}
	type ended struct {
		n   *Node
		err error
	}
	done := make(chan ended)
	var failures *multierror.Error
	for {
		for _, l := range []*lane{light, elsewhere, heavy} {
			for n := l.next(); n != nil; n = l.next() {
				go func() { done <- ended{n, b.process(n)} }()
			}
		}
		if light.running+elsewhere.running+heavy.running == 0 {
			return failures.ErrorOrNil()
		}
		end := <-done
		laneOf(end.n).running--
		if errors.As(end.err, new(*HereError)) {
			b.keepHere(end.n)
			heap.Push(laneOf(end.n), end.n)
			continue
		}
		if end.err != nil {
			failures = multierror.Append(failures, end.err)
			if !b.KeepGoing {
				b.halt(end.n)
			}
		}
		for _, next := range dependents[end.n] {
			if waiting[next]--; waiting[next] == 0 {
				heap.Push(laneOf(next), next)
			}
		}
	}
}

// elsewhere tells whether another machine is to run a node.
func (b *build) elsewhere(n *Node) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Elsewhere > 0 && n.Elsewhere && !b.here[n]
}

// keepHere has a node run on this machine.
func (b *build) keepHere(n *Node) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.here[n] = true
}

// process takes one node from ready to an outcome. A HereError is none: the node is to be processed again.
func (b *build) process(n *Node) error {
	t, end := b.begin(n)
	defer end()
	if t.ctx.Err() != nil || b.depFailed(n) {
		b.finish(n, Skipped, cas.Digest{}, 0, nil)
		return nil
	}
	out, outcome, took, err := b.bringUpToDate(t, n)
	switch {
	case err != nil && t.stopped(err):
		// It did not fail: it was told to end, by the user or because another step failed.
		b.finish(n, Skipped, cas.Digest{}, took, nil)
		return nil
	case errors.As(err, new(*HereError)):
		b.Observer.Finished(n, Skipped, 0, nil) // for now
		return err
	case err != nil:
		err = failure(n, err)
		b.finish(n, Failed, cas.Digest{}, took, err)
		return err
	}
	b.finish(n, outcome, out, took, nil)
	return nil
}

// failure makes err the failure of n, unless it is one of a step that n needs already.
func failure(n *Node, err error) error {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Node: n.ID, Err: err}
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
	if o == Ran {
		b.sum.Took[n] = took
	}
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

func (b *build) bringUpToDate(t *turn, n *Node) (cas.Digest, Outcome, time.Duration, error) {
	if n.Resolve != nil {
		out, err := b.resolve(t, n)
		return out, UpToDate, 0, err
	}
	act, err := b.plan(t, n)
	if err != nil {
		return cas.Digest{}, Failed, 0, err
	}
	if r, ok, err := b.cached(n, act); err != nil || ok {
		return r.Output, UpToDate, 0, err
	}
	if r, ok, err := b.remote(t, n, act); err != nil || ok {
		return r.Output, Fetched, 0, err
	}
	return b.execute(t, n, act, false)
}

// keptHere tells whether a node is processed again: its result was looked for on another machine before, and is to be made here now.
func (b *build) keptHere(n *Node) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.here[n]
}

// remote takes the result of an action from another machine's cache and keeps it. A lost output is not looked for there: what
// was fetched once and is wrong would be fetched again (see remake).
func (b *build) remote(t *turn, n *Node, act *action.Action) (action.Result, bool, error) {
	if b.Remote == nil || n.Local || b.keptHere(n) {
		return action.Result{}, false, nil
	}
	r, ok := b.Remote.Lookup(t.ctx, act)
	if !ok {
		return r, false, context.Cause(t.ctx)
	}
	r.Node, r.Start = n.ID, b.Now().UTC()
	if err := b.Cache.Put(act.Digest(), r); err != nil {
		return r, false, err
	}
	b.remember(n, act, r.Output, r.Duration)
	b.notify(r)
	return r, true, nil
}

func (b *build) resolve(t *turn, n *Node) (out cas.Digest, err error) {
	err = b.repairing(t, n, func(in Outputs) error {
		out, err = n.Resolve(t.ctx, in)
		return err
	})
	return out, err
}

func (b *build) plan(t *turn, n *Node) (act *action.Action, err error) {
	err = b.repairing(t, n, func(in Outputs) error {
		act, err = n.Plan(t.ctx, in)
		return err
	})
	return act, err
}

// cached takes the result of an action from the cache.
func (b *build) cached(n *Node, act *action.Action) (action.Result, bool, error) {
	key := act.Digest()
	r, ok, err := b.Cache.Get(key)
	if err == nil && ok {
		b.mu.Lock()
		b.sum.Keys[n] = key
		b.mu.Unlock()
		b.remember(n, act, r.Output, 0)
		b.notify(r)
	}
	return r, ok, err
}

// notify says what is to be known of a result.
func (b *build) notify(r action.Result) {
	for _, line := range r.Notices {
		b.Observer.Notice(line)
	}
}

// execute performs an action under its lock and keeps the result. complete has it look first whether
// everything that goes in is there: what only passes digests on (a fitted workspace) does not miss the
// bytes behind them, and when its own output is to be made whole again, they are what is wanted.
func (b *build) execute(turn *turn, n *Node, act *action.Action, complete bool) (cas.Digest, Outcome, time.Duration, error) {
	key := act.Digest()
	path := filepath.Join(b.LockDir, key.Hash)
	lock, err := lockfile.Wait(turn.ctx, path, func() {
		b.Observer.Notice(fmt.Sprintf("%s is being built by %s; waiting for it", n.ID, lockfile.Holder(path)))
	})
	if err != nil {
		return cas.Digest{}, Failed, 0, fmt.Errorf("locking the step: %w", err)
	}
	defer lock.ReleaseAndRemove()
	// Another build may have done it while this one waited.
	if r, ok, err := b.cached(n, act); err != nil || ok {
		return r.Output, UpToDate, 0, err
	}
	t := &try{build: b, turn: turn, n: n, act: act, complete: complete}
	defer t.release()
	err = b.repairing(turn, n, t.run)
	if err != nil {
		return cas.Digest{}, Failed, t.took, err
	}
	r := action.Result{Output: t.out, Node: n.ID, Start: t.start.UTC(), Duration: t.took, Notices: t.notices, Remote: t.remote}
	if err := b.Cache.Put(key, r); err != nil {
		return cas.Digest{}, Failed, t.took, err
	}
	b.notify(r)
	b.remember(n, act, t.out, t.took)
	if b.Remote != nil && !n.Local {
		b.Remote.Offer(act, r)
	}
	return t.out, Ran, t.took, nil
}

// try is one execution of an action, which may take several runs when inputs turn out to be lost.
type try struct {
	*build
	turn  *turn
	n     *Node
	act   *action.Action
	out   cas.Digest
	start time.Time
	idle  time.Duration // since start, waiting for a job or for another build: not the step's own time
	took  time.Duration // its own
	taken int64         // of the memory bound
	// notices of the last run, and whether its output is on another machine.
	notices []string
	remote  bool
	// complete is set when the inputs are looked at before the run. The first run of a build goes without: looking
	// costs a system call for each file of every source, and a run that misses one says so.
	complete bool
}

// run leaves no memory taken when it fails: what turns out to be lost is built next, and needs some as well.
func (t *try) run(in Outputs) (err error) {
	defer func() {
		if err != nil {
			t.release()
		}
	}()
	if t.complete {
		if err := t.ensureDeps(t.turn, t.n, nil); err != nil {
			return err
		}
	}
	if !t.start.IsZero() {
		// Also what Plan itself stores may have been what was lost.
		if _, err := t.n.Plan(t.turn.ctx, in); err != nil {
			return err
		}
	}
	if t.memory != nil && !t.n.Light && !t.mayGo() {
		need := min(t.n.Memory, t.Memory)
		if err := t.memory.Acquire(t.turn.ctx, need); err != nil {
			return err
		}
		t.taken = need
	}
	t.announce()
	t.out, err = t.runLogged(in)
	t.took = t.Now().Sub(t.start) - t.idle
	return err
}

// mayGo tells whether another machine is to do this run. What turned out to be lost is made here: another machine would give the same again.
func (t *try) mayGo() bool { return !t.complete && t.elsewhere(t.n) }

// waits notes that the step waits until the function that it returns is called.
func (t *try) waits(what string) (until func()) {
	t.Observer.Status(t.n, "waiting for "+what)
	resume := t.turn.pause()
	since := t.Now()
	return func() {
		d := t.Now().Sub(since)
		t.idle += d
		resume(d)
		t.Observer.Waited(t.n, d)
	}
}

func (t *try) release() {
	if t.taken > 0 {
		t.memory.Release(t.taken)
		t.taken = 0
	}
}

// announce tells the observer of the first run.
func (t *try) announce() {
	if !t.start.IsZero() {
		return
	}
	last := t.History.Get(t.n.ID)
	var estimate time.Duration
	if last != nil {
		estimate = last.Duration
	}
	t.Observer.Started(t.n, reason(t.Store, last, t.act), estimate)
	t.start = t.Now()
	t.turn.worksSince(t.start)
}

func (t *try) runLogged(in Outputs) (cas.Digest, error) {
	if err := os.MkdirAll(t.LogDir, 0o755); err != nil {
		return cas.Digest{}, err
	}
	path := filepath.Join(t.LogDir, LogName(t.n.ID))
	if t.KeepLog != nil {
		t.KeepLog(path)
	}
	file, err := cachefile.Create(path, 0o644)
	if err != nil {
		return cas.Digest{}, err
	}
	log := secretkey.Redact(file) // logs are shown around, and kept by CI
	t.notices, t.remote = nil, false
	out, err := t.n.Run(t.turn.ctx, &Job{
		Node: t.n.ID, Action: t.act, Inputs: in, Log: log, LogPath: path,
		Status: func(line string) { t.Observer.Status(t.n, line) },
		Notice: func(line string) { t.notices = append(t.notices, line) },
		Waits:  t.waits, Here: !t.mayGo(), Remote: func() { t.remote = true },
	})
	if closeErr := log.Close(); err == nil {
		// A log that could not be written (full disk) may hide that more could not be.
		err = closeErr
	}
	if err != nil {
		return cas.Digest{}, &Failure{Node: t.n.ID, Log: path, Err: err}
	}
	return out, nil
}

// LogName is the file name of a node's log.
func LogName(id string) string { return fileName(id) + ".log" }

// ScriptName is the file name of the script beside a node's log that repeats its command.
func ScriptName(id string) string { return fileName(id) + ".sh" }

func fileName(id string) string { return strings.ReplaceAll(id, "/", ".") }

// remember keeps what explains the next build. Failing to is no reason to fail a build.
func (b *build) remember(n *Node, act *action.Action, out cas.Digest, took time.Duration) {
	last := b.History.Get(n.ID)
	if took == 0 && last != nil {
		if last.Action.Digest() == act.Digest() && last.Output == out {
			return
		}
		took = last.Duration
	}
	r := &Record{Action: act, Output: out, Duration: took, When: b.Now().UTC()}
	if last != nil {
		r.Previous = last.Previous
		if last.Action.Digest() != act.Digest() {
			r.Previous = last.Action
		}
	}
	if err := b.History.Put(n.ID, r); err != nil {
		b.Observer.Notice(fmt.Sprintf("could not remember the build of %s: %v", n.ID, err))
	}
}

package graph

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

// farAway is a remote cache: the results of another world, whose blobs are fetched from its store.
type farAway struct {
	mu      sync.Mutex
	results map[cas.Digest]action.Result
	from    *cas.Store
	to      *cas.Store
	asked   int
	lost    bool // it has no blob any more
}

func (f *farAway) Lookup(_ context.Context, a *action.Action) (action.Result, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	r, ok := f.results[a.Digest()]
	if !ok {
		return r, false
	}
	r.Remote = true
	// As the real one: the folders come with the result.
	err := f.from.EachBlob(r.Output, map[cas.Digest]bool{}, func(d cas.Digest, dir bool) {
		if dir {
			f.copy(d)
		}
	})
	return r, err == nil
}

func (f *farAway) Offer(a *action.Action, r action.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.results[a.Digest()] = r
}

func (f *farAway) Fetch(_ context.Context, digests []cas.Digest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range digests {
		if !f.lost {
			f.copy(d)
		}
	}
	return nil
}

func (f *farAway) copy(d cas.Digest) {
	if b, err := f.from.ReadAll(d); err == nil {
		_, _ = f.to.PutBytes(b)
	}
}

// twoWorlds are two machines: what the first has built is in the cache that the second asks.
func twoWorlds(t *testing.T) (*world, *world, *farAway) {
	first, second := newWorld(t), newWorld(t)
	cache := &farAway{results: map[cas.Digest]action.Result{}, from: first.Store, to: second.Store}
	first.Remote, second.Remote = cache, cache
	t.Cleanup(second.Store.Use(t.Context(), cache))
	return first, second, cache
}

// chain is a program that is linked from what was compiled.
func chain(w *world) *Node {
	compile := w.concat("compile", ptr("c"))
	return w.concat("link", ptr("l"), compile)
}

func TestAnotherMachineHasTheResults(t *testing.T) {
	first, second, cache := twoWorlds(t)
	first.build(chain(first))
	root := chain(second)
	sum, err := second.Build(t.Context(), []*Node{root})
	if err != nil {
		t.Fatal(err)
	}
	if ran := second.takeRan(); ran != "" || sum.Count(Fetched) != 2 || sum.Count(Ran) != 0 {
		t.Errorf("ran %q, fetched %d", ran, sum.Count(Fetched))
	}
	if got, err := second.text(sum.Outputs[root]); err != nil || got != "l(c())" {
		t.Errorf("got %q, %v", got, err)
	}
	// What lies between was not fetched: nothing reads it.
	if err := second.Store.Complete(sum.Outputs[root.Deps[0]]); err == nil {
		t.Error("the output of compile is here")
	}
	asked := cache.asked
	if second.build(chain(second)); cache.asked != asked {
		t.Errorf("a second build asked %d times more", cache.asked-asked)
	}
	verdicts, err := second.DryRun(t.Context(), []*Node{chain(second)})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		if v.State != "up to date" || v.Reason != "" {
			t.Errorf("%s: %s, %s", v.Node.ID, v.State, v.Reason)
		}
	}
}

// What another machine had once and has no more is made here, without asking it again.
func TestWhatTheRemoteCacheHasLostIsMadeHere(t *testing.T) {
	first, second, cache := twoWorlds(t)
	first.build(chain(first))
	second.build(chain(second))
	second.takeRan()
	cache.lost = true
	if err := second.Store.Remove(cas.DigestBytes([]byte("l(c())"))); err != nil {
		t.Fatal(err)
	}
	root := chain(second)
	other := second.concat("reads it", ptr("r"), root)
	sum, err := second.Build(t.Context(), []*Node{other})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := second.text(sum.Outputs[other]); err != nil || got != "r(l(c()))" {
		t.Errorf("got %q, %v", got, err)
	}
	if ran := second.takeRan(); ran != "compile link reads it reads it" && ran != "compile link link reads it reads it" {
		t.Errorf("ran %q", ran)
	}
	if r := strings.Join(second.log, "\n"); !strings.Contains(r, "compile ran") {
		t.Error(r)
	}
}

// Results that are of use here alone are neither asked for nor offered, and those of the remote cache are not offered back.
func TestLocalResultsStayHere(t *testing.T) {
	first, second, cache := twoWorlds(t)
	local := func(w *world) *Node {
		n := w.concat("host tool", ptr("h"))
		n.Local = true
		return n
	}
	first.build(local(first))
	if second.build(local(second)); cache.asked != 0 || len(cache.results) != 0 {
		t.Errorf("asked %d times, has %d results", cache.asked, len(cache.results))
	}
}

// A lookup that ends with the build is no failure of a step's.
func TestStoppedWhileItAsks(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.Remote = asks(func(ctx context.Context) { cancel(); <-ctx.Done() })
	_, err := w.Build(ctx, []*Node{chain(w)})
	if !errors.Is(err, context.Canceled) || slices.Contains(w.log, "compile failed") {
		t.Errorf("%v\n%s", err, strings.Join(w.log, "\n"))
	}
}

type asks func(ctx context.Context)

func (f asks) Lookup(ctx context.Context, _ *action.Action) (action.Result, bool) {
	f(ctx)
	return action.Result{}, false
}

func (asks) Offer(*action.Action, action.Result) {}

// The time that the step took on the other machine is the estimate here.
func TestTheRemoteTimeIsTheEstimate(t *testing.T) {
	first, second, cache := twoWorlds(t)
	first.build(chain(first))
	for d, r := range cache.results {
		r.Duration = 7 * time.Second
		cache.results[d] = r
	}
	second.build(chain(second))
	if got := second.History.Get("link").Duration; got != 7*time.Second {
		t.Errorf("remembered %v", got)
	}
}

package graph

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/cas"
)

// far has another machine run a step: f is told whether it does.
func far(n *Node, f func(job *Job) error) *Node {
	run := n.Run
	n.Elsewhere = true
	n.Run = func(ctx context.Context, job *Job) (cas.Digest, error) {
		if err := f(job); err != nil {
			return cas.Digest{}, err
		}
		return run(ctx, job)
	}
	return n
}

// Other machines run more at once than this one has jobs and memory for.
func TestOtherMachinesTakeNoJobs(t *testing.T) {
	w := newWorld(t)
	w.Jobs, w.Memory, w.Elsewhere = 1, 100, 4
	var together sync.WaitGroup
	together.Add(4)
	var roots []*Node
	for i := range 4 {
		n := far(w.concat(fmt.Sprint("far", i), ptr("")), func(job *Job) error {
			together.Done()
			met := make(chan bool)
			go func() { together.Wait(); close(met) }()
			select {
			case <-met:
				return nil
			case <-time.After(10 * time.Second):
				return errors.New("they do not run at once")
			}
		})
		n.Memory = 100
		roots = append(roots, n)
	}
	w.build(roots...)
}

// What another machine was to run and did not is run here, by the rules of this one, and asked for no second time.
func TestWhatNoOtherMachineRunsIsRunHere(t *testing.T) {
	_, second, cache := twoWorlds(t)
	second.Jobs, second.Elsewhere = 1, 4
	var mu sync.Mutex
	here, running, most := 0, 0, 0
	var roots []*Node
	for i := range 3 {
		roots = append(roots, far(second.concat(fmt.Sprint("far", i), ptr("")), func(job *Job) error {
			if !job.Here {
				return &HereError{Why: "no worker"}
			}
			mu.Lock()
			here++
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(5 * time.Millisecond)
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		}))
	}
	second.build(roots...)
	if here != 3 || most != 1 || cache.asked != 3 {
		t.Errorf("%d ran here, %d at once, the cache was asked %d times", here, most, cache.asked)
	}
	if log := strings.Join(second.log, "\n"); strings.Count(log, " ran") != 3 || strings.Contains(log, "failed") {
		t.Errorf("the observer was told\n%s", log)
	}
}

// Without other machines a step that they may run is like any other.
func TestWithoutOtherMachinesAllRunsHere(t *testing.T) {
	w := newWorld(t)
	w.build(far(w.concat("far", ptr("")), func(job *Job) error {
		if !job.Here {
			return errors.New("where should it run?")
		}
		return nil
	}))
}

// A result that is on another machine is known as one, and what of it is lost is made here: that machine would give the same again.
func TestWhatAnotherMachineLostIsMadeHere(t *testing.T) {
	w := newWorld(t)
	w.Elsewhere = 1
	places := ""
	n := far(w.concat("far", ptr("x")), func(job *Job) error {
		if job.Here {
			places += "here "
			return nil
		}
		places += "there "
		job.Remote()
		return nil
	})
	sum, err := w.Build(t.Context(), []*Node{n})
	if err != nil {
		t.Fatal(err)
	}
	act, err := n.Plan(t.Context(), Outputs{})
	if err != nil {
		t.Fatal(err)
	}
	if r, ok, err := w.Cache.Get(act.Digest()); err != nil || !ok || !r.Remote {
		t.Errorf("the result is %+v, %v, %v", r, ok, err)
	}
	e, _, err := w.Store.Lookup(sum.Outputs[n], "f")
	if err != nil {
		t.Fatal(err)
	}
	path, err := w.Store.Path(e.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := w.build(n); got != "x()" || places != "there here " {
		t.Errorf("got %q, made %s", got, places)
	}
}

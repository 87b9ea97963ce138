package graph

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pannous/redox-clif/internal/cas"
)

// clock is one that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func newClock(w *world) *clock {
	c := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.Now = c.Now
	return c
}

// A light step runs although the only job is taken.
func TestLightStepsWaitForNoJob(t *testing.T) {
	w := newWorld(t)
	w.Jobs, w.Memory = 1, 100
	checked := make(chan struct{})
	heavy := w.step("a-heavy", ptr(""), nil, func(ctx context.Context, _ []string) (string, error) {
		select {
		case <-checked:
			return "compiled", nil
		case <-time.After(10 * time.Second):
			return "", errors.New("the check did not run beside it")
		}
	})
	heavy.Memory = 100
	manifests := w.step("manifests", ptr(""), []*Node{w.concat("source", ptr(""))}, func(context.Context, []string) (string, error) {
		close(checked)
		return "checked", nil
	})
	manifests.Light, manifests.Memory = true, 50
	manifests.Deps[0].Light = true
	w.build(heavy, manifests)
}

// What has worked for long when another step fails is let end and kept, what has just begun is stopped, and nothing else begins.
func TestWorkIsNotLostWhenAnotherStepFails(t *testing.T) {
	for name, c := range map[string]struct {
		worked, waited time.Duration // of the other step, when the first one fails
		want           []string
	}{
		"just begun":       {letEnd - time.Second, 0, []string{"other skipped", "after skipped"}},
		"at work for long": {letEnd, 0, []string{"other ran", "after skipped"}},
		// What it waited for a job is no work.
		"waited for long": {time.Second, letEnd, []string{"other skipped", "after skipped"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			clock := newClock(w)
			begun, failed := make(chan struct{}), make(chan struct{})
			broken := w.step("broken", ptr(""), nil, func(context.Context, []string) (string, error) {
				<-begun
				clock.pass(c.worked)
				return "", errors.New("it is broken")
			})
			other := w.concat("other", ptr(""))
			run := other.Run
			other.Run = func(ctx context.Context, job *Job) (out cas.Digest, err error) {
				until := job.Waits("a free job")
				clock.pass(c.waited)
				until()
				close(begun)
				select {
				case <-ctx.Done():
					return out, ctx.Err()
				case <-failed:
					return run(ctx, job)
				}
			}
			after := w.concat("after", ptr(""), other)
			w.Observer = observed{w, func(n *Node, o Outcome) {
				if o == Failed {
					// The engine stops steps after it has said that one failed.
					time.AfterFunc(200*time.Millisecond, func() { close(failed) })
				}
			}}
			_, err := w.Build(t.Context(), []*Node{broken, after})
			if err == nil || !strings.Contains(err.Error(), "it is broken") {
				t.Fatalf("error %v", err)
			}
			for _, want := range append(c.want, "broken failed") {
				if !slices.Contains(w.log, want) {
					t.Errorf("no %q in\n%s", want, strings.Join(w.log, "\n"))
				}
			}
			let := "notice broken failed; other may end, so that the work is not lost (Ctrl-C stops it)"
			if slices.Contains(w.log, let) != slices.Contains(c.want, "other ran") {
				t.Errorf("said:\n%s", strings.Join(w.log, "\n"))
			}
		})
	}
}

// Ctrl-C stops what was let end.
func TestCtrlCStopsWhatWasLetEnd(t *testing.T) {
	w := newWorld(t)
	clock := newClock(w)
	ctx, interrupt := context.WithCancel(t.Context())
	begun := make(chan struct{})
	broken := w.step("broken", ptr(""), nil, func(context.Context, []string) (string, error) {
		<-begun
		clock.pass(letEnd)
		return "", errors.New("it is broken")
	})
	other := w.step("other", ptr(""), nil, func(ctx context.Context, _ []string) (string, error) {
		close(begun)
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(10 * time.Second):
			return "ended", nil
		}
	})
	w.Observer = observed{w, func(n *Node, o Outcome) {
		if o == Failed {
			time.AfterFunc(50*time.Millisecond, interrupt)
		}
	}}
	if _, err := w.Build(ctx, []*Node{broken, other}); err == nil || !slices.Contains(w.log, "other skipped") {
		t.Errorf("error %v, said\n%s", err, strings.Join(w.log, "\n"))
	}
}

// observed tells of the ends of steps as well.
type observed struct {
	*world
	finished func(n *Node, o Outcome)
}

func (o observed) Finished(n *Node, outcome Outcome, d time.Duration, err error) {
	o.world.Finished(n, outcome, d, err)
	o.finished(n, outcome)
}

// A step's time is its own: what it waited for a job is in no estimate.
func TestOwnTime(t *testing.T) {
	w := newWorld(t)
	clock := newClock(w)
	n := w.concat("n", ptr(""))
	run := n.Run
	n.Run = func(ctx context.Context, job *Job) (cas.Digest, error) {
		until := job.Waits("a free job")
		clock.pass(time.Minute)
		until()
		clock.pass(time.Second)
		return run(ctx, job)
	}
	sum, err := w.Build(t.Context(), []*Node{n})
	if err != nil || sum.Took[n] != time.Second || w.History.Get("n").Duration != time.Second {
		t.Errorf("took %v, remembered %v, %v", sum.Took[n], w.History.Get("n").Duration, err)
	}
}

// Without a history the kinds' own times say what comes first.
func TestTypicalTimesOrderAFirstBuild(t *testing.T) {
	w := newWorld(t)
	w.Jobs = 1
	std, program, note := w.concat("std", ptr("")), w.concat("program", ptr("")), w.concat("a-note", ptr(""))
	std.Typical, program.Typical = time.Minute, time.Second
	if _, err := w.Build(t.Context(), []*Node{note, program, std}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"std", "program", "a-note"}, w.ran); diff != "" {
		t.Error(diff)
	}
}

func TestCritical(t *testing.T) {
	node := func(id string, deps ...*Node) *Node { return &Node{ID: id, Deps: deps} }
	source := node("source")
	std, crt := node("std"), node("crt")
	programs := node("programs", source, std)
	link := node("link", programs, crt)
	docs := node("docs", source)
	order := []*Node{source, std, crt, programs, link, docs}
	took := map[*Node]time.Duration{std: 40 * time.Second, crt: 50 * time.Second, programs: 20 * time.Second, link: time.Second, docs: 55 * time.Second}
	got := Critical(order, took)
	want := &CriticalPath{Steps: []PathStep{{"std", 40000}, {"programs", 20000}, {"link", 1000}}, TotalMillis: 61000, WorkMillis: 166000}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.Longest().ID != "std" {
		t.Errorf("longest %v", got.Longest())
	}
	if got := Critical(order, nil); got != nil {
		t.Errorf("without times: %+v", got)
	}
}

package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

func TestNothingRunsTwice(t *testing.T) {
	w := newWorld(t)
	a := w.concat("a", ptr("A"))
	b := w.concat("b", ptr("B"), a)
	if got := w.build(b); got != "B(A())" {
		t.Errorf("got %s", got)
	}
	if got := w.takeRan(); got != "a b" {
		t.Errorf("ran %q", got)
	}
	w.build(b)
	if got := w.takeRan(); got != "" {
		t.Errorf("ran again: %q", got)
	}
	left, _ := os.ReadDir(w.LockDir)
	if len(left) != 0 {
		t.Errorf("locks left behind: %v", left)
	}
}

// A step that changes but gives the same bytes does not dirty what depends on it.
func TestEarlyCutOff(t *testing.T) {
	w := newWorld(t)
	config := "one"
	a := w.step("a", &config, nil, func(context.Context, []string) (string, error) { return "same", nil })
	b := w.concat("b", ptr("B"), a)
	w.build(b)
	w.takeRan()
	config = "two"
	w.build(b)
	if got := w.takeRan(); got != "a" {
		t.Errorf("ran %q, want only a", got)
	}
}

func TestKeepGoingListsEveryFailure(t *testing.T) {
	w := newWorld(t)
	w.KeepGoing = true
	fail := func(context.Context, []string) (string, error) { return "", errors.New("broken") }
	a := w.step("a", ptr(""), nil, fail)
	b := w.step("b", ptr(""), nil, fail)
	c := w.concat("c", ptr("C"))
	top := w.concat("top", ptr("T"), a, b, c)
	sum, err := w.Build(t.Context(), []*Node{top})
	var all *multierror.Error
	if !errors.As(err, &all) || len(all.Errors) != 2 {
		t.Fatalf("got %v", err)
	}
	for _, e := range all.Errors {
		var f *Failure
		if !errors.As(e, &f) || f.Log == "" {
			t.Errorf("%v names no step or no log", e)
		}
	}
	if sum.Outcomes[c] != Ran || sum.Outcomes[top] != Skipped {
		t.Errorf("c %s, top %s", sum.Outcomes[c], sum.Outcomes[top])
	}
}

// What was skipped has no output: a step behind it would run with an empty input and keep what came of it.
func TestKeepGoingSkipsTheWholeChainBehindAFailure(t *testing.T) {
	w := newWorld(t)
	w.KeepGoing = true
	a := w.step("a", ptr(""), nil, func(context.Context, []string) (string, error) { return "", errors.New("broken") })
	b := w.concat("b", ptr("B"), a)
	c := w.concat("c", ptr("C"), b)
	sum, err := w.Build(t.Context(), []*Node{c})
	var all *multierror.Error
	if !errors.As(err, &all) || len(all.Errors) != 1 {
		t.Errorf("got %v, want the failure of a alone", err)
	}
	if got := w.takeRan(); got != "a" || sum.Outcomes[b] != Skipped || sum.Outcomes[c] != Skipped {
		t.Errorf("ran %q, b %s, c %s", got, sum.Outcomes[b], sum.Outcomes[c])
	}
}

func TestFirstFailureStopsTheRestCleanly(t *testing.T) {
	w := newWorld(t)
	started := make(chan struct{})
	a := w.step("a", ptr(""), nil, func(context.Context, []string) (string, error) {
		<-started
		return "", errors.New("broken")
	})
	b := w.step("b", ptr(""), nil, func(ctx context.Context, _ []string) (string, error) {
		close(started)
		<-ctx.Done()
		return "", ctx.Err()
	})
	c := w.concat("c", ptr("C"), b)
	sum, err := w.Build(t.Context(), []*Node{a, c})
	var all *multierror.Error
	if !errors.As(err, &all) || len(all.Errors) != 1 || !strings.Contains(err.Error(), "a: broken") {
		t.Fatalf("got %v", err)
	}
	if sum.Outcomes[b] != Skipped || sum.Outcomes[c] != Skipped {
		t.Errorf("b %s, c %s", sum.Outcomes[b], sum.Outcomes[c])
	}
}

func TestCancelIsNoFailureAndLeavesNothing(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	a := w.concat("a", ptr("A"))
	hang := true
	b := w.step("b", ptr(""), []*Node{a}, func(ctx context.Context, _ []string) (string, error) {
		if hang {
			cancel()
			<-ctx.Done()
			return "", ctx.Err()
		}
		return "B", nil
	})
	sum, err := w.Build(ctx, []*Node{b})
	var all *multierror.Error
	if !errors.Is(err, context.Canceled) || errors.As(err, &all) {
		t.Errorf("got %v", err)
	}
	if sum.Outcomes[b] != Skipped {
		t.Errorf("b %s", sum.Outcomes[b])
	}
	act, err := b.Plan(t.Context(), sum.Outputs)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := w.Cache.Get(act.Digest()); ok {
		t.Error("a stopped step has a result")
	}
	hang = false
	w.takeRan()
	w.build(b)
	if got := w.takeRan(); got != "b" {
		t.Errorf("the next build ran %q, want only b", got)
	}
}

func TestCycleIsNamed(t *testing.T) {
	a, b, c := &Node{ID: "a"}, &Node{ID: "b"}, &Node{ID: "c"}
	a.Deps, b.Deps, c.Deps = []*Node{b}, []*Node{c}, []*Node{b}
	_, err := Order([]*Node{a})
	if err == nil || !strings.Contains(err.Error(), "b needs c needs b") {
		t.Errorf("got %v", err)
	}
	if _, err := Order([]*Node{{ID: "x"}, {ID: "x"}}); err == nil {
		t.Error("two steps with one name were accepted")
	}
}

// damage finds the blob with the given text and spoils it in one of three ways.
func damage(t *testing.T, w *world, text, how string) {
	t.Helper()
	d := cas.DigestBytes([]byte(text))
	path := filepath.Join(w.Store.Dir(), "sha256", d.Hash[:2], d.Hash)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if how == "deleted" {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Repeat("?", len(text))), 0o644); err != nil {
		t.Fatal(err)
	}
	if how == "flipped without a trace" {
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
}

// What is lost is built again when something needs its bytes, and not before.
func TestLostOutputIsBuiltAgain(t *testing.T) {
	for how, why := range map[string]string{
		"deleted": "is gone from the cache", "flipped": "was damaged in the cache", "flipped without a trace": "was damaged in the cache",
	} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			config := "B"
			a := w.concat("a", ptr("A"))
			b := w.concat("b", &config, a)
			w.build(b)
			w.takeRan()
			damage(t, w, "A()", how)
			w.build(b)
			if got := w.takeRan(); got != "" {
				t.Errorf("nobody needs a's bytes, and yet %q ran", got)
			}
			config = "C"
			if got := w.build(b); got != "C(A())" {
				t.Errorf("got %s", got)
			}
			if said := strings.Join(w.log, "\n"); !strings.Contains(said, "notice a: a file of its result "+why) {
				t.Errorf("it is not said that it %s:\n%s", why, said)
			}
			// Without a trace the damage is met by b itself, which then runs again.
			if got := strings.Join(uniq(w.takeRan()), " "); got != "a b" {
				t.Errorf("ran %q", got)
			}
		})
	}
}

func uniq(words string) []string {
	var out []string
	for _, s := range strings.Fields(words) {
		if len(out) == 0 || out[len(out)-1] != s {
			out = append(out, s)
		}
	}
	return out
}

// A step that only passes on which files there are does not notice that one is lost. Whoever reads the file does,
// and gets it from where it was made.
func TestLostFileIsFoundBehindAStepThatPassesItOn(t *testing.T) {
	w := newWorld(t)
	config := "B"
	a := w.concat("a", ptr("A"))
	pass := &Node{ID: "pass", Deps: []*Node{a}}
	pass.Plan = func(_ context.Context, in Outputs) (*action.Action, error) {
		return &action.Action{Args: []string{"pass", config}, Inputs: in[a]}, nil
	}
	pass.Run = func(_ context.Context, job *Job) (cas.Digest, error) {
		w.mu.Lock()
		w.ran = append(w.ran, "pass")
		w.mu.Unlock()
		return job.Inputs[a], nil
	}
	c := w.concat("c", &config, pass)
	w.build(c)
	w.takeRan()
	damage(t, w, "A()", "deleted")
	config = "C"
	if got := w.build(c); got != "C(A())" {
		t.Errorf("got %s", got)
	}
	if got := strings.Join(uniq(w.takeRan()), " "); got != "a c pass" {
		t.Errorf("ran %q", got)
	}
}

// What a node without an action puts together belongs to what it is put together from.
func TestLostFileIsFoundBehindANodeThatOnlyResolves(t *testing.T) {
	w := newWorld(t)
	config := "B"
	a := w.concat("a", ptr("A"))
	whole := &Node{ID: "whole", Deps: []*Node{a}, Resolve: func(_ context.Context, in Outputs) (cas.Digest, error) { return in[a], nil }}
	b := w.concat("b", &config, whole)
	w.build(b)
	w.takeRan()
	damage(t, w, "A()", "deleted")
	config = "C"
	if got := w.build(b); got != "C(A())" {
		t.Errorf("got %s", got)
	}
	if got := strings.Join(uniq(w.takeRan()), " "); got != "a b" {
		t.Errorf("ran %q", got)
	}
	if said := strings.Join(w.log, "\n"); strings.Contains(said, "notice whole") {
		t.Errorf("what is put together again is no loss:\n%s", said)
	}
}

// Each run of a step may miss something else. One that goes on missing things is no step to wait for.
func TestAStepIsBegunAgainAFewTimes(t *testing.T) {
	for misses, fails := range map[int]bool{0: false, maxRepairs: false, maxRepairs + 1: true} {
		w := newWorld(t)
		runs := 0
		a := w.step("a", ptr(""), nil, func(context.Context, []string) (string, error) {
			if runs++; runs <= misses {
				return "", &cas.MissingError{Digest: cas.DigestBytes(nil)}
			}
			return "A", nil
		})
		if _, err := w.Build(t.Context(), []*Node{a}); (err != nil) != fails {
			t.Errorf("%d misses: %v", misses, err)
		}
		if want := min(misses, maxRepairs) + 1; runs != want {
			t.Errorf("%d misses: %d runs, want %d", misses, runs, want)
		}
	}
}

// A log is written up to its close: on a full disk that may be where it fails, and more may be missing.
func TestALogThatCannotBeClosedFailsItsStep(t *testing.T) {
	w := newWorld(t)
	a := w.concat("a", ptr("A"))
	run := a.Run
	a.Run = func(ctx context.Context, job *Job) (cas.Digest, error) {
		if err := job.Log.(io.Closer).Close(); err != nil {
			t.Error(err)
		}
		return run(ctx, job)
	}
	if _, err := w.Build(t.Context(), []*Node{a}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// How long a step takes is known from its last run, and why it ran from the action before: neither is forgotten
// when a build finds a result of another action, or makes a lost one again.
func TestHistoryOutlivesWhatDidNotRun(t *testing.T) {
	w := newWorld(t)
	config := "one"
	a := w.concat("a", &config)
	w.build(a)
	config = "two"
	w.build(a)
	two := w.History.Get("a")
	if two.Previous == nil || two.Previous.Args[2] != "one" {
		t.Fatalf("before two was %+v", two.Previous)
	}
	if err := w.Cache.Forget(two.Action.Digest()); err != nil {
		t.Fatal(err)
	}
	w.build(a)
	r := *w.History.Get("a")
	if r.Previous == nil || r.Previous.Args[2] != "one" {
		t.Errorf("made again, before two is %+v", r.Previous)
	}
	r.Duration = time.Minute
	if err := w.History.Put("a", &r); err != nil {
		t.Fatal(err)
	}
	config = "one"
	w.build(a)
	if got := w.History.Get("a"); got.Duration != time.Minute || got.Previous.Args[2] != "two" {
		t.Errorf("from the cache: %s, before it %v", got.Duration, got.Previous.Args)
	}
}

// A step that has taken all the memory there is and then misses an input waits for another step, which needs
// memory too.
func TestMemoryIsFreeWhileAnInputIsMadeAgain(t *testing.T) {
	w := newWorld(t)
	w.Memory = 100
	config := "B"
	a := w.concat("a", ptr("A"))
	b := w.concat("b", &config, a)
	a.Memory, b.Memory = 100, 100
	w.build(b)
	damage(t, w, "A()", "deleted")
	config = "C"
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := w.Build(ctx, []*Node{b}); err != nil {
		t.Errorf("it hung: %v", err)
	}
}

func TestLostOutputOfARootIsBuiltAgain(t *testing.T) {
	w := newWorld(t)
	a := w.concat("a", ptr("A"))
	w.build(a)
	w.takeRan()
	damage(t, w, "A()", "flipped")
	if got := w.build(a); got != "A()" {
		t.Errorf("got %s", got)
	}
	if got := w.takeRan(); got != "a" {
		t.Errorf("ran %q", got)
	}
}

// The messages that describe a tree can be lost as well: then it is Plan of the next step that meets it.
func TestLostTreeIsBuiltAgain(t *testing.T) {
	w := newWorld(t)
	config := "B"
	a := w.concat("a", ptr("A"))
	b := w.concat("b", &config, a)
	look := b.Plan
	plan := func(ctx context.Context, in Outputs) error {
		_, _, err := w.Store.Lookup(in[a], "f")
		return err
	}
	b.Plan = func(ctx context.Context, in Outputs) (*action.Action, error) {
		if err := plan(ctx, in); err != nil {
			return nil, err
		}
		return look(ctx, in)
	}
	sum, err := w.Build(t.Context(), []*Node{b})
	if err != nil {
		t.Fatal(err)
	}
	w.takeRan()
	if err := w.Store.Remove(sum.Outputs[a]); err != nil {
		t.Fatal(err)
	}
	v, err := w.DryRun(t.Context(), []*Node{b})
	if err != nil || v[1].State != "depends" {
		t.Errorf("%+v %v", v, err)
	}
	w.build(b)
	if got := w.takeRan(); got != "a" {
		t.Errorf("ran %q", got)
	}
}

func TestUnrepeatableStepIsReported(t *testing.T) {
	w := newWorld(t)
	n := 0
	a := w.step("a", ptr(""), nil, func(context.Context, []string) (string, error) {
		n++
		return strings.Repeat("x", n), nil
	})
	config := "B"
	b := w.concat("b", &config, a)
	w.build(b)
	damage(t, w, "x", "deleted")
	config = "C"
	_, err := w.Build(t.Context(), []*Node{b})
	if err == nil || !strings.Contains(err.Error(), "other bytes") {
		t.Errorf("got %v", err)
	}
	w.build(b)
}

func TestTwoEnginesShareTheWork(t *testing.T) {
	dir := t.TempDir()
	var ran atomic.Int32
	engines := []*world{worldIn(t, dir), worldIn(t, dir)}
	var all sync.WaitGroup
	for _, w := range engines {
		n := w.step("slow", ptr(""), nil, func(context.Context, []string) (string, error) {
			ran.Add(1)
			time.Sleep(300 * time.Millisecond)
			return "done", nil
		})
		all.Add(1)
		go func() {
			defer all.Done()
			if _, err := w.Build(t.Context(), []*Node{n}); err != nil {
				t.Error(err)
			}
		}()
	}
	all.Wait()
	if ran.Load() != 1 {
		t.Errorf("ran %d times", ran.Load())
	}
	said := strings.Join(append(engines[0].log, engines[1].log...), "\n")
	if !strings.Contains(said, "notice slow is being built by another step of this run") {
		t.Errorf("nobody said that it waits:\n%s", said)
	}
	for _, w := range engines {
		if w.History.Get("slow") == nil {
			t.Error("a result of another run is not remembered")
		}
	}
}

func TestCriticalPathFirst(t *testing.T) {
	w := newWorld(t)
	w.Jobs = 1
	config := "1"
	quick := w.concat("a-quick", &config)
	long := w.concat("z-long", &config)
	after := w.concat("after", &config, long)
	w.build(quick, after)
	// Pretend that what comes after z-long took long.
	r := *w.History.Get("after")
	r.Duration = time.Minute
	if err := w.History.Put("after", &r); err != nil {
		t.Fatal(err)
	}
	w.takeRan()
	config = "2"
	if _, err := w.Build(t.Context(), []*Node{quick, after}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"z-long", "after", "a-quick"}, w.ran); diff != "" {
		t.Error(diff)
	}
}

func TestMemoryBound(t *testing.T) {
	w := newWorld(t)
	w.Memory = 100
	var now, most atomic.Int64
	var roots []*Node
	for _, id := range []string{"a", "b", "c", "d"} {
		n := w.step(id, ptr(""), nil, func(context.Context, []string) (string, error) {
			most.Store(max(most.Load(), now.Add(40)))
			time.Sleep(30 * time.Millisecond)
			now.Add(-40)
			return id, nil
		})
		n.Memory = 40
		roots = append(roots, n)
	}
	big := w.concat("big", ptr("x"))
	big.Memory = 1000 // more than there is: runs alone, but runs
	w.build(append(roots, big)...)
	if most.Load() != 80 {
		t.Errorf("at most %d of 100 were in use at once, want 80", most.Load())
	}
}

func TestDryRunVerdicts(t *testing.T) {
	w := newWorld(t)
	config := "one"
	a := w.concat("a", &config)
	b := w.concat("b", ptr("B"), a)
	c := w.concat("c", ptr("C"))
	roots := []*Node{b, c}
	want := func(lines ...string) {
		t.Helper()
		verdicts, err := w.DryRun(t.Context(), roots)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range verdicts {
			got = append(got, strings.TrimSpace(v.Node.ID+" "+v.State+" "+v.Reason))
		}
		if diff := cmp.Diff(lines, got); diff != "" {
			t.Error(diff)
		}
		if ran := w.takeRan(); ran != "" {
			t.Errorf("a dry run ran %s", ran)
		}
	}
	want("a run not built before", "b depends on the outputs of a", "c run not built before")
	w.build(roots...)
	w.takeRan()
	want("a up to date", "b up to date", "c up to date")
	config = "two"
	want("a run argument: one -> two", "b depends on the outputs of a", "c up to date")
	config = "one"
	sum, err := w.Build(t.Context(), roots)
	if err != nil {
		t.Fatal(err)
	}
	act, _ := c.Plan(t.Context(), sum.Outputs)
	if err := w.Cache.Forget(act.Digest()); err != nil {
		t.Fatal(err)
	}
	want("a up to date", "b up to date", "c run its result is not in this cache")
}

func TestFailureOfAResolveStops(t *testing.T) {
	w := newWorld(t)
	bad := &Node{ID: "bad", Resolve: func(context.Context, Outputs) (cas.Digest, error) { return cas.Digest{}, errors.New("no such folder") }}
	_, err := w.Build(t.Context(), []*Node{w.concat("a", ptr("A"), bad)})
	var f *Failure
	if !errors.As(err, &f) || f.Node != "bad" || f.Log != "" {
		t.Errorf("got %#v", err)
	}
	f = nil
	if _, err := w.DryRun(t.Context(), []*Node{bad}); !errors.As(err, &f) || f.Node != "bad" {
		t.Errorf("a dry run: %#v", err)
	}
}

// A record that a power failure tore is none, and a new one takes its place.
func TestTornRecordIsNone(t *testing.T) {
	dir := t.TempDir()
	h := OpenHistory(dir)
	r := &Record{Action: &action.Action{Args: []string{"make"}}, Duration: time.Minute}
	if err := h.Put("a/b", r); err != nil {
		t.Fatal(err)
	}
	if got := OpenHistory(dir).Get("a/b"); got == nil || got.Duration != time.Minute {
		t.Errorf("got %+v", got)
	}
	path := h.path("a/b")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, torn := range [][]byte{nil, text[:len(text)/2], make([]byte, len(text))} {
		if err := os.WriteFile(path, torn, 0o644); err != nil {
			t.Fatal(err)
		}
		h := OpenHistory(dir)
		if got := h.Get("a/b"); got != nil {
			t.Errorf("got %+v", got)
		}
		if err := h.Put("a/b", r); err != nil || h.Get("a/b") == nil || OpenHistory(dir).Get("a/b") == nil {
			t.Errorf("not replaced: %v", err)
		}
	}
}

// What is to be known of an output is known to whoever uses it, not only to who made it.
func TestANoticeIsSaidInEveryBuild(t *testing.T) {
	w := newWorld(t)
	a := w.concat("a", ptr("A"))
	run := a.Run
	a.Run = func(ctx context.Context, job *Job) (cas.Digest, error) {
		job.Notice("a is odd")
		return run(ctx, job)
	}
	b := w.concat("b", ptr("B"), a)
	for range 3 {
		w.log = nil
		w.build(b)
		if got := strings.Count(strings.Join(w.log, "\n"), "notice a is odd"); got != 1 {
			t.Errorf("said %d times: %q", got, w.log)
		}
	}
	if got := w.takeRan(); got != "a b" {
		t.Errorf("ran %q", got)
	}
}

// flipUnseen changes a byte of a blob and leaves its times.
func (w *world) flipUnseen(text string) {
	w.t.Helper()
	path, err := w.Store.Path(cas.DigestBytes([]byte(text)))
	if err != nil {
		w.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(path, 0o644), os.WriteFile(path, bytes.Repeat([]byte("x"), len(text)), 0o444), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
		w.t.Fatal(err)
	}
}

// Damage that leaves no trace in the inode costs each step that reads it one more run, however many files have it.
func TestUnseenDamageOfManyInputsIsMendedAtOnce(t *testing.T) {
	w := newWorld(t)
	config := "1"
	var deps []*Node
	for i := range 2 * maxRepairs {
		deps = append(deps, w.concat(fmt.Sprint("in", i), ptr(fmt.Sprint("text", i))))
	}
	top := w.concat("top", &config, deps...)
	want := w.build(top)
	for i := range deps {
		w.flipUnseen(fmt.Sprintf("text%d()", i))
	}
	config = "2"
	if got := w.build(top); got != strings.Replace(want, "1", "2", 1) {
		t.Errorf("got %s", got)
	}
}

// A root that was up to date is read as a whole where damage has been met already.
func TestADistrustedRootIsBuiltAgain(t *testing.T) {
	w := newWorld(t)
	top := w.concat("top", ptr("1"))
	want := w.build(top)
	w.flipUnseen(want)
	w.Distrust = true
	if got := w.build(top); got != want {
		t.Errorf("got %s", got)
	}
}

package farm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/remote"
	"github.com/pannous/redox-clif/internal/remote/remotetest"
	"github.com/pannous/redox-clif/internal/test/wants"
)

const (
	steps   = 1000
	workers = 100
	latency = 50 * time.Millisecond
	// A step takes from a second to eight, as compiling a crate does.
	shortest, longest = time.Second, 8 * time.Second
	// layers bounds how many steps wait for each other.
	layers = 10
	// inputs is the size of what each step brings along, in bytes, and made that of what it makes.
	inputs, made = 20 << 10, 100 << 10
)

// simulated is a build whose steps are known.
type simulated struct {
	store    *cas.Store
	client   *remote.Client
	critical map[*graph.Node]time.Duration // to the end of the step, with nothing in its way
}

// A thousand steps on a hundred workers behind a slow line take little longer than their longest chain.
func TestAFarmIsUsedWell(t *testing.T) {
	wants.Farm.On(t)
	var running, most atomic.Int64
	server := remotetest.Start(t, remotetest.Faults{
		Latency: latency, Workers: workers,
		Worker: func(ctx context.Context, s *remotetest.Server, command *repb.Command, _ *repb.Digest) (*repb.ActionResult, error) {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			d, err := time.ParseDuration(command.Arguments[2])
			if err != nil {
				return nil, err
			}
			select {
			case <-time.After(d):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			text := noise(command.Arguments[1]+"made", made)
			return &repb.ActionResult{OutputFiles: []*repb.OutputFile{{Path: "out", Digest: s.Put(text)}}}, nil
		},
	})
	store, err := cas.Open(filepath.Join(t.TempDir(), "cas"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := remote.New(remote.Config{Address: server.Address, Executor: server.Address, Accept: true, Retries: 3}, store, func(line string) { t.Log(line) })
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(t.Context())
	defer store.Use(t.Context(), client)()
	b := &simulated{store, client, map[*graph.Node]time.Duration{}}
	roots, critical := b.nodes(rand.New(rand.NewPCG(1, 2)))
	dir := t.TempDir()
	engine := &graph.Engine{
		Store: store, Cache: action.OpenCache(filepath.Join(dir, "actions")), History: graph.OpenHistory(filepath.Join(dir, "nodes")),
		LogDir: filepath.Join(dir, "log"), LockDir: filepath.Join(dir, "locks"), Jobs: 2, Elsewhere: workers + 20, Remote: client,
		Observer: silent{t}, Now: time.Now,
	}
	start := time.Now()
	sum, err := engine.Build(t.Context(), roots)
	took := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	memory := peak(t)
	ratio := took.Seconds() / critical.Seconds()
	calls := server.Calls()
	t.Logf("%d steps in %.1f s, the longest chain %.1f s: ratio %.3f; %d workers busy at most; %d calls (%v); %d MiB at most, the server's included",
		sum.Count(graph.Ran), took.Seconds(), critical.Seconds(), ratio, most.Load(), calls[""], calls, memory>>20)
	if ratio > 1.15 {
		t.Errorf("it took %.3f times the longest chain", ratio)
	}
	if memory > 300<<20 {
		t.Errorf("it took %d MiB", memory>>20)
	}
	if n := sum.Count(graph.Ran); n < steps {
		t.Errorf("%d steps ran", n)
	}
}

// nodes makes the graph and returns its last node, with the time of the longest chain.
func (b *simulated) nodes(random *rand.Rand) ([]*graph.Node, time.Duration) {
	var all []*graph.Node
	var longestChain time.Duration
	per := steps / layers
	for i := range steps {
		var deps []*graph.Node
		if layer := i / per; layer > 0 {
			for range 1 + random.IntN(3) {
				deps = append(deps, all[(layer-1)*per+random.IntN(per)])
			}
		}
		n := b.node(fmt.Sprintf("step-%04d", i), graph.Unique(deps), shortest+time.Duration(random.Int64N(int64(longest-shortest))))
		longestChain = max(longestChain, b.critical[n])
		all = append(all, n)
	}
	// Who asks for a thousand things waits until all are there; who asks for what is made of them waits for that.
	last := b.node("all", all, shortest)
	return []*graph.Node{last}, max(longestChain, b.critical[last])
}

// node is one step: it is made of what comes before it and of a file of its own.
func (b *simulated) node(id string, deps []*graph.Node, takes time.Duration) *graph.Node {
	n := &graph.Node{ID: id, Deps: deps, Elsewhere: true, Typical: takes}
	for _, d := range deps {
		b.critical[n] = max(b.critical[n], b.critical[d])
	}
	b.critical[n] += takes
	n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
		own, err := b.store.PutBytes(noise(id, inputs))
		if err != nil {
			return nil, err
		}
		dirs := map[string]cas.Digest{}
		for i, d := range deps {
			dirs[fmt.Sprint("dep", i)] = in[d]
		}
		root, err := b.store.Compose(dirs, map[string]cas.Entry{"own": {Digest: own}})
		return &action.Action{Args: []string{"step", id, takes.String()}, Inputs: root, Outputs: []string{"out"}}, err
	}
	n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
		if job.Here {
			return cas.Digest{}, errors.New("it was to run elsewhere")
		}
		done, err := b.client.Execute(ctx, remote.Work{Name: id, Args: job.Action.Args, Inputs: job.Action.Inputs, Outputs: job.Action.Outputs})
		if err != nil {
			return cas.Digest{}, err
		}
		job.Remote()
		return b.store.PutTree(done.Outputs)
	}
	return n
}

// noise is text that depends on a name.
func noise(name string, size int) []byte {
	seed := cas.DigestBytes([]byte(name)).Hash
	text := make([]byte, 0, size+len(seed))
	for len(text) < size {
		text = append(text, seed...)
	}
	return text[:size]
}

// peak is the most memory that this process has had, in bytes.
func peak(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("this system does not say how much memory a process has had")
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("no VmHWM in %s", text)
	}
	kib, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

// silent says only what a user has to know.
type silent struct{ t *testing.T }

func (silent) Begin([]*graph.Node)                                               {}
func (silent) Started(*graph.Node, string, time.Duration)                        {}
func (silent) Status(*graph.Node, string)                                        {}
func (silent) Waited(*graph.Node, time.Duration)                                 {}
func (silent) Finished(_ *graph.Node, _ graph.Outcome, _ time.Duration, _ error) {}
func (s silent) Notice(line string)                                              { s.t.Log(line) }

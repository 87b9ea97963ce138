package remote

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/remote/remotetest"
)

// workersOf is a machine whose server has workers.
func workersOf(t *testing.T, server *remotetest.Server, edit ...func(*Config)) *machine {
	return newMachine(t, server, append([]func(*Config){func(c *Config) { c.Executor, c.Beat = c.Address, 300*time.Millisecond }}, edit...)...)
}

// shell is a command that reads one of its inputs and leaves a file and a folder.
func shell(m *machine, script string) Work {
	m.t.Helper()
	return Work{
		Name: "a step", Args: []string{"/bin/sh", "-c", script}, Env: map[string]string{"PATH": "/usr/bin:/bin"}, Dir: "w",
		Outputs: []string{"out/file", "out/folder", "out/none"}, Inputs: m.put(map[string][]byte{"w/in": []byte("input\n"), "w/large": noise(9, 5<<20)}),
	}
}

const script = `cat in > out/file; mkdir -p out/folder/empty; echo x > out/folder/x; chmod +x out/folder/x; echo said; echo wrong >&2`

// check looks at what the script leaves.
func checkDone(t *testing.T, m *machine, d *Done, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if string(d.Stdout) != "said\n" || string(d.Stderr) != "wrong\n" || d.ExitCode != 0 {
		t.Errorf("it said %q, %q and ended with %d", d.Stdout, d.Stderr, d.ExitCode)
	}
	text, err := m.store.ReadAll(d.Outputs.Entries["out/file"].Digest)
	if err != nil || string(text) != "input\n" {
		t.Errorf("out/file is %q, %v", text, err)
	}
	if x := d.Outputs.Entries["out/folder/x"]; !x.Executable || x.Digest != cas.DigestBytes([]byte("x\n")) {
		t.Errorf("out/folder/x is %+v", x)
	}
	if !d.Outputs.Entries["out/folder/empty"].Dir || len(d.Outputs.Entries) != 3 {
		t.Errorf("the outputs are %+v", d.Outputs.Entries)
	}
}

func TestAWorkerRunsACommand(t *testing.T) {
	for name, c := range map[string]struct {
		faults remotetest.Faults
		edit   func(*Config)
	}{
		"plain":                  {},
		"the line breaks":        {faults: remotetest.Faults{CutOperations: true}},
		"small batches and zstd": {remotetest.Faults{BatchBytes: 1 << 20, Zstd: true}, func(c *Config) { c.Compress = true }},
		"a token and an instance": {remotetest.Faults{Token: "Bearer x", Instance: "ours"}, func(c *Config) {
			c.Headers = []Header{{"authorization", "Bearer x"}}
		}},
		"it uploads no results": {edit: func(c *Config) { c.Upload = false }},
		"it takes no results":   {edit: func(c *Config) { c.Accept = false }},
	} {
		t.Run(name, func(t *testing.T) {
			var ran atomic.Int64
			c.faults.Worker = func(ctx context.Context, s *remotetest.Server, command *repb.Command, inputs *repb.Digest) (*repb.ActionResult, error) {
				ran.Add(1)
				return remotetest.InFolder(ctx, s, command, inputs)
			}
			server := remotetest.Start(t, c.faults)
			if c.edit == nil {
				c.edit = func(*Config) {}
			}
			m := workersOf(t, server, c.edit)
			done, err := m.Execute(t.Context(), shell(m, script))
			checkDone(t, m, done, err)
			if ran.Load() != 1 || m.said() != "" {
				t.Errorf("it ran %d times: %s", ran.Load(), m.said())
			}
			if calls := server.Calls(); c.faults.CutOperations && calls["WaitExecution"] != 1 {
				t.Errorf("it did not listen again: %v", calls)
			}
		})
	}
}

// Another machine of the user's needs none of the blobs here, and has the command not run again.
func TestWhatAWorkerDidIsKnown(t *testing.T) {
	server := remotetest.Start(t, remotetest.Faults{Worker: remotetest.InFolder})
	for i := range 2 {
		m := workersOf(t, server)
		done, err := m.Execute(t.Context(), shell(m, script))
		checkDone(t, m, done, err)
		if done.Cached != (i == 1) {
			t.Errorf("machine %d: cached is %v", i, done.Cached)
		}
	}
}

// A worker that ran out of something is no reason for a command to fail for ever.
func TestAFailureThatIsKnownIsTriedAgain(t *testing.T) {
	fails := true
	server := remotetest.Start(t, remotetest.Faults{Worker: func(ctx context.Context, s *remotetest.Server, command *repb.Command, inputs *repb.Digest) (*repb.ActionResult, error) {
		if fails {
			return &repb.ActionResult{ExitCode: 3}, nil
		}
		return remotetest.InFolder(ctx, s, command, inputs)
	}})
	m := workersOf(t, server)
	if done, err := m.Execute(t.Context(), shell(m, script)); err != nil || done.ExitCode != 3 {
		t.Fatalf("%+v, %v", done, err)
	}
	fails = false
	done, err := m.Execute(t.Context(), shell(m, script))
	checkDone(t, m, done, err)
}

func TestAServerThatLostTheInputsGetsThemAgain(t *testing.T) {
	server := remotetest.Start(t, remotetest.Faults{Worker: remotetest.InFolder})
	m := workersOf(t, server)
	done, err := m.Execute(t.Context(), shell(m, script))
	checkDone(t, m, done, err)
	server.Forget(func(text []byte) bool { return len(text) > 1<<20 })
	done, err = m.Execute(t.Context(), shell(m, script+"; true"))
	checkDone(t, m, done, err)
}

func TestAnOperationThatIsForgottenIsBegunAgain(t *testing.T) {
	begun, proceed := make(chan bool, 2), make(chan bool)
	var server *remotetest.Server
	server = remotetest.Start(t, remotetest.Faults{Workers: 2, CutOperations: true,
		Worker: func(ctx context.Context, s *remotetest.Server, command *repb.Command, inputs *repb.Digest) (*repb.ActionResult, error) {
			begun <- true
			<-proceed
			return remotetest.InFolder(ctx, s, command, inputs)
		},
		Before: func(_ context.Context, method string) error {
			if method == "WaitExecution" {
				server.Restart()
			}
			return nil
		}})
	m := workersOf(t, server, func(c *Config) { c.Retries = 3 })
	go func() {
		<-begun
		<-begun
		close(proceed)
	}()
	done, err := m.Execute(t.Context(), shell(m, script))
	checkDone(t, m, done, err)
}

// Without it the worker would go on.
func TestTheEndOfABuildEndsTheCommand(t *testing.T) {
	begun, ended := make(chan bool), make(chan bool)
	server := remotetest.Start(t, remotetest.Faults{Worker: func(ctx context.Context, _ *remotetest.Server, _ *repb.Command, _ *repb.Digest) (*repb.ActionResult, error) {
		close(begun)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}})
	m := workersOf(t, server)
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	go func() {
		<-begun
		cancel(stopped)
	}()
	if _, err := m.Execute(ctx, shell(m, script)); !errors.Is(err, stopped) {
		t.Errorf("got %v", err)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the worker goes on")
	}
}

func TestWhatNoWorkerRunsIsRunHere(t *testing.T) {
	answer := func(r *repb.ActionResult, err error) remotetest.Worker {
		return func(context.Context, *remotetest.Server, *repb.Command, *repb.Digest) (*repb.ActionResult, error) {
			return r, err
		}
	}
	for name, c := range map[string]struct {
		faults remotetest.Faults
		why    string
	}{
		"it has no workers":           {remotetest.Faults{}, "runs no commands"},
		"its workers fail":            {remotetest.Faults{Worker: answer(nil, status.Error(codes.Internal, "no disk"))}, "no disk"},
		"it refuses a property":       {remotetest.Faults{Worker: answer(nil, status.Error(codes.FailedPrecondition, "no such platform"))}, "no such platform"},
		"an output leaves the folder": {remotetest.Faults{Worker: answer(&repb.ActionResult{OutputFiles: []*repb.OutputFile{{Path: "../x", Digest: &repb.Digest{Hash: strings.Repeat("0", 64)}}}}, nil)}, "no path below"},
		"it takes no blobs": {remotetest.Faults{Worker: remotetest.InFolder, Before: func(_ context.Context, method string) error {
			if method == "FindMissingBlobs" {
				return status.Error(codes.PermissionDenied, "readers only")
			}
			return nil
		}}, "does not allow this"},
		"it hangs": {remotetest.Faults{Worker: remotetest.InFolder, Before: func(ctx context.Context, method string) error {
			if method == "Execute" || method == "WaitExecution" {
				<-ctx.Done()
			}
			return nil
		}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := remotetest.Start(t, c.faults)
			m := workersOf(t, server, func(c *Config) { c.Timeout = time.Second })
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if name == "it hangs" {
				// It answers no more when it is asked whether it is there.
				hung := c.faults.Before
				first := true
				server.Faults.Before = func(ctx context.Context, method string) error {
					if method == "GetCapabilities" && !first {
						<-ctx.Done()
					}
					first = first && method != "GetCapabilities"
					return hung(ctx, method)
				}
			}
			_, err := m.Execute(ctx, shell(m, script))
			var unavailable *UnavailableError
			if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("got %v", err)
			}
			if m.Stats().Refused != 1 {
				t.Errorf("%+v", m.Stats())
			}
		})
	}
}

// What many steps have in common is sent once, though they begin at once.
func TestABlobThatManyNeedIsSentOnce(t *testing.T) {
	server := remotetest.Start(t, remotetest.Faults{Worker: remotetest.InFolder, Workers: 8})
	m := workersOf(t, server)
	work := shell(m, script)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			w := work
			w.Env = map[string]string{"PATH": "/usr/bin:/bin", "N": strings.Repeat("x", i)}
			done, err := m.Execute(t.Context(), w)
			checkDone(t, m, done, err)
		})
	}
	all.Wait()
	if n := server.Calls()["Write"]; n != 1 {
		t.Errorf("the large blob was sent %d times", n)
	}
}

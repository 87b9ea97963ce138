package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"sync/atomic"
	"time"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/pannous/redox-clif/internal/cas"
)

// Work is a command for a worker.
type Work struct {
	// Name is what the server shows of it.
	Name string
	Args []string
	Env  map[string]string
	// Dir is the folder of the input tree that the command begins in. Outputs are files or folders relative to it.
	Dir     string
	Outputs []string
	// Inputs is the root of the input tree, whose folders are in the store. Files are the paths of those of its files that are not.
	Inputs cas.Digest
	Files  map[cas.Digest]string
	// Status is told what becomes of the work; nil is nobody.
	Status func(string)
}

// Done is what a worker has done.
type Done struct {
	ExitCode int
	// Outputs are the files and folders that were asked for and are there, by their paths. Files may be at the server only.
	Outputs *cas.Tree
	// Stdout and Stderr are what the command said.
	Stdout, Stderr []byte
	// Worker is the name of the machine; it may be empty.
	Worker string
	// Cached says that the server knew the result.
	Cached bool
}

// UnavailableError says that no worker did the work, for a reason that is not the command's: it can be done here.
type UnavailableError struct{ Why string }

func (e *UnavailableError) Error() string { return e.Why }

const (
	// maxSaid bounds what is kept of what a command says, in bytes; the end of it is left out.
	maxSaid = 16 << 20
	// cancelTime is how long the end of a build waits for the server to take the end of a command.
	cancelTime = 3 * time.Second
	// DefaultBeat is how long a server may say nothing of a command before it is asked whether it is there.
	DefaultBeat = 10 * time.Second
)

// Executes tells whether steps are given to the server's workers.
func (c *Client) Executes() bool { return c.workers != nil }

// Runs asks whether the executor that is set runs commands, for whoever wants to know.
func (c *Client) Runs() (bool, error) {
	runs, err := c.executor()
	if err != nil {
		return false, errors.New(explain(err))
	}
	return runs, nil
}

// Execute has a worker run a command. It is an [UnavailableError] when none did, a [cas.MissingError] when an input is neither here nor
// there, and the cause of ctx when that ends: the command is ended then as well.
func (c *Client) Execute(ctx context.Context, w Work) (*Done, error) {
	ctx = named(ctx, w.Name)
	done, err := c.execute(ctx, w)
	switch {
	case err == nil:
		c.counts.executed.Add(1)
		return done, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, new(*cas.MissingError)):
		return nil, err
	}
	c.counts.refused.Add(1)
	return nil, &UnavailableError{explain(err)}
}

func (c *Client) execute(ctx context.Context, w Work) (*Done, error) {
	found, err := c.canExecute()
	if err != nil {
		return nil, err
	}
	fresh := !c.config.Accept
	for again := 0; ; again++ {
		key, err := c.sendWork(ctx, found, w)
		if err != nil {
			return nil, err
		}
		response, err := c.operate(ctx, key, fresh, w.Status)
		if err == nil {
			err = status.FromProto(response.GetStatus()).Err()
		}
		switch {
		case status.Code(err) == codes.FailedPrecondition && again == 0:
			c.known.forget() // the server has lost inputs that it was known to have
		case momentary(err) && again < c.config.Retries:
			if err := pause(ctx, again); err != nil {
				return nil, err
			}
		case err != nil:
			return nil, err
		case response.GetResult().GetExitCode() != 0 && response.GetCachedResult() && !fresh:
			fresh = true // what failed once need not fail again: somebody's worker had no memory
		default:
			return c.done(ctx, response)
		}
	}
}

// canExecute is what the server can do when it has workers.
func (c *Client) canExecute() (*Capabilities, error) {
	found := c.ready()
	if found == nil {
		return nil, errGone
	}
	can, err := c.executor()
	if err == nil && !can {
		err = errors.New("the server runs no commands")
	}
	return found, err
}

// sendWork uploads everything that a worker needs and returns the digest of the action.
func (c *Client) sendWork(ctx context.Context, found *Capabilities, w Work) (*repb.Digest, error) {
	platform := &repb.Platform{}
	for _, p := range c.config.Properties {
		platform.Properties = append(platform.Properties, &repb.Platform_Property{Name: p.Name, Value: p.Value})
	}
	//nolint:staticcheck // SA1019: servers of version 2.1 and older read it here, newer ones in the action
	command := &repb.Command{Arguments: w.Args, WorkingDirectory: w.Dir, OutputPaths: slices.Sorted(slices.Values(w.Outputs)), Platform: platform}
	for _, name := range slices.Sorted(maps.Keys(w.Env)) {
		command.EnvironmentVariables = append(command.EnvironmentVariables, &repb.Command_EnvironmentVariable{Name: name, Value: w.Env[name]})
	}
	own := map[cas.Digest][]byte{}
	commandDigest, err := keepMessage(own, command)
	if err != nil {
		return nil, err
	}
	key, err := keepMessage(own, &repb.Action{CommandDigest: digestMessage(commandDigest), InputRootDigest: digestMessage(w.Inputs), Platform: platform})
	if err != nil {
		return nil, err
	}
	blobs, folders, err := c.below(w.Inputs)
	if err != nil {
		return nil, err
	}
	p := &parcel{c: c, found: found, own: own, files: w.Files}
	if err := p.deliver(ctx, slices.Concat(blobs, folders, []cas.Digest{commandDigest, key})); err != nil {
		return nil, err
	}
	c.known.wholeBelow(folders)
	return digestMessage(key), nil
}

// keepMessage encodes a message as a blob of a parcel's own.
func keepMessage(own map[cas.Digest][]byte, m proto.Message) (cas.Digest, error) {
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	d := cas.DigestBytes(text)
	own[d] = text
	return d, err
}

// below lists the files and folders of an input tree, but for what is in folders that are known to be whole at the server.
func (c *Client) below(root cas.Digest) (files, folders []cas.Digest, err error) {
	seen := map[cas.Digest]bool{}
	var visit func(d cas.Digest) error
	visit = func(d cas.Digest) error {
		if seen[d] || c.known.isWhole(d) {
			return nil
		}
		seen[d] = true
		folders = append(folders, d)
		dir, err := c.store.LoadDirectory(d)
		if err != nil {
			return err
		}
		for _, f := range dir.Files {
			if !seen[f.Digest] {
				seen[f.Digest] = true
				files = append(files, f.Digest)
			}
		}
		for _, sub := range dir.Dirs {
			if err := visit(sub.Digest); err != nil {
				return err
			}
		}
		return nil
	}
	return files, folders, visit(root)
}

func (k *known) isWhole(folder cas.Digest) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.whole[folder]
}

func (k *known) wholeBelow(folders []cas.Digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range folders {
		k.whole[d] = true
	}
}

// operate has the server run an action and waits for its end, over lost connections.
func (c *Client) operate(ctx context.Context, key *repb.Digest, fresh bool, say func(string)) (*repb.ExecuteResponse, error) {
	o := &operation{c: c, key: key, fresh: fresh, say: say}
	for failures := 0; ; failures++ {
		response, err := o.follow(ctx)
		if ctx.Err() != nil {
			o.cancel(ctx)
			return nil, context.Cause(ctx)
		}
		if err == nil {
			return response, nil
		}
		if o.heard {
			failures, o.heard = 0, false
		}
		if o.name != "" && status.Code(err) == codes.NotFound {
			o.name = "" // the server does not know it any more: it was started anew
		} else if !momentary(err) {
			return nil, err
		}
		if failures >= c.config.Retries || c.gone() {
			return nil, err
		}
		if err := pause(ctx, failures); err != nil {
			return nil, err
		}
	}
}

// operation is an action that the server runs.
type operation struct {
	c     *Client
	key   *repb.Digest
	fresh bool
	say   func(string)
	name  string // by which the server knows it; "" before it is known
	named atomic.Bool
	heard bool // something was heard of it since the last failure
}

// operations is a stream of what becomes of an action.
type operations interface {
	Recv() (*longrunningpb.Operation, error)
}

// follow begins the action, or listens again to one that was begun, until it ends or the line breaks.
func (o *operation) follow(built context.Context) (*repb.ExecuteResponse, error) {
	ctx, cancel := o.lasting(built)
	defer cancel(nil)
	o.c.counts.calls.Add(1)
	stream, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	heard := make(chan struct{}, 1)
	go o.c.watch(ctx, cancel, heard)
	for {
		m, err := stream.Recv()
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return nil, err
		}
		o.name, o.heard = m.GetName(), true
		o.named.Store(true)
		select {
		case heard <- struct{}{}:
		default:
		}
		o.tell(m)
		if m.GetDone() {
			return o.ended(m)
		}
		if err := built.Err(); err != nil {
			return nil, err
		}
	}
}

// lasting is a context that outlasts the build's by as long as it takes to hear the name of an operation, without which nobody can end it.
func (o *operation) lasting(built context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(built))
	stop := context.AfterFunc(built, func() {
		wait := cancelTime
		if o.named.Load() {
			wait = 0
		}
		time.AfterFunc(wait, func() { cancel(context.Cause(built)) })
	})
	return ctx, func(err error) {
		stop()
		cancel(err)
	}
}

func (o *operation) open(ctx context.Context) (operations, error) {
	if o.name != "" {
		return o.c.workers.WaitExecution(ctx, &repb.WaitExecutionRequest{Name: o.name})
	}
	return o.c.workers.Execute(ctx, &repb.ExecuteRequest{InstanceName: o.c.config.Instance, ActionDigest: o.key, SkipCacheLookup: o.fresh})
}

// tell passes on what stage the action is in.
func (o *operation) tell(m *longrunningpb.Operation) {
	about := &repb.ExecuteOperationMetadata{}
	if o.say == nil || m.GetMetadata().UnmarshalTo(about) != nil {
		return
	}
	switch about.GetStage() {
	case repb.ExecutionStage_QUEUED:
		o.say("waits for a worker")
	case repb.ExecutionStage_EXECUTING:
		o.say("runs on a worker")
	}
}

func (o *operation) ended(m *longrunningpb.Operation) (*repb.ExecuteResponse, error) {
	if e := m.GetError(); e != nil {
		return nil, status.FromProto(e).Err()
	}
	response := &repb.ExecuteResponse{}
	if err := m.GetResponse().UnmarshalTo(response); err != nil {
		return nil, fmt.Errorf("the server's answer is of another kind: %w", err)
	}
	return response, nil
}

// cancel ends the command on the worker, which would go on by itself.
func (o *operation) cancel(ctx context.Context) {
	if o.name == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	o.c.counts.calls.Add(1)
	_, _ = o.c.operations.CancelOperation(ctx, &longrunningpb.CancelOperationRequest{Name: o.name}) // if it cannot, it ends by itself
}

// watch asks a server that says nothing whether it is there, until ctx ends. One that does not answer is used no more.
func (c *Client) watch(ctx context.Context, cancel context.CancelCauseFunc, heard <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-heard:
			continue
		case <-time.After(c.beat):
		}
		err := c.call(ctx, 0, func(ctx context.Context) error {
			_, err := c.executorAbout.GetCapabilities(ctx, &repb.GetCapabilitiesRequest{InstanceName: c.config.Instance})
			return err
		})
		if err != nil && ctx.Err() == nil {
			c.breaker.mu.Lock()
			c.giveUp(err)
			c.breaker.mu.Unlock()
			cancel(errGone)
			return
		}
	}
}

// done takes an answer apart.
func (c *Client) done(ctx context.Context, response *repb.ExecuteResponse) (*Done, error) {
	r := response.GetResult()
	d := &Done{ExitCode: int(r.GetExitCode()), Outputs: cas.NewTree(), Worker: r.GetExecutionMetadata().GetWorker(), Cached: response.GetCachedResult()}
	var err error
	if d.Stdout, err = c.said(ctx, r.GetStdoutRaw(), r.GetStdoutDigest()); err != nil {
		return nil, err
	}
	if d.Stderr, err = c.said(ctx, r.GetStderrRaw(), r.GetStderrDigest()); err != nil {
		return nil, err
	}
	if d.ExitCode != 0 {
		return d, nil // what it left is of no use
	}
	return d, c.outputs(ctx, r, d.Outputs)
}

// outputs are the files and folders of a result. Their folders are in the store then.
func (c *Client) outputs(ctx context.Context, r *repb.ActionResult, into *cas.Tree) error {
	for _, f := range r.GetOutputFiles() {
		d, err := digestOf(f.GetDigest())
		if err != nil {
			return err
		}
		if err := checkOutput(f.GetPath()); err != nil {
			return err
		}
		into.Entries[f.GetPath()] = cas.Entry{Digest: d, Executable: f.GetIsExecutable()}
		c.known.here(d)
	}
	//nolint:staticcheck // SA1019: servers of version 2.0 say it there
	for _, l := range slices.Concat(r.GetOutputSymlinks(), r.GetOutputFileSymlinks(), r.GetOutputDirectorySymlinks()) {
		if err := checkOutput(l.GetPath()); err != nil {
			return err
		}
		into.Entries[l.GetPath()] = cas.Entry{Link: l.GetTarget()}
	}
	for _, dir := range r.GetOutputDirectories() {
		if err := checkOutput(dir.GetPath()); err != nil {
			return err
		}
		tree, err := digestOf(dir.GetTreeDigest())
		if err != nil {
			return err
		}
		root, err := c.fetchTree(ctx, tree)
		if err != nil {
			return err
		}
		sub, err := c.store.LoadTree(root)
		if err != nil {
			return err
		}
		into.Graft(dir.GetPath(), sub)
		for _, e := range sub.Entries {
			if !e.Dir && e.Link == "" {
				c.known.here(e.Digest)
			}
		}
	}
	return nil
}

// checkOutput refuses a path that leaves the folder.
func checkOutput(p string) error {
	if p == "" || path.IsAbs(p) || path.Clean(p) != p || p == ".." || len(p) > 2 && p[:3] == "../" {
		return fmt.Errorf("the worker's output %q is no path below its folder", p)
	}
	return nil
}

// said is what a command printed, which comes with the result or is a blob.
func (c *Client) said(ctx context.Context, raw []byte, blob *repb.Digest) ([]byte, error) {
	if len(raw) > 0 || blob.GetSizeBytes() == 0 {
		return raw, nil
	}
	d, err := digestOf(blob)
	if err != nil {
		return nil, err
	}
	if d.Size > maxSaid {
		return fmt.Appendf(nil, "(what it said has %d bytes and was left on the server)\n", d.Size), nil
	}
	var text bytes.Buffer
	if err := c.read(ctx, d, &text); err != nil {
		return nil, err
	}
	if cas.DigestBytes(text.Bytes()) != d {
		c.counts.wrong.Add(1)
		return nil, errors.New("what the command said is not what the server says that it said")
	}
	return text.Bytes(), nil
}

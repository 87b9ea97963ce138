package remotetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Worker runs a command with an input tree and says what came of it. It ends when ctx does.
type Worker func(ctx context.Context, s *Server, command *repb.Command, inputs *repb.Digest) (*repb.ActionResult, error)

// workers are those of a server, with what they do.
type workers struct {
	free chan struct{} // holds a token for each that has nothing to do
	mu   sync.Mutex
	last int
	all  map[string]*operation
	// cut ends each stream of operations once, after its first message.
	cut map[string]bool
}

// operation is one execution.
type operation struct {
	name   string
	cancel context.CancelFunc
	done   chan struct{}
	stage  repb.ExecutionStage_Value
	answer *repb.ExecuteResponse
}

func newWorkers(n int) *workers {
	w := &workers{free: make(chan struct{}, n), all: map[string]*operation{}, cut: map[string]bool{}}
	for range n {
		w.free <- struct{}{}
	}
	return w
}

// Running is how many commands run at this time.
func (s *Server) Running() int { return cap(s.workers.free) - len(s.workers.free) }

// Execute implements the service Execution.
func (s *Server) Execute(r *repb.ExecuteRequest, stream repb.Execution_ExecuteServer) error {
	if err := s.instance(r.InstanceName); err != nil {
		return err
	}
	if !r.SkipCacheLookup {
		s.mu.Lock()
		known := s.executed[r.ActionDigest.Hash]
		s.mu.Unlock()
		if known != nil {
			return send(stream, &operation{name: "known", stage: repb.ExecutionStage_COMPLETED, answer: &repb.ExecuteResponse{Result: known, CachedResult: true}})
		}
	}
	command, inputs, err := s.action(r.ActionDigest)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := s.workers
	w.mu.Lock()
	w.last++
	o := &operation{name: fmt.Sprintf("operations/%d", w.last), cancel: cancel, done: make(chan struct{}), stage: repb.ExecutionStage_QUEUED}
	w.all[o.name] = o
	w.mu.Unlock()
	go s.perform(ctx, o, r.ActionDigest.Hash, command, inputs)
	return s.listen(o, stream)
}

// WaitExecution implements the service Execution.
func (s *Server) WaitExecution(r *repb.WaitExecutionRequest, stream repb.Execution_WaitExecutionServer) error {
	s.workers.mu.Lock()
	o := s.workers.all[r.Name]
	s.workers.mu.Unlock()
	if o == nil {
		return status.Error(codes.NotFound, r.Name)
	}
	return s.listen(o, stream)
}

// CancelOperation implements the service Operations.
func (s *Server) CancelOperation(_ context.Context, r *longrunningpb.CancelOperationRequest) (*emptypb.Empty, error) {
	s.workers.mu.Lock()
	o := s.workers.all[r.Name]
	s.workers.mu.Unlock()
	if o == nil {
		return nil, status.Error(codes.NotFound, r.Name)
	}
	o.cancel()
	return &emptypb.Empty{}, nil
}

// Restart forgets all operations, as a server does that is started anew. The commands run on.
func (s *Server) Restart() {
	s.workers.mu.Lock()
	defer s.workers.mu.Unlock()
	s.workers.all = map[string]*operation{}
}

// action reads an action and its command. Everything that it names has to be there.
func (s *Server) action(d *repb.Digest) (*repb.Command, *repb.Digest, error) {
	act, command := &repb.Action{}, &repb.Command{}
	if err := s.message(d, act); err != nil {
		return nil, nil, err
	}
	if err := s.message(act.CommandDigest, command); err != nil {
		return nil, nil, err
	}
	return command, act.InputRootDigest, s.whole(act.InputRootDigest)
}

// message reads a message that is a blob.
func (s *Server) message(d *repb.Digest, into proto.Message) error {
	text, ok := s.blob(d.GetHash())
	if !ok {
		return status.Errorf(codes.FailedPrecondition, "blob %s is missing", d.GetHash())
	}
	return proto.Unmarshal(text, into)
}

// whole looks whether a tree is there.
func (s *Server) whole(root *repb.Digest) error {
	dir := &repb.Directory{}
	if err := s.message(root, dir); err != nil {
		return err
	}
	for _, f := range dir.Files {
		if _, ok := s.blob(f.Digest.Hash); !ok {
			return status.Errorf(codes.FailedPrecondition, "blob %s is missing", f.Digest.Hash)
		}
	}
	for _, sub := range dir.Directories {
		if err := s.whole(sub.Digest); err != nil {
			return err
		}
	}
	return nil
}

// perform waits for a worker and has it do its work.
func (s *Server) perform(ctx context.Context, o *operation, key string, command *repb.Command, inputs *repb.Digest) {
	defer close(o.done)
	select {
	case <-s.workers.free:
		defer func() { s.workers.free <- struct{}{} }()
	case <-ctx.Done():
		o.answer = &repb.ExecuteResponse{Status: status.New(codes.Canceled, "cancelled").Proto()}
		return
	}
	result, err := s.Faults.Worker(ctx, s, command, inputs)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		o.answer = &repb.ExecuteResponse{Status: status.Convert(err).Proto()}
		return
	}
	o.answer = &repb.ExecuteResponse{Result: result}
	s.mu.Lock()
	s.executed[key] = result
	s.mu.Unlock()
}

// listen tells a stream what becomes of an operation.
func (s *Server) listen(o *operation, stream repb.Execution_ExecuteServer) error {
	if err := send(stream, &operation{name: o.name, stage: repb.ExecutionStage_EXECUTING}); err != nil {
		return err
	}
	s.workers.mu.Lock()
	cut := s.Faults.CutOperations && !s.workers.cut[o.name]
	s.workers.cut[o.name] = true
	s.workers.mu.Unlock()
	if cut {
		return status.Error(codes.Unavailable, "cut")
	}
	select {
	case <-o.done:
		return send(stream, &operation{name: o.name, stage: repb.ExecutionStage_COMPLETED, answer: o.answer})
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
}

func send(stream repb.Execution_ExecuteServer, o *operation) error {
	about, err := anypb.New(&repb.ExecuteOperationMetadata{Stage: o.stage})
	if err != nil {
		return err
	}
	m := &longrunningpb.Operation{Name: o.name, Metadata: about}
	if o.answer != nil {
		answer, err := anypb.New(o.answer)
		if err != nil {
			return err
		}
		m.Done, m.Result = true, &longrunningpb.Operation_Response{Response: answer}
	}
	return stream.Send(m)
}

// InFolder is a worker that lays the inputs out in a folder of this machine and runs the command there.
func InFolder(ctx context.Context, s *Server, command *repb.Command, inputs *repb.Digest) (*repb.ActionResult, error) {
	dir, err := os.MkdirTemp("", "worker")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := s.layOut(inputs, dir); err != nil {
		return nil, err
	}
	root := filepath.Join(dir, command.WorkingDirectory)
	for _, out := range command.OutputPaths {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, out)), 0o755); err != nil {
			return nil, err
		}
	}
	program := command.Arguments[0]
	if !filepath.IsAbs(program) {
		program = filepath.Join(root, program)
	}
	cmd := exec.CommandContext(ctx, program, command.Arguments[1:]...)
	cmd.Args[0], cmd.Dir, cmd.Env = command.Arguments[0], root, []string{}
	for _, e := range command.EnvironmentVariables {
		cmd.Env = append(cmd.Env, e.Name+"="+e.Value)
	}
	errs := &limited{}
	cmd.Stderr = errs
	out, err := cmd.Output()
	result := &repb.ActionResult{StdoutRaw: out, StderrRaw: errs.text, ExecutionMetadata: &repb.ExecutedActionMetadata{Worker: "folder"}}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		result.ExitCode = int32(exit.ExitCode())
		return result, nil
	}
	if err != nil {
		return nil, err
	}
	for _, out := range command.OutputPaths {
		if err := s.collect(result, root, out); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// limited keeps what is written to it.
type limited struct{ text []byte }

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	l.text = append(l.text, p...)
	return len(p), nil
}

// layOut writes a tree to a folder.
func (s *Server) layOut(root *repb.Digest, dir string) error {
	d := &repb.Directory{}
	if err := s.message(root, d); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range d.Files {
		text, _ := s.blob(f.Digest.Hash)
		mode := os.FileMode(0o644)
		if f.IsExecutable {
			mode = 0o755
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name), text, mode); err != nil {
			return err
		}
	}
	for _, l := range d.Symlinks {
		if err := os.Symlink(l.Target, filepath.Join(dir, l.Name)); err != nil {
			return err
		}
	}
	for _, sub := range d.Directories {
		if err := s.layOut(sub.Digest, filepath.Join(dir, sub.Name)); err != nil {
			return err
		}
	}
	return nil
}

// collect adds an output to a result; one that is not there is left out.
func (s *Server) collect(r *repb.ActionResult, root, out string) error {
	path := filepath.Join(root, out)
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	if !info.IsDir() {
		text, err := os.ReadFile(path)
		r.OutputFiles = append(r.OutputFiles, &repb.OutputFile{Path: out, Digest: s.Put(text), IsExecutable: info.Mode()&0o100 != 0})
		return err
	}
	tree := &repb.Tree{}
	if tree.Root, err = s.folder(path, tree); err != nil {
		return err
	}
	text, err := proto.Marshal(tree)
	r.OutputDirectories = append(r.OutputDirectories, &repb.OutputDirectory{Path: out, TreeDigest: s.Put(text)})
	return err
}

// folder is the message of a folder; those below it are added to the tree.
func (s *Server) folder(path string, tree *repb.Tree) (*repb.Directory, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	d := &repb.Directory{}
	for _, e := range entries {
		at := filepath.Join(path, e.Name())
		if !e.IsDir() {
			info, err := e.Info()
			if err != nil {
				return nil, err
			}
			text, err := os.ReadFile(at)
			if err != nil {
				return nil, err
			}
			d.Files = append(d.Files, &repb.FileNode{Name: e.Name(), Digest: s.Put(text), IsExecutable: info.Mode()&0o100 != 0})
			continue
		}
		sub, err := s.folder(at, tree)
		if err != nil {
			return nil, err
		}
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(sub)
		if err != nil {
			return nil, err
		}
		tree.Children = append(tree.Children, sub)
		d.Directories = append(d.Directories, &repb.DirectoryNode{Name: e.Name(), Digest: s.Put(text)})
	}
	return d, nil
}

package qemu

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	ours "github.com/pannous/redox-clif/internal/process"
)

// Outcome is how a run ended.
type Outcome string

// The outcomes.
const (
	Passed      Outcome = "passed"
	Forbidden   Outcome = "forbidden line"  // Result.Line matches Result.Step
	WrongAnswer Outcome = "wrong answer"    // Result.Line is what Result.Step claims, and not its pattern
	Died        Outcome = "died"            // Result.Line are last words, of which Result.Step is the meaning
	Silence     Outcome = "silence"         // nothing was printed for Limits.Silence
	TimeLimit   Outcome = "time limit"      // Limits.Total was reached
	Ended       Outcome = "ended too early" // the guest powered off or reset with steps missing
	Cancelled   Outcome = "cancelled"       // by ctx, or the log could not be written
	QEMUFailed  Outcome = "qemu failed"     // exit status other than 0; see Result.Stderr
)

// Limits bound a run; a zero limit is an error, since a guest may hang in any
// of the ways they catch.
type Limits struct {
	Silence time.Duration // without any output
	Total   time.Duration
	// Grace is the silence that ends a run after last words, a forbidden line or a wrong answer, and ten times as much ends it even without silence; 0 is a second.
	Grace time.Duration
}

func (l Limits) grace() time.Duration {
	if l.Grace == 0 {
		return time.Second
	}
	return l.Grace
}

// Options of a run.
type Options struct {
	Limits Limits
	Log    string    // file the complete serial output goes to, as it comes, its folder made when it is missing; "" for none
	Stream io.Writer // a copy of the serial output, for -v; may be nil
	Env    []string  // QEMU's whole environment; nil is an empty one
	Dir    string    // working directory; "" for the caller's
}

// Result is what happened.
type Result struct {
	Outcome Outcome
	Line    string       // the line that decided it, for Forbidden, WrongAnswer and Died
	LineNo  int          // its number from 1; else lines seen
	Step    string       // the forbidden pattern, or the step that was answered wrongly
	Steps   []StepResult // all steps of the script, in its order
	Last    []string     // the last lines, or those around the one that decided, at most 20
	Exit    int          // QEMU's exit status; -1 when it was killed
	Stderr  string       // what QEMU itself said, at most 64 KiB
	Elapsed time.Duration
	Argv    []string // the command, to repeat it by hand
	Traces  string   // what the log has of stacks, in functions and lines; lines for people, filled in by who knows the programs
	Log     string
}

// StepResult is what became of a step.
type StepResult struct {
	Name     string `json:"name"` // of the step, or its pattern
	Seen     bool   `json:"seen"`
	AtMillis int64  `json:"at_ms,omitempty"` // when it was seen, after the start
}

// Missing are the names of the steps that were not seen.
func (r *Result) Missing() []string {
	var names []string
	for _, s := range r.Steps {
		if !s.Seen {
			names = append(names, s.Name)
		}
	}
	return names
}

// Err returns nil for a passed run, or a *GuestError.
func (r *Result) Err() error {
	if r.Outcome == Passed {
		return nil
	}
	return &GuestError{r}
}

// GuestError is a run that did not pass, with everything needed to see why.
type GuestError struct{ Result *Result }

func (e *GuestError) Error() string {
	r := e.Result
	var b strings.Builder
	fmt.Fprintf(&b, "%s after %s", r.Outcome, r.Elapsed.Round(100*time.Millisecond))
	switch r.Outcome {
	case Forbidden:
		fmt.Fprintf(&b, ": line %d matches %s: %s", r.LineNo, r.Step, r.Line)
	case WrongAnswer:
		fmt.Fprintf(&b, ": line %d is not what %q wants: %s", r.LineNo, r.Step, r.Line)
	case Died:
		fmt.Fprintf(&b, ": %s, line %d: %s", r.Step, r.LineNo, r.Line)
	case QEMUFailed:
		fmt.Fprintf(&b, ": exit status %d", r.Exit)
	}
	if missing := r.Missing(); len(missing) > 0 {
		fmt.Fprintf(&b, "\nnot seen: %s", strings.Join(missing, "; "))
	} else if r.Outcome == Silence || r.Outcome == TimeLimit {
		b.WriteString("\neverything was seen, but the guest did not power off")
	}
	if s := strings.TrimSpace(r.Stderr); s != "" {
		fmt.Fprintf(&b, "\nqemu says: %s", s)
	}
	if len(r.Last) > 0 {
		which := "last lines"
		if r.Outcome == Died || r.Outcome == Forbidden || r.Outcome == WrongAnswer {
			which = "the lines around it"
		}
		fmt.Fprintf(&b, "\n%s:\n  %s", which, strings.Join(r.Last, "\n  "))
	}
	if r.Traces != "" {
		fmt.Fprintf(&b, "\nwhere it was:\n  %s", strings.ReplaceAll(strings.TrimSpace(r.Traces), "\n", "\n  "))
	}
	if r.Log != "" {
		fmt.Fprintf(&b, "\nlog: %s", r.Log)
	}
	return b.String()
}

// Run starts the machine and follows the script until it is decided. Nothing
// that was started outlives it: the whole process group is killed. The error is
// about starting (a *NotInstalledError when there is no QEMU) or ctx; what the
// guest did is in the Result, which is there also when ctx ended the run.
func Run(ctx context.Context, m Machine, script Script, opts Options) (*Result, error) {
	args, err := m.Args()
	if err != nil {
		return nil, err
	}
	if err := script.check(); err != nil {
		return nil, err
	}
	if opts.Limits.Silence <= 0 || opts.Limits.Total <= 0 {
		return nil, errors.New("a run needs a silence limit and a total limit")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sink, closeLog, err := openLog(opts)
	if err != nil {
		return nil, err
	}
	defer func() { _ = closeLog() }() // after a run its error is returned
	p, err := start(m.Binary, args, opts)
	if err != nil {
		return nil, err
	}
	r := &Result{Argv: append([]string{m.Binary}, args...), Log: opts.Log}
	begin := time.Now()
	runErr := r.follow(ctx, p, newMatcher(script, p.send), sink, opts.Limits)
	r.Elapsed = time.Since(begin)
	r.Stderr = p.stderr.String()
	if err := closeLog(); err != nil && runErr == nil {
		runErr = err
	}
	return r, runErr
}

// follow reads until the script is decided, then ends the process.
func (r *Result) follow(ctx context.Context, p *process, m *matcher, sink io.Writer, limits Limits) error {
	silence, total := time.NewTimer(limits.Silence), time.NewTimer(limits.Total)
	defer silence.Stop()
	defer total.Stop()
	var err error
	ended := false                // by itself, with all its output read
	var patience <-chan time.Time // with a guest that goes on printing after a line that decides
loop:
	for {
		select {
		case <-ctx.Done():
			err = ctx.Err()
			break loop
		case <-total.C:
			m.finish()
			r.Outcome = TimeLimit
			break loop
		case <-silence.C:
			m.finish()
			r.Outcome = Silence
			break loop
		case <-patience:
			if !m.ending() {
				continue
			}
			m.finish()
			r.Outcome = Died
			break loop
		case b, ok := <-p.output:
			if !ok {
				m.finish()
				ended = true
				break loop
			}
			silence.Reset(limits.Silence)
			if _, err = sink.Write(b); err != nil {
				break loop
			}
			if m.feed(b) {
				break loop
			}
			if m.ending() {
				silence.Reset(min(limits.grace(), limits.Silence))
			}
			if patience == nil && (m.died != nil || m.failed != "") {
				patience = time.After(10 * limits.grace())
			}
		}
	}
	r.Exit = p.end(ended)
	r.decide(m, ended)
	return err
}

func (r *Result) decide(m *matcher, ended bool) {
	r.Line, r.LineNo, r.Step = m.failLine, m.failedAt, m.failStep
	r.Steps, r.Last = m.steps, m.last
	switch {
	case m.failed != "":
		r.Outcome = m.failed
	case ended && r.Exit != 0:
		r.Outcome = QEMUFailed
	case m.passed(ended):
		r.Outcome = Passed
	case m.died != nil && (ended || r.Outcome != ""):
		r.Outcome = Died
		r.Line, r.LineNo, r.Step = m.died.line, m.died.number, m.died.meaning
	case ended:
		r.Outcome = Ended
	case r.Outcome == "":
		r.Outcome = Cancelled
	}
}

func openLog(opts Options) (io.Writer, func() error, error) {
	var sinks []io.Writer
	closeLog := func() error { return nil }
	if opts.Log != "" {
		if err := os.MkdirAll(filepath.Dir(opts.Log), 0o755); err != nil {
			return nil, nil, err
		}
		f, err := os.Create(opts.Log)
		if err != nil {
			return nil, nil, err
		}
		sinks, closeLog = append(sinks, f), sync.OnceValue(f.Close)
	}
	if opts.Stream != nil {
		sinks = append(sinks, opts.Stream)
	}
	return io.MultiWriter(sinks...), closeLog, nil
}

// process is QEMU and whatever it started, in a process group of their own.
type process struct {
	cmd    *exec.Cmd
	output chan []byte // serial output; closed at its end
	stdin  io.WriteCloser
	stderr *limited
	typed  chan struct{} // closed when what was sent last is written; nil before
	quit   chan struct{} // closed when nobody reads output any more
	exited chan struct{}
}

func start(binary string, args []string, opts Options) (*process, error) {
	p := &process{output: make(chan []byte, 16), stderr: &limited{}, quit: make(chan struct{}), exited: make(chan struct{})}
	p.cmd = exec.Command(binary, args...)
	p.cmd.Dir, p.cmd.Stderr = opts.Dir, p.stderr
	p.cmd.Env = append([]string{}, opts.Env...) // not nil, which would mean ours
	p.cmd.SysProcAttr = ownGroup()
	// Should a grandchild hold stderr open, Wait gives up on it.
	p.cmd.WaitDelay = 2 * time.Second
	// A pipe of our own: Wait must not close it before everything is read.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout = w
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	started := make(chan error)
	go p.supervise(w, started)
	if err := <-started; err != nil {
		_ = r.Close()
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(notInstalled(binary), err)
		}
		return nil, err
	}
	go p.read(r)
	return p, nil
}

// supervise starts the process and waits for it on one locked thread: the
// parent-death signal of Linux is tied to the thread that started the child.
func (p *process) supervise(w *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	_ = w.Close() // QEMU has its own
	if err != nil {
		started <- err
		return
	}
	over, err := ours.Watch(-p.cmd.Process.Pid)
	started <- err
	if err != nil {
		killGroup(p.cmd.Process.Pid)
		_ = p.cmd.Wait()
		return
	}
	_ = p.cmd.Wait() // the status is in ProcessState
	over()
	// The leader is gone, its children may not be; they would also hold the
	// serial line open.
	killGroup(p.cmd.Process.Pid)
	close(p.exited)
}

func (p *process) read(r *os.File) {
	defer r.Close()
	defer close(p.output)
	buf := make([]byte, 16<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			select {
			case p.output <- append([]byte(nil), buf[:n]...):
			case <-p.quit:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// send types into the guest, after what was sent before. It must not block: a guest that reads nothing
// fills the pipe.
func (p *process) send(s string) {
	before, done := p.typed, make(chan struct{})
	p.typed = done
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		_, _ = io.WriteString(p.stdin, s) // a guest that is gone shows otherwise
	}()
}

// end makes sure that nothing is left and returns the exit status. A process
// that has closed its output gets a moment to exit by itself, for its status.
func (p *process) end(closedOutput bool) int {
	close(p.quit)
	patience := time.Duration(0)
	if closedOutput {
		patience = 2 * time.Second
	}
	select {
	case <-p.exited:
	case <-time.After(patience):
		killGroup(p.cmd.Process.Pid)
		<-p.exited
	}
	_ = p.stdin.Close() // nobody reads it any more
	return p.cmd.ProcessState.ExitCode()
}

// limited keeps the first 64 KiB.
type limited struct {
	mu sync.Mutex
	b  []byte
}

func (l *limited) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, b[:min(len(b), 64<<10-len(l.b))]...)
	return len(b), nil
}

func (l *limited) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}

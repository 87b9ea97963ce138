// Package process starts the programs a build needs and ends them with it.
//
// It owns process groups, cancellation, output capture and the jobserver pipe. It
// must not know what the programs are for, nor choose their environment: that is
// given whole by the caller.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// grace is what a cancelled program gets between SIGTERM and SIGKILL. Mage gives its
// targets five seconds after Ctrl-C, so it has to be less.
const grace = 2 * time.Second

// Process is a program to run.
type Process struct {
	// Args is the argv; Args[0] is a path or a name looked up in this process's PATH.
	Args []string
	// Env is the whole environment as NAME=value.
	Env []string
	// Dir is the working directory.
	Dir string
	// Output receives standard output and standard error together.
	Output io.Writer
	// Errors, when given, receives standard error in place of Output.
	Errors io.Writer
	// Files are inherited as descriptors 3, 4, … by the program and its children.
	Files []*os.File
	// User, when given, is who the program believes it runs as.
	User *User
	// Isolated has the program begin as the first process of namespaces of its own (users, mounts, processes, network, IPC), with
	// the capabilities to arrange them. To do so, and to give them up, is the program's task. When it ends, so does all that
	// it started. Only Linux has them.
	Isolated bool
}

// ExitError says that a program ran and failed.
type ExitError struct {
	Args   []string
	Code   int // -1 when a signal ended it
	Signal string
}

func (e *ExitError) Error() string {
	if e.Signal != "" {
		return fmt.Sprintf("%s was ended by signal %s", e.Args[0], e.Signal)
	}
	return fmt.Sprintf("%s exited with status %d", e.Args[0], e.Code)
}

// Exec runs p to its end. When ctx is cancelled the whole process group gets SIGTERM, then
// SIGKILL, and the context's error is returned. The program does not outlive this process.
func Exec(ctx context.Context, p Process) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	cmd := exec.CommandContext(ctx, p.Args[0], p.Args[1:]...)
	cmd.Env = p.Env
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	cmd.Dir = p.Dir
	cmd.Stdout, cmd.Stderr = p.Output, p.Output
	if p.Errors != nil {
		cmd.Stderr = p.Errors
	}
	cmd.ExtraFiles = p.Files
	cmd.SysProcAttr = groupAttr()
	if err := setNamespaces(cmd.SysProcAttr, p); err != nil {
		return err
	}
	cmd.Cancel = func() error { return signalGroup(cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", p.Args[0], err)
	}
	over, err := Watch(-cmd.Process.Pid)
	if err != nil {
		_ = signalGroup(cmd.Process.Pid, syscall.SIGKILL)
		return errors.Join(err, cmd.Wait())
	}
	err = cmd.Wait()
	over()
	// Whatever the program left behind in its group would go on writing into the build.
	_ = signalGroup(cmd.Process.Pid, syscall.SIGKILL)
	if err == nil || errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success() {
		// Done, even if the context ended just then, or something left behind held the output open.
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return exitError(p.Args, err)
}

func exitError(args []string, err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &ExitError{args, -1, status.Signal().String()}
	}
	return &ExitError{args, exit.ExitCode(), ""}
}

// Output runs a short program with the given environment and returns its standard output
// and error together. On failure the text is part of the error.
func Output(ctx context.Context, env []string, args ...string) ([]byte, error) {
	var b bytes.Buffer
	if err := Exec(ctx, Process{Args: args, Env: env, Output: &b}); err != nil {
		return b.Bytes(), fmt.Errorf("%w: %s", err, strings.TrimSpace(b.String()))
	}
	return b.Bytes(), nil
}

// Quote writes an argv so that a POSIX shell reads it back.
func Quote(args []string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = quoteOne(a)
	}
	return strings.Join(quoted, " ")
}

const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+./:,@%"

func quoteOne(a string) string {
	if a != "" && strings.Trim(a, plain) == "" {
		return a
	}
	return "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
}

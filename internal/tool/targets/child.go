//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/process"
)

// How long an interrupt waits for the second one that a Ctrl-C brings. On a busy machine the two may reach this process
// as one; so in the foreground of a terminal it waits longer than a target takes to end (Mage gives it 5 s).
const (
	pairWindow       = 500 * time.Millisecond
	foregroundWindow = 6 * time.Second
)

// endings are the signals that end a run.
var endings = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// signalled is the cause of a context that a signal ended.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return "stopped: " + s.String() }

// untilSignal is a context that ends with the first signal that ends a run.
func untilSignal() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	notify(signals, endings)
	go func() {
		select {
		case s := <-signals:
			cancel(signalled{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}

// notify leaves out what is ignored here (nohup).
func notify(c chan<- os.Signal, wanted []os.Signal) {
	for _, s := range wanted {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
}

// signalOf is what ended a context of untilSignal; nil when nothing has.
func signalOf(ctx context.Context) os.Signal {
	var s signalled
	errors.As(context.Cause(ctx), &s)
	return s.Signal
}

// stopped is the exit code of a run that a signal ended: as shells say it.
func stopped(s os.Signal) int {
	if number, ok := s.(syscall.Signal); ok {
		return 128 + int(number)
	}
	return failed
}

// runChild runs the compiled targets to their end and returns their exit status; that of the signal when one came and they did not
// end well.
//
// It is no exec because of Ctrl-C: the terminal sends it to every process of its group, and `go tool` sends what it
// gets to its child again. A target that sees two interrupts does not wait for what it stops. Here the second of
// two is dropped, and one that came alone (kill -INT) is handed on. So are, as interrupts, the other signals that end a run: Mage knows
// no other, and a target that does not know that it ends leaves running what its tools have started.
func runChild(argv []string) int {
	// The kernel ends the child with the thread that started it.
	runtime.LockOSThread()
	signals := make(chan os.Signal, 8)
	notify(signals, append([]os.Signal{syscall.SIGQUIT}, endings...))
	child, err := os.StartProcess(argv[0], argv, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Sys: process.EndsWithUs()})
	if err != nil {
		return fail(err)
	}
	over, err := process.Watch(child.Pid)
	if err != nil {
		return fail(errors.Join(err, child.Kill()))
	}
	window := pairWindow
	if inForeground() {
		window = foregroundWindow
	}
	ended, ending := make(chan struct{}), make(chan os.Signal, 1)
	go func() { ending <- forward(signals, ended, window, func(s os.Signal) { _ = child.Signal(s) }) }()
	state, err := child.Wait()
	over()
	close(ended)
	s := <-ending
	status, ok := syscall.WaitStatus(0), false
	if err == nil {
		status, ok = state.Sys().(syscall.WaitStatus)
	}
	switch {
	case err != nil:
		return fail(err)
	case s != nil && !state.Success():
		return stopped(s)
	case ok && status.Signaled():
		return stopped(status.Signal())
	}
	return state.ExitCode()
}

// inForeground tells whether a Ctrl-C in the terminal that this runs in is for this process.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// forward hands signals on until ended is closed, a pair of interrupts within the window never. It returns the last that ends a run.
func forward(signals <-chan os.Signal, ended <-chan struct{}, window time.Duration, send func(os.Signal)) (last os.Signal) {
	var alone <-chan time.Time // fires when an interrupt came without a second one
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGQUIT {
				send(s)
				continue
			}
			last = s
			switch {
			case s != os.Interrupt:
				send(os.Interrupt)
			case alone != nil:
				alone = nil
			default:
				alone = time.After(window)
			}
		case <-alone:
			alone = nil
			send(os.Interrupt)
		case <-ended:
			select {
			case s := <-signals:
				last = s
			default:
			}
			return last
		}
	}
}

package main

import (
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

// runChild runs the compiled targets to their end and returns their exit status.
//
// It is no exec because of Ctrl-C: the terminal sends it to every process of its group, and `go tool` sends what it
// gets to its child again. A target that sees two interrupts does not wait for what it stops. Here the second of
// two is dropped, and one that came alone (kill -INT) is handed on.
func runChild(argv []string) int {
	// The kernel ends the child with the thread that started it.
	runtime.LockOSThread()
	signals := make(chan os.Signal, 8)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(s) { // nohup: what is ignored here stays so in the child
			signal.Notify(signals, s)
		}
	}
	child, err := os.StartProcess(argv[0], argv, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}, Sys: process.EndsWithUs()})
	if err != nil {
		return fail(err)
	}
	ended := make(chan struct{})
	window := pairWindow
	if inForeground() {
		window = foregroundWindow
	}
	go forward(signals, ended, window, func(s os.Signal) { _ = child.Signal(s) })
	state, err := child.Wait()
	close(ended)
	if err != nil {
		return fail(err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()) // as shells say it
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

// forward hands signals on until ended is closed, a pair of interrupts within the window never.
func forward(signals <-chan os.Signal, ended <-chan struct{}, window time.Duration, send func(os.Signal)) {
	var alone <-chan time.Time // fires when an interrupt came without a second one
	for {
		select {
		case s := <-signals:
			switch {
			case s != os.Interrupt:
				send(s)
			case alone != nil:
				alone = nil
			default:
				alone = time.After(window)
			}
		case <-alone:
			alone = nil
			send(os.Interrupt)
		case <-ended:
			return
		}
	}
}

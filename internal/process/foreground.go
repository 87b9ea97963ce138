package process

import (
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// Foreground runs a program with the terminal its own, so that Ctrl-C is for it alone: a debugger stops its guest by it.
func Foreground(cmd *exec.Cmd) error {
	fd := int(os.Stdin.Fd())
	if !term.IsTerminal(fd) {
		return cmd.Run()
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: fd, Setpgid: true}
	// Whoever takes the terminal back is in its background until then, where that stops a process unless it does not heed the signal.
	signal.Ignore(syscall.SIGTTOU)
	defer signal.Reset(syscall.SIGTTOU)
	err := cmd.Run()
	_ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, unix.Getpgrp()) // a terminal that is gone needs no owner
	return err
}

package main

import "syscall"

// ended has a command end with the launcher: a worker that gives up may end only what it has started itself.
func ended() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

package main

import "syscall"

// endsWithUs has the kernel end the child when this process is killed.
func endsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

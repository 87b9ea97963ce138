package run

import "syscall"

// groupAttr puts the program into a group of its own and has the kernel end it
// when this process dies, even by kill -9.
func groupAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

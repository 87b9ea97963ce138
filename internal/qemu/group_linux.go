package qemu

import "syscall"

// ownGroup puts the child in its own process group, so that Ctrl-C reaches only
// us, and has the kernel kill it when we die without a chance to do it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// killGroup kills a process group; one that is gone is fine.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// apart puts the child in its own process group.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

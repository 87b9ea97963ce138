//go:build unix && !linux

package qemu

import "syscall"

// ownGroup puts the child in its own process group, so that Ctrl-C reaches only
// us.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills a process group; one that is gone is fine.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// apart puts the child in its own process group.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

package process

import "syscall"

func signalGroup(pid int, sig syscall.Signal) error { return syscall.Kill(-pid, sig) }

// groupAttr puts the program into a group of its own, and lets it end with us.
func groupAttr() *syscall.SysProcAttr {
	attr := EndsWithUs()
	attr.Setpgid = true
	return attr
}

// ownGroup puts a program into a group of its own and nothing else.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

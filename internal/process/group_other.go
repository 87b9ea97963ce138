//go:build !linux

package process

import "syscall"

// EndsWithUs does nothing here: only Linux ends a program with the one that started it. [Watch] does.
func EndsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// Watch has a program that was started with [EndsWithUs], or with a negative number a process group, end with this process, even by
// kill -9. The returned function is to be called when the program has ended.
func Watch(pid int) (func(), error) { return watch(pid) }

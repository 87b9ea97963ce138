//go:build !linux

package process

import "syscall"

// EndsWithUs does nothing here: only Linux ends a program with the one that started it.
func EndsWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

//go:build !linux

package main

import "syscall"

// ended has a command end with the launcher, where the system can do that.
func ended() *syscall.SysProcAttr { return nil }

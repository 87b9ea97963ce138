//go:build !linux

package redoxfs

import "syscall"

func endsWithUs() *syscall.SysProcAttr { return nil }

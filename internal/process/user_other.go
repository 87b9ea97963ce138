//go:build !linux

package process

import (
	"errors"
	"syscall"
)

func setUser(_ *syscall.SysProcAttr, u *User) error {
	if u == nil {
		return nil
	}
	return errors.New("this system has no user namespaces")
}

//go:build !linux

package process

import (
	"errors"
	"syscall"
)

func setNamespaces(_ *syscall.SysProcAttr, p Process) error {
	if p.User == nil && !p.Isolated {
		return nil
	}
	return errors.New("this system has no user namespaces")
}

package process

import (
	"os"
	"syscall"
)

// setUser has a program started under another identity.
func setUser(attr *syscall.SysProcAttr, u *User) error {
	if u == nil {
		return nil
	}
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: u.UID, HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: u.GID, HostID: os.Getegid(), Size: 1}}
	return nil
}

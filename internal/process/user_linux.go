package process

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// arrange are the capabilities by which the first process of namespaces lays them out: mounts, the loopback device, and
// giving capabilities up for good.
var arrange = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP}

// setNamespaces has a program started under another identity, or in namespaces of its own.
func setNamespaces(attr *syscall.SysProcAttr, p Process) error {
	if p.User == nil && !p.Isolated {
		return nil
	}
	attr.Cloneflags |= syscall.CLONE_NEWUSER
	if p.Isolated {
		attr.Cloneflags |= syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC
		attr.AmbientCaps = arrange
	}
	return mapUsers(attr, p.User)
}

// mapUsers says who is who in the new user namespace. Root stays everybody: what it may read belongs to many.
func mapUsers(attr *syscall.SysProcAttr, u *User) (err error) {
	switch {
	case u != nil:
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: u.UID, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: u.GID, HostID: os.Getegid(), Size: 1}}
	case os.Geteuid() == 0:
		if attr.UidMappings, err = sameIDs("/proc/self/uid_map"); err == nil {
			attr.GidMappings, err = sameIDs("/proc/self/gid_map")
		}
	default:
		return mapUsers(attr, &User{os.Geteuid(), os.Getegid()})
	}
	return err
}

// sameIDs maps all that this process's own namespace knows to itself.
func sameIDs(table string) ([]syscall.SysProcIDMap, error) {
	f, err := os.Open(table)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []syscall.SysProcIDMap
	for {
		var inside, outside, size int
		if n, _ := fmt.Fscan(f, &inside, &outside, &size); n < 3 {
			return all, nil
		}
		all = append(all, syscall.SysProcIDMap{ContainerID: inside, HostID: inside, Size: size})
	}
}

//go:build unix

package pkgar

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockFolder takes the lock of an open folder or file without waiting. It reports false if somebody else has it.
func lockFolder(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

package process

import (
	"os"

	"golang.org/x/sys/unix"
)

// pending is how many bytes are in a pipe; ok is false where that cannot be asked.
func pending(r *os.File) (n int, ok bool) {
	n, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
	return n, err == nil
}

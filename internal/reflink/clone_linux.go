package reflink

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// clone uses the ioctl FICLONE (ioctl_ficlone(2)), which fills a file that is there.
func clone(src *os.File, dst string) error {
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = os.NewSyscallError("FICLONE", unix.IoctlFileClone(int(out.Fd()), int(src.Fd())))
	if err = errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(dst)
	}
	return err
}

//go:build !linux

package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// reflink is not offered to open files by macOS; the sparse copy takes its place.
func reflink(_, _ *os.File) error { return errors.ErrUnsupported }

// nextData knows no holes; the copy finds them by their zeros.
func nextData(_ *os.File, at, _ int64) int64 { return at }

func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

func allocated(info os.FileInfo) int64 { return info.Size() }

package disk

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// nextData is where the next bytes that are no hole begin, at or after at; where the file system knows no holes, that is at.
func nextData(f *os.File, at, size int64) int64 {
	next, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
	switch {
	case err == unix.ENXIO: // only a hole from here on
		return size
	case err != nil:
		return at
	}
	return next
}

func freeBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}

// allocated is how much a file takes on the disk.
func allocated(info os.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}

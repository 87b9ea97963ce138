package disk

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// users of a file: who holds it open, as far as that can be seen.
//
// QEMU locks bytes 100 to 300 of its images by open-file-description locks (its file-posix driver), which shows
// also what belongs to other people; /proc shows all of our own processes, and a loop device names its file.
func users(_ context.Context, path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	found := holders(info)
	if len(found) == 0 && locked(path) {
		found = append(found, "another process, which has locked it as QEMU does")
	}
	return append(found, loops(info)...), nil
}

func holders(info os.FileInfo) []string {
	var found []string
	procs, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range procs {
		pid, _ := strconv.Atoi(filepath.Base(proc))
		if pid == os.Getpid() {
			continue
		}
		fds, err := os.ReadDir(proc + "/fd")
		if err != nil {
			continue // gone, or somebody else's
		}
		for _, fd := range fds {
			if at, err := os.Stat(proc + "/fd/" + fd.Name()); err == nil && os.SameFile(at, info) {
				name, _ := os.ReadFile(proc + "/comm")
				found = append(found, fmt.Sprintf("%s (process %d)", strings.TrimSpace(string(name)), pid))
				break
			}
		}
	}
	return found
}

func locked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	// A read lock conflicts with nobody's shared lock, and a write lock cannot be asked about by a
	// descriptor that is open for reading; F_OFD_GETLK does not mind.
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0, Start: 100, Len: 201}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false
	}
	return l.Type != unix.F_UNLCK
}

func loops(info os.FileInfo) []string {
	var found []string
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		if at, err := os.Stat(strings.TrimSpace(string(text))); err == nil && os.SameFile(at, info) {
			found = append(found, "/dev/"+strings.Split(f, "/")[3]+" (a mounted loop device)")
		}
	}
	return found
}

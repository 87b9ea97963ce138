package lockfile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Holder says for people who has the lock of path, as far as /proc tells: a step of this run itself, or processes with their
// numbers. A lock is often that of a compiler which a killed run left behind, so that "another build" would be a guess.
func Holder(path string) string {
	pids := having(path)
	switch {
	case slices.Contains(pids, os.Getpid()):
		return "another step of this run"
	case len(pids) == 0:
		return "another process"
	}
	var names []string
	for _, pid := range pids {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)) // it may have ended just now
		names = append(names, fmt.Sprintf("process %d (%s)", pid, strings.TrimSpace(string(comm))))
	}
	return strings.Join(names, ", ")
}

// having are the processes that have a file open. One that waits for a lock has its file open only for the moment of a try.
func having(path string) []int {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return nil // no Linux
	}
	var pids []int
	for _, p := range processes {
		if pid, err := strconv.Atoi(p.Name()); err == nil && hasOpen(pid, path) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// hasOpen says no as well of a process that may not be looked at: another user's.
func hasOpen(pid int, path string) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	files, _ := os.ReadDir(dir)
	return slices.ContainsFunc(files, func(f os.DirEntry) bool {
		to, err := os.Readlink(filepath.Join(dir, f.Name()))
		return err == nil && to == path
	})
}

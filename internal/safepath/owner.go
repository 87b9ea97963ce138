package safepath

import (
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

func ownerOf(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}

// unmapped reports whether a user id stands for all those that a user namespace does not know, root of the machine among them: whose the
// folder is, cannot be told there. It is a matter of Linux; elsewhere there is no such file.
func unmapped(uid int) bool {
	overflow, err := os.ReadFile("/proc/sys/kernel/overflowuid")
	if err != nil || strings.TrimSpace(string(overflow)) != strconv.Itoa(uid) {
		return false
	}
	mapping, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(mapping)), " ") != "0 0 4294967295"
}

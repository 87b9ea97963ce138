package session

import "golang.org/x/sys/unix"

// mountedNoExec tells whether programs below a folder may not be run. Where nobody can tell, they may.
func mountedNoExec(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Flags&unix.ST_NOEXEC != 0
}

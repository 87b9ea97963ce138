package madeof

import "syscall"

// times are those of the last change of content and of the inode, in nanoseconds.
func times(st *syscall.Stat_t) (modified, changed int64) { return st.Mtim.Nano(), st.Ctim.Nano() }

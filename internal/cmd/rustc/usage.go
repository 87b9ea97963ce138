package rustc

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// usage is what the children of this process have taken.
type usage struct {
	cpu     time.Duration
	largest int64 // bytes of the largest process
}

// childUsage asks the kernel what the children that have ended took, with their children.
func childUsage() usage {
	var ru unix.Rusage
	if unix.Getrusage(unix.RUSAGE_CHILDREN, &ru) != nil {
		return usage{}
	}
	largest := int64(ru.Maxrss)
	if runtime.GOOS != "darwin" {
		largest <<= 10 // KiB everywhere else
	}
	return usage{cpu: time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), largest: largest}
}

package config

import "golang.org/x/sys/unix"

// machineMemoryMiB is the machine's memory.
func machineMemoryMiB() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return fallbackMemoryMiB
	}
	return int64(info.Totalram) * int64(info.Unit) >> 20
}

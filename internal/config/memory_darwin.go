package config

import "golang.org/x/sys/unix"

// machineMemoryMiB is the machine's memory.
func machineMemoryMiB() int64 {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return fallbackMemoryMiB
	}
	return int64(n >> 20)
}

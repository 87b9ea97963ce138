// Package protocol is what a machine and the launcher on a worker agree on.
//
// It owns names. It must not know anything else of this program, for the launcher is linked into a small one of its own.
package protocol

const (
	// Base stands for the folder above the one that a command works in. It holds the tools.
	Base = "%{base}"
	// LauncherFailed is the exit code of a launcher that could not do its part.
	LauncherFailed = 125
)

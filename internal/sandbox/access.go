// Package sandbox shuts the process of a step off from what it did not declare.
//
// It owns what such a process may see ([Access], and the folders of the system that all may read), and how that is enforced on
// a host: by bubblewrap or by namespaces of our own on Linux, by sandbox-exec on macOS, or not at all. It must not know recipes,
// actions or exec roots, nor what a process is for.
//
// What lies where stays as it is: every folder is seen at its own path, so that nothing that is made can tell. Only /tmp is another.
package sandbox

import "fmt"

// Access is what one process may see besides the system's folders, and reach. Paths are absolute; what lies below them is
// meant too.
type Access struct {
	// ReadOnly and ReadWrite are files and folders, which have to be there.
	ReadOnly, ReadWrite []string
	// Instead are files that are seen with the content of others: path and path. Where a sandbox has no places of its own (macOS) they
	// are seen as they are.
	Instead map[string]string
	// Network is for a process that fetches and runs no program of a source. It begins outside of the sandbox, in a [Fence]: it needs the
	// user's credentials and settings, which may be anywhere.
	Network bool
}

// Mode says what a missing sandbox means.
type Mode string

// The modes. Where no sandbox works, Auto says so once and goes on, Require is an error. Off uses none.
const (
	Auto    Mode = "auto"
	Require Mode = "require"
	Off     Mode = "off"
)

// ParseMode reads the user's word; "" is Auto.
func ParseMode(text string) (Mode, error) {
	switch m := Mode(text); m {
	case "":
		return Auto, nil
	case Auto, Require, Off:
		return m, nil
	}
	return "", fmt.Errorf("the sandbox is %q, not %s, %s or %s", text, Require, Auto, Off)
}

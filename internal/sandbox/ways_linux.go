package sandbox

import (
	"io/fs"
	"strings"
)

// ways are those to be tried here. What is not there at all is noted. Namespaces of our own come first: bubblewrap's first process inside
// waits for the one outside before it asks to die with it, and stays for ever when that one is killed in between.
func (b *Sandbox) ways(problem *NoSandboxError) []way {
	var all []way
	if b.s.Reenter {
		all = append(all, namespaces{})
	}
	if program := b.s.Look("bwrap"); program != "" {
		all = append(all, bubblewrap{program})
	} else {
		problem.Tried = append(problem.Tried, "bubblewrap: not installed")
	}
	return all
}

// switches are the settings of Linux that deny namespaces to a user who is not root, with the value that allows them. Source: the
// kernel's and Ubuntu's documentation; Ubuntu has the first since 23.10, older Debians the second.
var switches = []struct{ file, denies, want string }{
	{"proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", "0"},
	{"proc/sys/kernel/unprivileged_userns_clone", "0", "1"},
	{"proc/sys/user/max_user_namespaces", "0", "10000"},
}

// causeOf finds the first of these that denies.
func causeOf(root fs.FS) Cause {
	for _, s := range switches {
		text, err := fs.ReadFile(root, s.file)
		if err == nil && strings.TrimSpace(string(text)) == s.denies {
			return Cause{strings.ReplaceAll(strings.TrimPrefix(s.file, "proc/sys/"), "/", "."), s.want}
		}
	}
	return Cause{}
}

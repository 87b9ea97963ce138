package sandbox

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/process"
)

// seatbelt is macOS's sandbox-exec. It shuts off by rules over paths, and has no places of its own: what is private is named by
// TMPDIR. The processes that a program leaves behind are ended with its group.
type seatbelt struct{ program string }

func (s seatbelt) name() string { return "sandbox-exec" }

// macFolders are what programs of macOS read: the system, the developer tools of the command line, and what package managers bring: Homebrew
// (on Intel in /usr/local), MacPorts, Nix with the links of its profiles.
var macFolders = []string{
	"/System", "/Library/Developer", "/Library/Apple", "/usr", "/bin", "/sbin", "/opt/homebrew", "/opt/local",
	"/nix/store", "/nix/var/nix/profiles", "/run/current-system",
	"/private/etc/ssl", "/private/var/db/dyld", "/private/var/db/timezone", "/private/var/select", "/private/var/db/xcode_select_link",
	"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom", "/dev/fd", "/dev/dtracehelper", "/dev/tty",
}

// xcode is Xcode.app, which may be a link to one of several that have their version in their names.
const xcode = `^/Applications/Xcode[^/]*\.app(/|$)`

// macDevices are written as well.
var macDevices = []string{"/dev/null", "/dev/zero", "/dev/tty", "/dev/dtracehelper"}

// profile is the rules for a process, in the language of sandbox-exec (SBPL).
func profile(v view) string {
	var b strings.Builder
	b.WriteString("(version 1)\n(deny default)\n" +
		"(allow process-fork)\n(allow process-exec)\n(allow signal (target same-sandbox))\n(allow process-info* (target same-sandbox))\n" +
		"(allow sysctl-read)\n(allow mach-lookup (global-name \"com.apple.system.opendirectoryd.libinfo\"))\n(allow ipc-posix-sem)\n" +
		"(deny network*)\n" +
		// Programs look at every folder on the way to theirs.
		"(allow file-read-metadata)\n(allow file-read* (literal \"/\"))\n")
	rule := func(what, path string) { fmt.Fprintf(&b, "(allow %s (subpath %s))\n", what, sbpl(path)) }
	for _, dir := range macFolders {
		rule("file-read*", dir)
	}
	fmt.Fprintf(&b, "(allow file-read* (regex #\"%s\"))\n", xcode)
	for _, device := range macDevices {
		rule("file-write*", device)
	}
	// The last rule that fits counts: the nearer place comes later.
	for _, p := range v.places {
		switch p.Kind {
		case readOnly:
			rule("file-read*", p.At)
		case readWrite:
			rule("file-read* file-write*", p.from())
		case empty:
			fmt.Fprintf(&b, "(deny file-read-data file-write* (subpath %s))\n", sbpl(p.At))
		}
	}
	return b.String()
}

// sbpl is a string of that language.
func sbpl(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func (s seatbelt) confine(p process.Process, v view) (process.Process, error) {
	p.Args = s.script(v, p.Args)
	if v.temp != "" {
		p.Env = append(p.Env, "TMPDIR="+v.temp)
	}
	return p, nil
}

func (s seatbelt) script(v view, args []string) []string {
	return append([]string{s.program, "-p", profile(v)}, args...)
}

// macPlaces are the places for rules: the folders of the system are in the profile, and a link needs no rule.
func macPlaces(a Access, hidden []string) ([]place, error) {
	l := layout{}
	for _, dir := range hidden {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			l[real] = place{Kind: empty, At: real}
		}
	}
	for k, paths := range map[kind][]string{readOnly: a.ReadOnly, readWrite: a.ReadWrite} {
		for _, path := range paths {
			real, err := filepath.EvalSymlinks(path)
			if err != nil {
				return nil, err
			}
			if old, ok := l[real]; !ok || old.Kind != readWrite {
				l[real] = place{Kind: k, At: real}
			}
		}
	}
	return l.places(), nil
}

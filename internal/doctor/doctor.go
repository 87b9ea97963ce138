// Package doctor looks at a machine and says what is missing on it, for what, and which command brings it.
//
// It owns the list of what the targets need and the names of the packages that bring it. It must not
// install anything, and it reads no environment and prints nothing: what the machine has comes through
// [Machine]. A check that itself goes wrong is a line of the report, never an error.
//
// Package names are those of Debian 13, Fedora 42 and Homebrew in 2026.
package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
)

// Machine is what the checks may ask.
type Machine interface {
	// Look finds a program in the user's PATH, "" when it is not there.
	Look(program string) string
	// Run runs a program and returns its standard output.
	Run(ctx context.Context, argv ...string) (string, error)
	// Root is the file system from "/".
	Root() fs.FS
	// Free is the free space of the file system of a folder, which need not exist yet, in bytes.
	Free(dir string) (int64, error)
}

// Packager is a family of systems with one package manager.
type Packager string

// The families whose package names are known.
const (
	Debian Packager = "debian"
	Fedora Packager = "fedora"
	Brew   Packager = "brew"
	// Unknown systems are told all three.
	Unknown Packager = ""
)

// Identify tells the family from GOOS and /etc/os-release.
func Identify(goos string, root fs.FS) Packager {
	if goos == "darwin" {
		return Brew
	}
	text, err := fs.ReadFile(root, "etc/os-release")
	if err != nil {
		return Unknown
	}
	for _, line := range strings.Split(string(text), "\n") {
		key, value, _ := strings.Cut(line, "=")
		if key != "ID" && key != "ID_LIKE" {
			continue
		}
		for _, word := range strings.Fields(strings.Trim(value, `"'`)) {
			switch word {
			case "debian", "ubuntu":
				return Debian
			case "fedora", "rhel", "centos":
				return Fedora
			}
		}
	}
	return Unknown
}

// packages brings one thing on each family. A brew that begins with "!" is a whole command: some of it
// comes with the system.
type packages struct{ debian, fedora, brew string }

// install is the command for a family.
func (p packages) install(family Packager) string {
	apt, dnf, brew := "sudo apt install "+p.debian, "sudo dnf install "+p.fedora, "brew install "+p.brew
	if command, whole := strings.CutPrefix(p.brew, "!"); whole {
		brew = command
	}
	switch family {
	case Debian:
		return apt
	case Fedora:
		return dnf
	case Brew:
		return brew
	}
	return fmt.Sprintf("%s (Debian, Ubuntu), %s (Fedora) or %s", apt, dnf, brew)
}

// State is the outcome of a check.
type State string

// The states. Missing is what a target that is needed by everybody lacks; Absent is the same for what only
// some want.
const (
	OK      State = "ok"
	Missing State = "missing"
	Absent  State = "absent"
)

// Line is the outcome of one check.
type Line struct {
	State State  `json:"state"`
	What  string `json:"what"`
	// For lists what needs it: "demo, initfs".
	For    string `json:"for"`
	Detail string `json:"detail,omitempty"`
	// Fix is the exact command, empty when OK.
	Fix string `json:"fix,omitempty"`
}

// Report is the outcome of all checks.
type Report struct {
	Lines []Line `json:"checks"`
}

// Missing counts what is missing for demo or initfs.
func (r *Report) Missing() int {
	n := 0
	for _, l := range r.Lines {
		if l.State == Missing {
			n++
		}
	}
	return n
}

// Everybody needs a line that is for one of these.
const (
	forAll     = "demo, initfs"
	forDemo    = "demo"
	forInitfs  = "initfs"
	forImages  = "image, run"
	forC       = "recipes with C in them"
	forSandbox = "steps that see only what they declare"
	forNetwork = "fetch"
	forRemote  = "sharing results"

	forToolchain = "toolchain:build"
)

// essential tells whether a line that fails makes the doctor fail.
func essential(what string) bool {
	return strings.Contains(what, "demo") || strings.Contains(what, "initfs")
}

// checker collects lines.
type checker struct {
	ctx    context.Context
	m      Machine
	family Packager
	report Report
}

func (c *checker) ok(what, purpose, detail string) {
	c.report.Lines = append(c.report.Lines, Line{State: OK, What: what, For: purpose, Detail: detail})
}

func (c *checker) lacks(what, purpose, detail, fix string) {
	state := Absent
	if essential(purpose) {
		state = Missing
	}
	c.report.Lines = append(c.report.Lines, Line{State: state, What: what, For: purpose, Detail: detail, Fix: fix})
}

// program checks that a program is there, by the first of its names that is.
func (c *checker) program(what, purpose string, p packages, names ...string) string {
	for _, name := range names {
		if path := c.m.Look(name); path != "" {
			c.ok(what, purpose, path)
			return path
		}
	}
	c.lacks(what, purpose, "no "+strings.Join(names, " or ")+" in PATH", p.install(c.family))
	return ""
}

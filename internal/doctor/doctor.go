// Package doctor looks at a machine and says what is missing on it, for what, and which command brings it.
//
// It owns the list of what the targets need; package hostpackage knows what brings it. It must not
// install anything, and it reads no environment and prints nothing: what the machine has comes through
// [Machine]. A check that itself goes wrong is a line of the report, never an error.
package doctor

import (
	"context"
	"io/fs"
	"strings"

	"github.com/pannous/redox-clif/internal/hostpackage"
)

// Machine is what the checks may ask.
type Machine interface {
	// Look finds a program in the user's PATH, "" when it is not there.
	Look(program string) string
	// LookIn finds a program in the first of the folders that has it, "" when none has.
	LookIn(folders []string, program string) string
	// Run runs a program and returns its standard output.
	Run(ctx context.Context, argv ...string) (string, error)
	// Root is the file system from "/".
	Root() fs.FS
	// FoldsCase tells whether the file system of a folder, which need not exist yet, takes names that differ by case for one.
	FoldsCase(dir string) (bool, error)
	// Free is the free space of the file system of a folder, which need not exist yet, in bytes.
	Free(dir string) (int64, error)
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
	family hostpackage.Family
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
func (c *checker) program(what, purpose string, p hostpackage.Package, names ...string) string {
	for _, name := range names {
		if path := c.m.Look(name); path != "" {
			c.ok(what, purpose, path)
			return path
		}
	}
	c.lacks(what, purpose, "no "+strings.Join(names, " or ")+" in PATH", p.Install(c.family))
	return ""
}

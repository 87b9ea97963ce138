package rustbuild

import (
	"fmt"
	"regexp"
	"strings"
)

// Progress follows the output of x.py and says how far it is, by what cargo and Ninja say of themselves.
type Progress struct {
	phase, at string // what is built, and the crate or object of it
	crates    int    // that were compiled in this run
}

var (
	// "Building stage1 compiler artifacts (stage0 -> stage1, x86_64-unknown-linux-gnu)"
	phaseLine = regexp.MustCompile(`^Building (?:stage\d+ )?(bootstrap|LLVM|LLD|compiler|codegen backend|library)\b`)
	crateLine = regexp.MustCompile(`^\s*Compiling ([^ ]+) v`)
	// "[17/2811] Building CXX object lib/...": Ninja's. Where a build goes on, it counts only what is left.
	objectLine = regexp.MustCompile(`^\[(\d+)/(\d+)\] `)
)

// Line takes a line of output and tells whether it said something about the progress.
func (p *Progress) Line(line string) bool {
	if m := phaseLine.FindStringSubmatch(line); m != nil {
		p.phase, p.at = m[1], ""
		return true
	}
	if m := objectLine.FindStringSubmatch(line); m != nil && p.phase != "" {
		p.at = m[1] + " of " + m[2]
		return true
	}
	m := crateLine.FindStringSubmatch(line)
	if m == nil || p.phase == "" {
		return false
	}
	p.at = m[1]
	p.crates++
	return true
}

// Status is one line for people, "" while nothing is known.
func (p *Progress) Status() string {
	status := strings.TrimSpace(p.phase + " " + p.at)
	if p.crates > 0 {
		status += fmt.Sprintf(", %d crates", p.crates)
	}
	return status
}

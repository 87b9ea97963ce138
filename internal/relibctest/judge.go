package relibctest

import (
	"fmt"
	"strings"

	"github.com/pannous/redox-clif/internal/tomlfile"
)

// Verdict is what came of a test by both backends.
type Verdict string

// The verdicts.
const (
	Passed      Verdict = "passed"        // the same by both, and as upstream expects
	Fails       Verdict = "fails on both" // the same by both, and not as upstream expects
	Differs     Verdict = "differs"       // something else by either
	NotCompiled Verdict = "not compiled"  // by neither
	NotRun      Verdict = "not run"       // because the list says so
	NotReached  Verdict = "not reached"   // though it should have been run
	// Unsteady is no verdict but a word of the list: the test passes at times only, by both.
	Unsteady Verdict = "unsteady"
)

// Values are those that the list can have: what is no success, and is known.
func (Verdict) Values() []string {
	return tomlfile.Values(NotRun, NotCompiled, Fails, Differs, Unsteady)
}

// Backends, the reference first.
const (
	Reference = "llvm"
	Tested    = "cranelift"
)

// Test is what is there of one test.
type Test struct {
	Name string
	// Stdout and Stderr are what upstream expects, nil for nothing in particular.
	Stdout, Stderr *string
	Refused        map[string]string // what the compiler or linker said, by backend
	Results        map[string]Result // by backend
}

// Case is the verdict on a test.
type Case struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Detail  string  `json:"detail,omitempty"`
	Known   *Known  `json:"known,omitempty"` // nil when nothing is known of it
	Again   bool    `json:"again,omitempty"` // it came out so only when it was run again
}

// Unexpected says that a case is to be mended, or to be listed.
func (c Case) Unexpected() bool {
	switch {
	case c.Verdict == Passed || c.Verdict == NotRun:
		return false
	case c.Known == nil || c.Verdict == NotReached:
		return true
	case c.Known.What == Unsteady:
		return c.Verdict == NotCompiled
	}
	return c.Known.What != c.Verdict
}

// Outdated says that the list knows something of a case that is not so.
func (c Case) Outdated() bool {
	return c.Known != nil && c.Known.What != Unsteady && c.Known.What != c.Verdict
}

// Judge compares what a test did by both backends, and with what upstream expects of it.
func Judge(t Test, l *List) Case {
	c := Case{Name: t.Name, Known: l.Of(t.Name)}
	if c.Known != nil && c.Known.What == NotRun {
		c.Verdict, c.Detail = NotRun, c.Known.Reason
		return c
	}
	if len(t.Refused) > 0 {
		a, b := t.Refused[Reference], t.Refused[Tested]
		c.Verdict, c.Detail = NotCompiled, strings.TrimSpace(a)
		if a != b {
			c.Verdict, c.Detail = Differs, difference("compiler", a, b)
		}
		return c
	}
	a, there := t.Results[Reference]
	b, also := t.Results[Tested]
	if !there || !also {
		c.Verdict, c.Detail = NotReached, "the guest printed nothing of it"
		return c
	}
	var parts []string
	if a.Ended != b.Ended {
		parts = append(parts, difference("end", a.Ended, b.Ended))
	}
	for _, part := range []struct{ what, a, b string }{{"stdout", a.Stdout, b.Stdout}, {"stderr", a.Stderr, b.Stderr}} {
		if l.masked(t.Name, part.a) != l.masked(t.Name, part.b) {
			parts = append(parts, difference(part.what, part.a, part.b))
		}
	}
	if len(parts) > 0 {
		c.Verdict, c.Detail = Differs, strings.Join(parts, "\n")
		return c
	}
	c.Verdict = Passed
	if c.Detail = t.unlikeUpstream(b); c.Detail != "" {
		c.Verdict = Fails
	}
	return c
}

// unlikeUpstream says what upstream's runner would have found wrong, "" for nothing.
func (t Test) unlikeUpstream(r Result) string {
	var parts []string
	if r.Ended != "exit 0" {
		parts = append(parts, r.Ended)
	}
	for _, part := range []struct {
		what      string
		want      *string
		got, more string
	}{{"stdout", t.Stdout, r.Stdout, ""}, {"stderr", t.Stderr, r.Stderr, ""}} {
		switch {
		case part.want != nil && *part.want != part.got:
			parts = append(parts, firstLine(part.what, *part.want, part.got, "expected", "got"))
		case part.want == nil && r.Ended != "exit 0" && part.got != "":
			parts = append(parts, part.what+": "+lastWords(part.got))
		}
	}
	return strings.Join(parts, "\n")
}

func difference(what, a, b string) string { return firstLine(what, a, b, Reference, Tested) }

// firstLine shows the first line in which two texts differ.
func firstLine(what, a, b, nameA, nameB string) string {
	linesA, linesB := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := 0; ; i++ {
		x, y := lineAt(linesA, i), lineAt(linesB, i)
		if x == y && i < max(len(linesA), len(linesB)) {
			continue
		}
		return fmt.Sprintf("%s, line %d: %s %s, %s %s", what, i+1, nameA, x, nameB, y)
	}
}

func lineAt(lines []string, i int) string {
	if i >= len(lines) {
		return "nothing"
	}
	return fmt.Sprintf("%.160q", lines[i])
}

// lastWords are the end of what a program printed.
func lastWords(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return fmt.Sprintf("%.300q", strings.Join(lines[max(0, len(lines)-3):], "\n"))
}

package relibctest

import (
	"fmt"
	"strings"
	"time"
)

// Program is a test by one of the backends.
type Program struct{ Test, Backend string }

// Schedule is what is still to be run of some tests.
type Schedule struct {
	Rest []Program // in the order of running

	suite *Suite
	torn  map[Program]bool // apart on the serial line, once already
}

// Schedule plans those of the tests that can be run, and forgets what came of them before.
func (s *Suite) Schedule(names []string) *Schedule {
	plan := &Schedule{suite: s, torn: map[Program]bool{}}
	for _, name := range names {
		test := s.Tests[name]
		if k := s.List.Of(name); k != nil && k.What == NotRun || len(test.Refused) > 0 {
			continue
		}
		clear(test.Results)
		plan.Rest = append(plan.Rest, Program{name, Reference}, Program{name, Tested})
	}
	return plan
}

// Plan is the rest as the runner reads it: on a line the folder, the program and its seconds.
func (s *Schedule) Plan() string {
	var text strings.Builder
	for _, p := range s.Rest {
		fmt.Fprintf(&text, "%s/%s %s/%s %d\n", Folder, p.Backend, Bin, p.Test, s.suite.List.Seconds(p.Test))
	}
	return text.String()
}

// Longest is the longest time that one of the rest may take; it may be silent all along.
func (s *Schedule) Longest() time.Duration {
	seconds := 0
	for _, p := range s.Rest {
		seconds = max(seconds, s.suite.List.Seconds(p.Test))
	}
	return time.Duration(seconds) * time.Second
}

// Record keeps the results of a boot that was given the rest, and leaves what is still to be run: what was not reached, and once
// more what was torn apart. It returns the program with which the guest ended or hung, nil for none.
func (s *Schedule) Record(run *Run) (last *Program) {
	var again []Program
	reached := len(s.Rest)
	if !run.Done && run.Open > 0 {
		reached = min(run.Open, len(s.Rest)) // a number from a serial line may be any
	}
	for i, p := range s.Rest[:reached] {
		result, ok := run.Results[i+1]
		switch {
		case i+1 == run.Open && !run.Done:
			result, last = Result{Ended: EndedGuest}, &p
		case ok:
		case !s.torn[p]:
			s.torn[p] = true
			again = append(again, p)
			continue
		default:
			continue
		}
		s.suite.Tests[p.Test].Results[p.Backend] = result.withoutFolder(p.Backend)
	}
	s.Rest = append(again, s.Rest[reached:]...)
	return last
}

// withoutFolder is for tests that print where they are, which is no difference between the backends.
func (r Result) withoutFolder(backend string) Result {
	// Without the slash in front: relibc's Unix sockets are named so.
	folder := strings.TrimPrefix(Folder, "/")
	r.Stdout = strings.ReplaceAll(r.Stdout, folder+"/"+backend, folder)
	r.Stderr = strings.ReplaceAll(r.Stderr, folder+"/"+backend, folder)
	return r
}

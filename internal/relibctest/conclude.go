package relibctest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/junit"
)

// mostRepeated is how many tests may be run a second time.
const mostRepeated = 40

// Judge gives the verdict on all tests, sorted by name.
func (s *Suite) Judge() []Case {
	var cases []Case
	for _, name := range s.Names() {
		cases = append(cases, Judge(*s.Tests[name], s.List))
	}
	return cases
}

// ToRepeat are the tests to run once more: those that came out as nobody expects, unless they are many. An emulated machine on a
// busy host is late at times, and what counts is what stays.
func ToRepeat(cases []Case) []string {
	var names []string
	for _, c := range cases {
		if c.Unexpected() && c.Verdict != NotCompiled {
			names = append(names, c.Name)
		}
	}
	if len(names) > mostRepeated {
		return nil
	}
	return names
}

// JudgeAgain is Judge after tests were repeated; first is what it said before.
func (s *Suite) JudgeAgain(first []Case) []Case {
	cases := s.Judge()
	for i := range cases {
		cases[i].Again = first[i].Unexpected() && !cases[i].Unexpected()
	}
	return cases
}

// Conclusion is what the cases come to.
type Conclusion struct {
	Cases []Case          `json:"cases"`
	Count map[Verdict]int `json:"count"` // every case once
}

// Conclude counts the cases.
func Conclude(cases []Case) *Conclusion {
	c := &Conclusion{Cases: cases, Count: map[Verdict]int{}}
	for _, one := range cases {
		c.Count[one.Verdict]++
	}
	return c
}

// Summary counts every test once; what is not run is never left out.
func (c *Conclusion) Summary() string {
	return fmt.Sprintf("%d tests of relibc: %d the same by both backends (%d pass, %d fail by both), %d differ, %d not compiled, %d not run, %d not reached",
		len(c.Cases), c.Count[Passed]+c.Count[Fails], c.Count[Passed], c.Count[Fails], c.Count[Differs], c.Count[NotCompiled], c.Count[NotRun], c.Count[NotReached])
}

// Err is everything that is not expected.
func (c *Conclusion) Err() error {
	if len(c.Cases) == 0 {
		return errors.New("there are no tests")
	}
	var failed []string
	for _, one := range c.Cases {
		if one.Unexpected() {
			failed = append(failed, fmt.Sprintf("%s: %s\n  %s", one.Name, one.Verdict, strings.ReplaceAll(one.Detail, "\n", "\n  ")))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d tests are not as they should be:\n%s", len(failed), len(c.Cases), strings.Join(failed, "\n"))
}

// JUnit has a case for each test. What is not as it should be, and known to be so, is skipped.
func (c *Conclusion) JUnit(took time.Duration) *junit.Suite {
	s := junit.NewSuite("relibc", "relibc", took)
	for _, one := range c.Cases {
		switch {
		case one.Unexpected():
			s.Fail(one.Name, string(one.Verdict), one.Detail)
		case slices.Contains([]Verdict{NotRun, NotCompiled, Fails, Differs}, one.Verdict):
			s.Skip(one.Name)
		default:
			s.Pass(one.Name)
		}
	}
	return s
}

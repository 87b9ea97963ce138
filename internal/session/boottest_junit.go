package session

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// The parts of JUnit's XML that CI systems read.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Skipped *struct{}     `xml:"skipped,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// write counts the cases and replaces the file; its folder is made when it is missing.
func (s *junitSuite) write(file string) error {
	s.Tests = len(s.Cases)
	text, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(file, append([]byte(xml.Header), append(text, '\n')...), 0o644)
}

// writeJUnit writes a case for each step and each check after the run, and one for the guest's outcome: a forbidden line belongs to
// no step.
func writeJUnit(file, name string, t *bootTest, o *bootOutcome) error {
	suite := junitSuite{Name: "boot " + name, Time: fmt.Sprintf("%.1f", o.result.Elapsed.Seconds())}
	add := func(label string, skipped bool, failure *junitFailure) {
		c := junitCase{Name: label, Class: "boot." + name, Failure: failure}
		if skipped {
			c.Skipped = &struct{}{}
		}
		if failure != nil {
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, c)
	}
	missing := map[string]bool{}
	for _, m := range o.result.Missing {
		missing[m] = true
	}
	for _, step := range t.allSteps() {
		add(step.label(), missing[step.label()], nil)
	}
	var failure *junitFailure
	if err := o.result.Err(); err != nil {
		failure = &junitFailure{Message: string(o.result.Outcome), Text: err.Error()}
	}
	add("outcome", false, failure)
	for _, c := range o.extra {
		var failure *junitFailure
		if c.err != nil {
			failure = &junitFailure{Message: "wrong", Text: c.err.Error()}
		}
		add(c.name, false, failure)
	}
	return suite.write(file)
}

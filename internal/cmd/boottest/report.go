package boottest

import (
	"fmt"

	"github.com/pannous/redox-clif/internal/boottest"
	"github.com/pannous/redox-clif/internal/junit"
)

// writeJUnit writes a case for each step and each check after the run, and one for the guest's outcome: a forbidden line belongs to
// no step.
func writeJUnit(file, name string, o *boottest.Outcome) error {
	suite := junit.Suite{Name: "boot " + name, Time: fmt.Sprintf("%.1f", o.Result.Elapsed.Seconds())}
	add := func(label string, skipped bool, failure *junit.Failure) {
		c := junit.Case{Name: label, Class: "boot." + name, Failure: failure}
		if skipped {
			c.Skipped = &struct{}{}
		}
		if failure != nil {
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, c)
	}
	for _, step := range o.Result.Steps {
		add(step.Name, !step.Seen, nil)
	}
	var failure *junit.Failure
	if err := o.Result.Err(); err != nil {
		failure = &junit.Failure{Message: string(o.Result.Outcome), Text: err.Error()}
	}
	add("outcome", false, failure)
	for _, c := range o.Extra {
		var failure *junit.Failure
		if c.Err != nil {
			failure = &junit.Failure{Message: "wrong", Text: c.Err.Error()}
		}
		add(c.Name, false, failure)
	}
	return suite.Write(file)
}

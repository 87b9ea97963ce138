package boottest

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/junit"
	"github.com/pannous/redox-clif/internal/qemu"
)

// Outcome is what a run of a test came to.
type Outcome struct {
	Name   string       `json:"name"`
	Passed bool         `json:"passed"`
	Guest  qemu.Outcome `json:"guest,omitempty"` // how the guest ended; "" when none was started
	// Problem is why no guest was started, or all that is known of what it did wrong.
	Problem string            `json:"problem,omitempty"`
	Steps   []qemu.StepResult `json:"steps,omitempty"`
	// Checks come after the run; there are none when the guest failed.
	Checks     []Check        `json:"checks,omitempty"`
	Writes     *qemu.Replayed `json:"writes,omitempty"` // to the disk, where only flushed ones are kept
	TookMillis int64          `json:"took_ms"`
	Log        string         `json:"log,omitempty"` // file with all of the serial line
}

// Check is one thing that was looked at after the run.
type Check struct {
	Name    string `json:"name"`
	Problem string `json:"problem,omitempty"` // "" when it is as it must be
}

func newCheck(name string, err error) Check {
	c := Check{Name: name}
	if err != nil {
		c.Problem = err.Error()
	}
	return c
}

// Took is how long the guest ran.
func (o *Outcome) Took() time.Duration { return time.Duration(o.TookMillis) * time.Millisecond }

// Err is everything that failed.
func (o *Outcome) Err() error {
	if o.Problem != "" {
		return errors.New(o.Problem)
	}
	var all *multierror.Error
	for _, c := range o.Checks {
		if c.Problem != "" {
			all = multierror.Append(all, fmt.Errorf("%s: %s", c.Name, c.Problem))
		}
	}
	if all != nil {
		all = multierror.Append(all, fmt.Errorf("the serial log is in %s", o.Log))
	}
	return all.ErrorOrNil()
}

// JUnit has a case for each step and each check after the run, and one for the guest's outcome: a forbidden line belongs to no
// step.
func (o *Outcome) JUnit() *junit.Suite {
	s := junit.NewSuite("boot "+o.Name, "boot."+o.Name, o.Took())
	for _, step := range o.Steps {
		if step.Seen {
			s.Pass(step.Name)
		} else {
			s.Skip(step.Name)
		}
	}
	add := func(name, kind, problem string) {
		if problem == "" {
			s.Pass(name)
		} else {
			s.Fail(name, kind, problem)
		}
	}
	add("outcome", string(o.Guest), o.Problem)
	for _, c := range o.Checks {
		add(c.Name, "wrong", c.Problem)
	}
	return s
}

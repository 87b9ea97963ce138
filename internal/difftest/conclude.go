package difftest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/junit"
)

// Series is the patch series that the list's patches are of: the backend's.
const Series = "cg_clif"

// AppliedPatches are the backend's of the patches that a toolchain was built with, as the list names them. lines are those of
// its manifest: "series/patch.toml: what it did".
func AppliedPatches(lines []string) map[string]bool {
	applied := map[string]bool{}
	for _, line := range lines {
		file, _, _ := strings.Cut(line, ": ")
		if name, ok := strings.CutPrefix(strings.TrimSuffix(file, ".toml"), Series+"/"); ok {
			applied[name] = true
		}
	}
	return applied
}

// Findings are what a run found.
type Findings struct {
	Results []Result          // of all cases
	Refused map[string]string // defects whose programs the toolchain refuses: name -> what it says
	Objects []ObjectResult
	Applied map[string]bool // patches that the toolchain says it was built with; what has none comes from trying
}

// ObjectResult is what became of a program that is compiled only.
type ObjectResult struct {
	*Object
	Defect string // what is seen of it, "" for nothing
}

// fails says of a case whether it differs in a way that this toolchain may not.
func (f *Findings) fails(r Result) bool {
	return r.Differs() && (r.Known == nil || f.Applied[r.Known.Patch])
}

// Unexplained are cases that fail and were printed as a hash, at most as many as given: a boot that traces one says what differs.
func (f *Findings) Unexplained(most int) []*Result {
	var all []*Result
	for i := range f.Results {
		r := &f.Results[i]
		if f.fails(*r) && len(all) < most && strings.Contains(r.Reference+r.Tested, " items, hash ") {
			all = append(all, r)
		}
	}
	return all
}

// Verdict is what a finding is worth.
type Verdict string

// The verdicts.
const (
	Same   Verdict = "same"
	Listed Verdict = "known" // not as it should be, and the list says so
	Failed Verdict = "failed"
)

// Finding is the verdict on a case, on "defect NAME" or on "object NAME".
type Finding struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Problem string  `json:"problem,omitempty"` // of a failure, in a few words
	Detail  string  `json:"detail,omitempty"`  // of a failure, with the name
}

// Conclusion is what the findings come to.
type Conclusion struct {
	Findings []Finding         `json:"findings"`
	Cases    int               `json:"cases"` // how many were printed
	Known    []KnownDifference `json:"known"` // all of the list
	Defects  int               `json:"defects"`
	Refused  []KnownDefect     `json:"refused"` // of the defects
	Objects  int               `json:"objects"`
	Visible  []KnownDefect     `json:"visible"` // of the objects, as the list has it
}

// KnownDifference is an entry of the list, and where it was seen.
type KnownDifference struct {
	Cases  []string `json:"cases"` // none: this toolchain is without it
	Reason string   `json:"reason"`
	Note   string   `json:"note"`
}

// KnownDefect is a defect of the list that was seen.
type KnownDefect struct {
	Name  string `json:"name"`
	Seen  string `json:"seen"`            // of it: what the compiler says, or what is wrong with its object
	Issue string `json:"issue,omitempty"` // upstream's
	Note  string `json:"note"`
}

// Conclude holds what was found to what is expected.
func (e *Expected) Conclude(f *Findings) *Conclusion {
	c := &Conclusion{Cases: len(f.Results), Defects: len(e.Defects), Objects: len(f.Objects)}
	listed := map[*Known][]string{}
	for _, r := range f.Results {
		finding := Finding{Name: r.Name, Verdict: Same}
		switch {
		case f.fails(r):
			finding.Verdict, finding.Problem, finding.Detail = Failed, "the backends differ", r.String()
			if r.Known != nil {
				finding.Detail += mendedBy(r.Known.Patch)
			}
		case r.Differs():
			finding.Verdict = Listed
			listed[r.Known] = append(listed[r.Known], r.Name)
		}
		c.Findings = append(c.Findings, finding)
	}
	for i := range e.Known {
		k := &e.Known[i]
		c.Known = append(c.Known, KnownDifference{listed[k], k.Reason, k.Note})
	}
	c.addDefects(e, f)
	return c
}

func (c *Conclusion) addDefects(e *Expected, f *Findings) {
	for _, name := range slices.Sorted(maps.Keys(f.Refused)) {
		c.Findings = append(c.Findings, Finding{Name: "defect " + name, Verdict: Listed})
	}
	for _, d := range e.Defects {
		if text, ok := f.Refused[d.Name]; ok {
			c.Refused = append(c.Refused, KnownDefect{d.Name, text, d.Issue, d.Note})
		}
	}
	for _, o := range f.Objects {
		finding := Finding{Name: "object " + o.Name, Verdict: Same}
		switch {
		case o.Defect == "":
		case f.Applied[o.Patch]:
			finding.Verdict, finding.Problem = Failed, "the object shows a defect that is mended"
			finding.Detail = finding.Name + ": " + o.Defect + mendedBy(o.Patch)
		default:
			finding.Verdict = Listed
			c.Visible = append(c.Visible, KnownDefect{Name: finding.Name, Seen: o.Defect, Note: o.Note})
		}
		c.Findings = append(c.Findings, finding)
	}
}

func mendedBy(patch string) string {
	return fmt.Sprintf(" (mended by %s/%s, which the toolchain was built with)", Series, patch)
}

// Listed counts the cases that differ as the list says.
func (c *Conclusion) Listed() int {
	n := 0
	for _, k := range c.Known {
		n += len(k.Cases)
	}
	return n
}

// Err is everything that is not as expected.
func (c *Conclusion) Err() error {
	if c.Cases == 0 {
		return errors.New("no case was printed")
	}
	var failed []string
	for _, f := range c.Findings {
		if f.Verdict == Failed {
			failed = append(failed, f.Detail)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d cases differ between the backends:\n%s", len(failed), c.Cases+c.Objects, strings.Join(failed, "\n"))
}

// JUnit has a case for each finding.
func (c *Conclusion) JUnit(took time.Duration) *junit.Suite {
	s := junit.NewSuite("diff", "diff", took)
	for _, f := range c.Findings {
		switch f.Verdict {
		case Failed:
			s.Fail(f.Name, f.Problem, f.Detail)
		case Listed:
			s.Skip(f.Name)
		default:
			s.Pass(f.Name)
		}
	}
	return s
}

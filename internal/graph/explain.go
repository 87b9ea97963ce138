package graph

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/nearest"
)

// Planned is what a build would do with one step.
type Planned struct {
	ID     string   `json:"id"`
	Needs  []string `json:"needs"`
	State  string   `json:"state"` // "up to date", "run" or "depends"
	Reason string   `json:"reason,omitempty"`
	// LastMillis is how long the step took the last time, 0 if it is not known.
	LastMillis int64    `json:"last_ms,omitempty"`
	Action     string   `json:"action,omitempty"` // digest, when it is known
	Args       []string `json:"args,omitempty"`
}

// PlanSummary is what a build would do.
type PlanSummary struct {
	Steps []Planned `json:"steps"`
	// Run counts the steps that would run for certain, Depends those that run if outputs of these change.
	Run     int `json:"run"`
	Depends int `json:"depends"`
	// RunMillis and DependsMillis are how long these took the last time, as far as it is known.
	RunMillis     int64 `json:"run_ms"`
	DependsMillis int64 `json:"depends_ms"`
	// Critical is the chain of steps that takes longest in a build from nothing, by the last time of each; nil when no time is known.
	Critical *CriticalPath `json:"critical_path,omitempty"`
}

// Summarise puts verdicts into a form without nodes.
func Summarise(verdicts []Verdict) *PlanSummary {
	p := &PlanSummary{Steps: []Planned{}}
	took, order := map[*Node]time.Duration{}, make([]*Node, 0, len(verdicts))
	for _, v := range verdicts {
		one := Planned{ID: v.Node.ID, Needs: []string{}, State: v.State, Reason: v.Reason, LastMillis: v.Estimate.Milliseconds()}
		for _, d := range v.Node.Deps {
			one.Needs = append(one.Needs, d.ID)
		}
		if v.Action != nil {
			one.Action, one.Args = v.Action.Digest().String(), v.Action.Args
		}
		switch v.State {
		case "run":
			p.Run++
			p.RunMillis += one.LastMillis
		case "depends":
			p.Depends++
			p.DependsMillis += one.LastMillis
		}
		p.Steps = append(p.Steps, one)
		took[v.Node], order = v.Estimate, append(order, v.Node)
	}
	p.Critical = Critical(order, took)
	return p
}

// Explanation is why a step would run, or ran the last time.
type Explanation struct {
	ID     string `json:"id"`
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	// Last is the last build of the step here; nil if there was none.
	Last *LastBuild `json:"last,omitempty"`
	// Differences are those between the action of the last build and the one that would run now, field by field. With
	// OfLastBuild they are between that of the last build and the one before it: nothing differs now.
	Differences []action.Difference `json:"differences,omitempty"`
	OfLastBuild bool                `json:"of_last_build,omitempty"`
}

// LastBuild is when a step was built last, and as what.
type LastBuild struct {
	When   time.Time  `json:"when"`
	Action cas.Digest `json:"action"`
	Output cas.Digest `json:"output"`
}

// Explain compares what would run with what ran the last time.
func Explain(store *cas.Store, history *History, v Verdict) Explanation {
	e := Explanation{ID: v.Node.ID, State: v.State, Reason: v.Reason}
	last := history.Get(v.Node.ID)
	if last == nil {
		return e
	}
	e.Last = &LastBuild{last.When, last.Action.Digest(), last.Output}
	if v.Action == nil {
		return e
	}
	e.Differences = action.Differences(store, last.Action, v.Action)
	if len(e.Differences) == 0 && last.Previous != nil {
		e.Differences, e.OfLastBuild = action.Differences(store, last.Previous, last.Action), true
	}
	return e
}

// Causes are the steps below one that would run for certain: what it waits for when it depends on outputs that are not known
// yet.
func Causes(n *Node, verdicts []Verdict) []Verdict {
	below := map[*Node]bool{}
	var collect func(n *Node)
	collect = func(n *Node) {
		for _, d := range n.Deps {
			if !below[d] {
				below[d] = true
				collect(d)
			}
		}
	}
	collect(n)
	var causes []Verdict
	for _, v := range verdicts {
		if below[v.Node] && v.State == "run" {
			causes = append(causes, v)
		}
	}
	return causes
}

// NoStepError says that there is no such step, and which have most to do with the word: a real system has too many to list.
func NoStepError(id string, all []string) error {
	var alike, tops []string
	for _, step := range all {
		if strings.Contains(step, id) || slices.Contains(strings.Split(step, "/"), path.Base(id)) {
			alike = append(alike, step)
		}
		top, _, _ := strings.Cut(step, "/")
		tops = append(tops, top)
	}
	if len(alike) == 0 {
		alike = nearest.Names(id, all)
	}
	if len(alike) == 0 {
		return fmt.Errorf("there is no step %q; steps begin with %s, and `mage graph -recipe=NAME` lists those of a recipe", id, strings.Join(slices.Compact(slices.Sorted(slices.Values(tops))), ", "))
	}
	return fmt.Errorf("there is no step %q; did you mean %s? `mage graph -recipe=NAME` lists those of a recipe", id, strings.Join(alike, ", "))
}

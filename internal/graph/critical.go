package graph

import (
	"slices"
	"strings"
	"time"
)

// CriticalPath is the chain of steps, each of which needs the one before, that takes longest: no number of processors makes a
// build shorter.
type CriticalPath struct {
	Steps []PathStep `json:"steps"`
	// TotalMillis is how long the chain takes, WorkMillis all steps one after the other.
	TotalMillis int64 `json:"total_ms"`
	WorkMillis  int64 `json:"work_ms"`
}

// PathStep is a step of a critical path.
type PathStep struct {
	ID     string `json:"id"`
	Millis int64  `json:"ms"`
}

// Longest is the step of the chain that takes longest: what would shorten the build most if it were faster. The chain has one.
func (p *CriticalPath) Longest() PathStep {
	return slices.MaxFunc(p.Steps, func(a, b PathStep) int { return int(a.Millis - b.Millis) })
}

// Critical finds the critical path among nodes in an order in which they could run, by the time that each takes. Steps that take no
// time are left out; nil if none takes any.
func Critical(order []*Node, took map[*Node]time.Duration) *CriticalPath {
	p := &CriticalPath{}
	chain, before := map[*Node]time.Duration{}, map[*Node]*Node{}
	var last *Node
	for _, n := range order {
		for _, d := range n.Deps {
			if chain[d] > chain[n] {
				chain[n], before[n] = chain[d], d
			}
		}
		chain[n] += took[n]
		p.WorkMillis += took[n].Milliseconds()
		if chain[n] > chain[last] {
			last = n
		}
	}
	p.TotalMillis = chain[last].Milliseconds()
	for n := last; n != nil; n = before[n] {
		if ms := took[n].Milliseconds(); ms > 0 {
			p.Steps = append(p.Steps, PathStep{n.ID, ms})
		}
	}
	if len(p.Steps) == 0 {
		return nil
	}
	slices.Reverse(p.Steps)
	return p
}

// Critical is the critical path of what ran in a build; nil if nothing took any time.
func (s *Summary) Critical() *CriticalPath {
	roots := make([]*Node, 0, len(s.Outcomes))
	for n := range s.Outcomes {
		roots = append(roots, n)
	}
	slices.SortFunc(roots, func(a, b *Node) int { return strings.Compare(a.ID, b.ID) })
	order, err := Order(roots)
	if err != nil {
		return nil // such a graph has not been built
	}
	return Critical(order, s.Took)
}

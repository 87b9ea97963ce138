package ui

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/graph"
)

const (
	// namedSteps is how many steps a summary names; of more it counts those of each recipe.
	namedSteps = 6
	// slowest is how many of the steps that took longest a summary names.
	slowest = 3
	// worthwhile is what a build takes before it is said what would shorten it.
	worthwhile = 10 * time.Second
)

// Summary says at the end of a build what ran, what took longest and what came from the cache. set is the release set, "" for one
// without a name.
func Summary(s *graph.Summary, took time.Duration, set string) string {
	var ran, cached, fetched []string
	for n, o := range s.Outcomes {
		switch {
		case o == graph.Ran:
			ran = append(ran, n.ID)
		case o == graph.Fetched:
			fetched = append(fetched, n.ID)
		case o == graph.UpToDate && n.Resolve == nil:
			// A node that is resolved is read or put together in each build and has no result in the cache.
			cached = append(cached, n.ID)
		}
	}
	counts := fmt.Sprintf("%d steps ran, %d were up to date", len(ran), s.Count(graph.UpToDate))
	if len(fetched) > 0 {
		counts = fmt.Sprintf("%d steps ran, %d came from the remote cache, %d were up to date", len(ran), len(fetched), s.Count(graph.UpToDate))
	}
	lines := []string{counts + ", in " + Seconds(took) + InSet(set)}
	if len(ran) > 0 {
		lines = append(lines, "  ran: "+stepsOf(ran))
	}
	if len(fetched) > 0 {
		lines = append(lines, "  from the remote cache: "+stepsOf(fetched))
	}
	if slow := slowestSteps(s.Took); slow != "" {
		lines = append(lines, "  longest: "+slow)
	}
	if path := critical(s.Critical(), took); path != "" {
		lines = append(lines, "  critical path: "+path)
	}
	if len(cached) > 0 {
		lines = append(lines, "  from the cache: "+stepsOf(cached))
	}
	return strings.Join(lines, "\n")
}

// InSet is what a line about a build ends with: the release set that was built, in parentheses, or nothing.
func InSet(set string) string {
	if set == "" {
		return ""
	}
	return " (set " + set + ")"
}

// critical names the chain of steps that bounds a build, and what would shorten the build: that chain's longest step where the chain
// is most of the time, else more processors. It is "" for a build that is short or has no such chain.
func critical(p *graph.CriticalPath, took time.Duration) string {
	if p == nil || took < worthwhile {
		return ""
	}
	var parts []string
	for _, s := range p.Steps {
		if d := time.Duration(s.Millis) * time.Millisecond; d >= moment {
			parts = append(parts, s.ID+" "+Seconds(d))
		}
	}
	if len(parts) < 2 {
		return ""
	}
	total := time.Duration(p.TotalMillis) * time.Millisecond
	text := fmt.Sprintf("%s (%s)", Seconds(total), strings.Join(parts, ", "))
	if total < took*8/10 {
		return text + "; more processors would shorten the build"
	}
	return text + "; a faster " + p.Longest().ID + " would shorten the build"
}

// stepsOf names a few steps; of many it says how many each recipe has ("base 12, std 3").
func stepsOf(ids []string) string {
	slices.Sort(ids)
	if len(ids) <= namedSteps {
		return strings.Join(ids, ", ")
	}
	of := map[string]int{}
	for _, id := range ids {
		top, _, _ := strings.Cut(id, "/")
		of[top]++
	}
	var parts []string
	for _, top := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%s %d", top, of[top]))
	}
	return strings.Join(parts, ", ")
}

// slowestSteps are those that took longest, longest first; "" if none took longer than a moment.
func slowestSteps(took map[*graph.Node]time.Duration) string {
	nodes := slices.SortedFunc(maps.Keys(took), func(a, b *graph.Node) int {
		return cmp.Or(cmp.Compare(took[b], took[a]), cmp.Compare(a.ID, b.ID))
	})
	var parts []string
	for _, n := range nodes[:min(slowest, len(nodes))] {
		if took[n] >= moment {
			parts = append(parts, n.ID+" "+Seconds(took[n]))
		}
	}
	return strings.Join(parts, ", ")
}

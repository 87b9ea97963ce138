package report

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/trace"
)

func (c *collector) addBuild(context.Context) error {
	if c.Trace == "" {
		return nil
	}
	file, err := trace.Read(c.Trace)
	if err != nil {
		c.miss("the last build", "mage initfs or mage demo builds"+unlessAbsent(err))
		return nil
	}
	b := buildOf(file)
	c.complete(b)
	c.Build = b
	if file.Build == nil {
		c.miss("what did not run in the last build, and the graph", "the next build writes it down; the last was by an older redox-clif")
	}
	return nil
}

const (
	mostWorkers = 1024
	longest     = int64(1) << 50 // microseconds, 35 years
)

// buildOf is what the trace alone says.
func buildOf(file *trace.File) *Build {
	b := &Build{Roots: []string{}, Steps: []Step{}, Bars: []Bar{}}
	index := map[string]int{}
	add := func(s Step) {
		s.Recipe, _, _ = strings.Cut(s.ID, "/")
		index[s.ID] = len(b.Steps)
		b.Steps = append(b.Steps, s)
	}
	if t := file.Build; t != nil {
		b.Started, b.Micros, b.Set, b.Toolchain, b.Jobs, b.Failed = t.Started, t.Micros, t.Set, t.Toolchain, t.Jobs, t.Failed
		b.Roots = append(b.Roots, t.Roots...)
		for _, s := range t.Steps {
			add(Step{ID: s.ID, Needs: s.Needs, Outcome: s.Outcome})
		}
	}
	for _, e := range file.Events {
		// A file of out/ may be anybody's: what cannot be is moved to where a picture has room for it.
		e.Ts, e.Dur, e.Tid = min(max(e.Ts, 0), longest), min(max(e.Dur, 0), longest), min(max(e.Tid, 0), mostWorkers-1)
		i, known := index[e.Name]
		if !known {
			i = len(b.Steps)
			add(Step{ID: e.Name, Outcome: e.Args["outcome"]})
		}
		s := &b.Steps[i]
		s.Micros += e.Dur
		if s.Reason = e.Args["reason"]; s.Outcome == "" {
			s.Outcome = e.Args["outcome"]
		}
		b.Bars = append(b.Bars, Bar{i, e.Ts, e.Dur, e.Tid, e.Args["outcome"], e.Args["reason"]})
		b.Micros = max(b.Micros, e.Ts+e.Dur)
		b.WorkMicros += e.Dur
		b.Workers = max(b.Workers, e.Tid+1)
	}
	slices.SortStableFunc(b.Bars, func(x, y Bar) int { return int(x.Start - y.Start) })
	b.count()
	b.findCritical(index)
	return b
}

func (b *Build) count() {
	counters := map[string]*int{
		graph.Ran.String(): &b.Counts.Ran, graph.UpToDate.String(): &b.Counts.UpToDate, graph.Fetched.String(): &b.Counts.Fetched,
		graph.Failed.String(): &b.Counts.Failed, graph.Skipped.String(): &b.Counts.Skipped,
	}
	for i := range b.Steps {
		if n := counters[b.Steps[i].Outcome]; n != nil {
			*n++
		}
	}
}

// findCritical marks the chain of steps that bounds the build.
func (b *Build) findCritical(index map[string]int) {
	nodes, took := make([]*graph.Node, len(b.Steps)), map[*graph.Node]time.Duration{}
	for i, s := range b.Steps {
		nodes[i] = &graph.Node{ID: s.ID}
		took[nodes[i]] = time.Duration(s.Micros) * time.Microsecond
	}
	for i, s := range b.Steps {
		for _, id := range s.Needs {
			if j, ok := index[id]; ok {
				nodes[i].Deps = append(nodes[i].Deps, nodes[j])
			}
		}
	}
	if order, err := graph.Order(nodes); err == nil {
		b.Critical = graph.Critical(order, took)
	}
	if b.Critical == nil {
		return
	}
	for _, s := range b.Critical.Steps {
		b.Steps[index[s.ID]].Critical = true
	}
}

const (
	// tailBytes is how much of the log of a step that failed is kept.
	tailBytes = 8 << 10
	// longestReason bounds what is said of why a step ran.
	longestReason = 300
)

// complete adds what lies beside the trace.
func (c *collector) complete(b *Build) {
	for i := range b.Bars {
		b.Bars[i].Reason = shortened(b.Bars[i].Reason, longestReason)
	}
	logs := map[string]bool{}
	entries, _ := os.ReadDir(c.Logs)
	for _, e := range entries {
		logs[e.Name()] = true
	}
	for i := range b.Steps {
		s := &b.Steps[i]
		s.Reason = shortened(s.Reason, longestReason)
		if c.History != nil {
			if r := c.History.Get(s.ID); r != nil {
				s.LastMicros = r.Duration.Microseconds()
			}
		}
		name := graph.LogName(s.ID)
		if !logs[name] {
			continue
		}
		file := filepath.Join(c.Logs, name)
		s.Log = c.relative(file)
		if s.Outcome == graph.Failed.String() {
			s.Tail = tailOf(file, tailBytes)
		}
	}
}

func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

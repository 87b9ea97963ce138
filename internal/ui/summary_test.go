package ui

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
)

// summaryOf has steps by how long they ran; those of 0 came from the cache, "FOLDER" is one that is read in each build.
func summaryOf(steps map[string]time.Duration) *graph.Summary {
	s := &graph.Summary{Outcomes: map[*graph.Node]graph.Outcome{}, Took: map[*graph.Node]time.Duration{}}
	for id, took := range steps {
		n := &graph.Node{ID: id}
		if id == "FOLDER" {
			n.Resolve = func(context.Context, graph.Outputs) (cas.Digest, error) { return cas.Digest{}, nil }
		}
		if took > 0 {
			s.Outcomes[n], s.Took[n] = graph.Ran, took
		} else {
			s.Outcomes[n] = graph.UpToDate
		}
	}
	return s
}

func TestSummary(t *testing.T) {
	many := map[string]time.Duration{"FOLDER": 0, "std/core": 0, "std/alloc": 3 * time.Minute, "demo/a": 41 * time.Second, "demo/b": 2 * time.Second}
	for i := range 10 {
		many[fmt.Sprint("base/", i)] = time.Duration(i+1) * 500 * time.Millisecond
	}
	for name, c := range map[string]struct {
		steps map[string]time.Duration
		set   string
		want  string
	}{
		"few": {map[string]time.Duration{"demo/b": 100 * time.Millisecond, "demo/a": 8 * time.Second, "FOLDER": 0}, "",
			"2 steps ran, 1 were up to date, in 1m00s\n  ran: demo/a, demo/b\n  longest: demo/a 8.0s"},
		"only moments": {map[string]time.Duration{"demo/b": 100 * time.Millisecond, "std/core": 0}, "2026-06",
			"1 steps ran, 1 were up to date, in 1m00s (set 2026-06)\n  ran: demo/b\n  from the cache: std/core"},
		"many": {many, "",
			"13 steps ran, 2 were up to date, in 1m00s\n  ran: base 10, demo 2, std 1\n  longest: std/alloc 3m00s, demo/a 41s, base/9 5.0s\n  from the cache: std/core"},
	} {
		if diff := cmp.Diff(c.want, Summary(summaryOf(c.steps), time.Minute, c.set)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A build that took long names the chain that bounds it, and what would shorten it.
func TestSummaryNamesTheCriticalPath(t *testing.T) {
	std := &graph.Node{ID: "std"}
	programs := &graph.Node{ID: "programs", Deps: []*graph.Node{std}}
	relibc := &graph.Node{ID: "relibc"}
	s := &graph.Summary{
		Outcomes: map[*graph.Node]graph.Outcome{std: graph.Ran, programs: graph.Ran, relibc: graph.Ran},
		Took:     map[*graph.Node]time.Duration{std: 40 * time.Second, programs: 20 * time.Second, relibc: 50 * time.Second},
	}
	for took, want := range map[time.Duration]string{
		65 * time.Second:  "\n  critical path: 1m00s (std 40s, programs 20s); a faster std would shorten the build",
		110 * time.Second: "\n  critical path: 1m00s (std 40s, programs 20s); more processors would shorten the build",
	} {
		if got := Summary(s, took, ""); !strings.HasSuffix(got, want) {
			t.Errorf("got %s", got)
		}
	}
	if got := Summary(s, 9*time.Second, ""); strings.Contains(got, "critical") {
		t.Errorf("of a short build: %s", got)
	}
}

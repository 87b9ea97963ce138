package ui

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/graph"
)

// A build that nobody watches says every half minute what runs and how long it still takes, and never that no time is left.
func TestHeartbeatSaysWhatRuns(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(100, 0)
	p := NewPlain(&out, false, func() time.Time { return now })
	known, unknown := &graph.Node{ID: "demo/programs"}, &graph.Node{ID: "demo/kernel"}
	p.Begin([]*graph.Node{known, unknown})
	p.sayRunning() // nothing runs
	p.Started(known, "not built before", 41*time.Second)
	now = now.Add(time.Second)
	p.Started(unknown, "not built before", 0)
	for range 2 {
		now = now.Add(29500 * time.Millisecond)
		p.sayRunning()
	}
	p.Finished(known, graph.Ran, time.Minute, nil)
	p.sayRunning()
	p.Finished(unknown, graph.Skipped, time.Minute, nil)
	p.sayRunning()
	want := `[0/2] running: demo/programs 30s, about 10s left; demo/kernel 30s
[0/2] running: demo/programs 1m00s, longer than last time (41s); demo/kernel 59s
[1/2] demo/programs: done in 1m00s (not built before)
[1/2] running: demo/kernel 59s
[1/2] demo/kernel: stopped after 1m00s
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHeartbeatEndsWithTheObserver(t *testing.T) {
	var out bytes.Buffer
	p := NewPlain(&out, false, func() time.Time { return time.Unix(100, 0) })
	ticks := make(chan time.Time)
	p.stop = p.beat(ticks)
	p.Started(&graph.Node{ID: "a"}, "not built before", 0)
	ticks <- time.Time{}
	p.Close()
	p.Close()
	if want := "[0/0] running: a 0.0s\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	select {
	case ticks <- time.Time{}:
		t.Error("it still listens")
	default:
	}
}

func TestPaceNeverRunsOut(t *testing.T) {
	for _, c := range []struct {
		elapsed, estimate time.Duration
		want              string
	}{
		{5 * time.Second, 0, ""},
		{5 * time.Second, 45 * time.Second, ", about 40s left"},
		{44900 * time.Millisecond, 45 * time.Second, ", about 1.0s left"},
		{45 * time.Second, 45 * time.Second, ", longer than last time (45s)"},
		{time.Hour, 300 * time.Millisecond, ", longer than last time (0.3s)"},
	} {
		if got := pace(c.elapsed, c.estimate); got != c.want {
			t.Errorf("%v of %v: %q, want %q", c.elapsed, c.estimate, got, c.want)
		}
	}
}

// What a tool says is text, also with -v. Its blanks stay, so that carets stand below what they point at, and its colours do on a terminal.
func TestOutputOfToolsIsFitForATerminal(t *testing.T) {
	for _, c := range []struct {
		colours bool
		want    string
	}{
		{true, "  a/b| \x1b[31mred\x1b[0m \\x1b]0;title\\x07\n  a/b|\n  a/b|    \x1b[1m^^\x1b[0m here\ngone\\x1b[2J\n"},
		{false, "  a/b| red \\x1b]0;title\\x07\n  a/b|\n  a/b|    ^^ here\ngone\\x1b[2J\n"},
	} {
		var out bytes.Buffer
		p := NewPlain(&out, true, time.Now)
		p.colours = c.colours
		n := &graph.Node{ID: "a/b"}
		p.Status(n, "\x1b[31mred\x1b[0m \x1b]0;title\a")
		p.Status(n, "")
		p.Status(n, "   \x1b[1m^^\x1b[0m here")
		p.Notice("gone\x1b[2J")
		if out.String() != c.want {
			t.Errorf("colours %t: got\n%q, want\n%q", c.colours, out.String(), c.want)
		}
	}
}

package ui

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/graph"
)

var update = flag.Bool("update", false, "write the golden files")

// play tells an observer of a build with every kind of event.
func play(o graph.Observer) {
	n := map[string]*graph.Node{}
	var order []*graph.Node
	for _, id := range []string{"demo/source", "demo/programs", "demo/kernel", "demo/strip", "demo/slow", "demo/initfs"} {
		n[id] = &graph.Node{ID: id}
		order = append(order, n[id])
	}
	o.Begin(order)
	o.Finished(n["demo/source"], graph.UpToDate, 0, nil)
	o.Started(n["demo/programs"], "file src/main.rs changed", 90*time.Second)
	o.Status(n["demo/programs"], "Compiling demo-init v0.1.0")
	o.Notice("demo/kernel is being built by another run; waiting for it")
	o.Finished(n["demo/programs"], graph.Ran, 187*time.Second, nil)
	// Its output is lost and made again: it counts once.
	o.Started(n["demo/programs"], "its result is not in this cache", 300*time.Millisecond)
	o.Finished(n["demo/programs"], graph.Ran, 2500*time.Millisecond, nil)
	// Most steps are over in a moment: -v has them.
	o.Started(n["demo/strip"], "not built before", 0)
	o.Finished(n["demo/strip"], graph.Ran, 40*time.Millisecond, nil)
	o.Started(n["demo/kernel"], "not built before", 0)
	o.Started(n["demo/slow"], "not built before", 0)
	o.Finished(n["demo/kernel"], graph.Failed, 42*time.Second, errors.New("broken"))
	o.Finished(n["demo/slow"], graph.Skipped, time.Second, nil)
	o.Finished(n["demo/initfs"], graph.Skipped, 0, nil)
}

func TestPlainGolden(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		var out bytes.Buffer
		p := NewPlain(&out, verbose, time.Now)
		play(p)
		p.Close()
		golden(t, fmt.Sprintf("plain-%v.txt", verbose), out.Bytes())
	}
}

// GitHub folds what steps say, and what failed is told before what it said.
func TestStepsAreGrouped(t *testing.T) {
	var out bytes.Buffer
	p := NewPlain(&out, false, time.Now)
	p.grouped = true
	play(p)
	n := &graph.Node{ID: "demo/kernel"}
	p.Started(n, "not built before", 0)
	p.Status(n, "error[E0308]: \x1b[31mmismatched\x1b[0m")
	p.Finished(n, graph.Failed, 2*time.Second, errors.New("broken"))
	got := regexp.MustCompile(`[A-Z0-9]{26}`).ReplaceAllString(out.String(), "TOKEN")
	golden(t, "grouped.txt", []byte(got))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// lockedBuffer can be written by mpb and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The block is torn down while steps run and decorators are busy: this must not hang.
func TestLiveClosesInTheMiddle(t *testing.T) {
	for range 5 {
		var out lockedBuffer
		l := newLive(&out)
		var nodes []*graph.Node
		for i := range 20 {
			nodes = append(nodes, &graph.Node{ID: fmt.Sprint("step", i)})
		}
		l.Begin(nodes)
		for _, n := range nodes {
			l.Started(n, "not built before", 5*time.Second)
		}
		l.Status(nodes[0], strings.Repeat("long ", 40))
		l.Finished(nodes[0], graph.Ran, time.Second, nil)
		l.Finished(nodes[1], graph.Ran, 40*time.Millisecond, nil)
		time.Sleep(2 * time.Millisecond)
		done := make(chan struct{})
		go func() { l.Close(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Fatal("Close hangs")
		}
		l.Notice("after the end")
		if text := out.String(); !strings.Contains(text, "step0: done in 1.0s") || !strings.Contains(text, "after the end") || strings.Contains(text, "step1: done") {
			t.Errorf("output %q", text)
		}
	}
}

func TestLiveIsSilentWhenNothingRuns(t *testing.T) {
	var out lockedBuffer
	l := newLive(&out)
	n := &graph.Node{ID: "a"}
	l.Begin([]*graph.Node{n})
	l.Finished(n, graph.UpToDate, 0, nil)
	l.Close()
	if out.String() != "" {
		t.Errorf("wrote %q", out.String())
	}
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		300 * time.Millisecond: "0.3s", 42 * time.Second: "42s", 187 * time.Second: "3m07s",
		250 * time.Minute: "4h10m", 47 * time.Hour: "47h00m", 75 * time.Hour: "3 days",
	} {
		if got := Seconds(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1<<10 - 1: "1023 B", 1 << 10: "1.0 KiB", 1 << 20: "1.0 MiB", 1 << 30: "1.00 GiB", 3<<30 + 1<<29: "3.50 GiB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestClipKeepsWhatFits(t *testing.T) {
	for text, want := range map[string]string{"": "", "fünf5": "fünf5", "sechs6": "sech…"} {
		if got := clip(text, 5); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestStatusLeavesTheFolderOut(t *testing.T) {
	for line, want := range map[string]string{
		"Compiling demo-hello v0.1.0 (/home/me/x/src/hello)": "Compiling demo-hello v0.1.0",
		"Compiling libc v0.2.177":                            "Compiling libc v0.2.177",
		"file a (/b changed":                                 "file a (/b changed",
	} {
		if got := withoutFolder(line); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestMarksOfAShortBuildDiffer(t *testing.T) {
	if a, b := mark(25_000, 200_000), mark(50_000, 200_000); a != "25ms" || b != "50ms" {
		t.Error(a, b)
	}
	if got := mark(1_000_000, 8_000_000); got != "1.0s" {
		t.Error(got)
	}
}

func TestTimelineGolden(t *testing.T) {
	trace := `{"traceEvents": [
 {"name": "std/x", "ts": 0, "dur": 40000000, "tid": 0, "args": {"reason": "not built before", "outcome": "ran"}},
 {"name": "demo/a & b", "ts": 1000000, "dur": 9000000, "tid": 1, "args": {"reason": "file a<b: 1 -> 2", "outcome": "failed"}},
 {"name": "demo/short", "ts": 12000000, "dur": 1000, "tid": 1, "args": {"outcome": "ran"}}]}`
	var out bytes.Buffer
	if err := WriteTimeline(&out, []byte(trace)); err != nil {
		t.Fatal(err)
	}
	golden(t, "timeline.svg", out.Bytes())
	if err := WriteTimeline(&out, []byte("not json")); err == nil {
		t.Error("nonsense was drawn")
	}
}

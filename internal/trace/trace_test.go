package trace

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/graph"
)

type deaf struct{}

func (deaf) Begin([]*graph.Node)                                       {}
func (deaf) Started(*graph.Node, string, time.Duration)                {}
func (deaf) Status(*graph.Node, string)                                {}
func (deaf) Waited(*graph.Node, time.Duration)                         {}
func (deaf) Finished(*graph.Node, graph.Outcome, time.Duration, error) {}
func (deaf) Notice(string)                                             {}
func clock() func() time.Time {
	now := time.Unix(100, 0)
	return func() time.Time { now = now.Add(time.Second); return now }
}

// graphOf is source <- programs <- image, and kernel beside programs.
func graphOf() []*graph.Node {
	source := &graph.Node{ID: "demo/source"}
	programs := &graph.Node{ID: "demo/programs", Deps: []*graph.Node{source}}
	kernel := &graph.Node{ID: "demo/kernel", Deps: []*graph.Node{source}}
	return []*graph.Node{source, programs, kernel, {ID: "demo/initfs", Deps: []*graph.Node{programs}}}
}

func saved(t *testing.T, path string) *File {
	t.Helper()
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestABuildIsWrittenDownWithWhatDidNotRun(t *testing.T) {
	n := graphOf()
	r := New(deaf{}, clock())
	r.Begin(n)
	r.Finished(n[0], graph.UpToDate, 0, nil)
	r.Started(n[1], "file src/main.rs changed", 0)
	r.Started(n[2], "not built before", 0)
	r.Finished(n[1], graph.Ran, time.Second, nil)
	// Its output is lost and made again, by the worker that is free by then.
	r.Started(n[1], "its result is not in this cache", 0)
	r.Finished(n[2], graph.Failed, 2*time.Second, nil)
	r.Finished(n[1], graph.Ran, time.Second, nil)
	path := filepath.Join(t.TempDir(), "out", FileName)
	if err := r.Save(path, About{Target: "t", Roots: []string{"demo/initfs"}, Jobs: 2}, "demo/kernel failed"); err != nil {
		t.Fatal(err)
	}
	f := saved(t, path)
	var got []Event
	for _, e := range f.Events {
		got = append(got, Event{Name: e.Name, Tid: e.Tid, Ts: e.Ts, Dur: e.Dur, Args: e.Args})
	}
	want := []Event{
		{Name: "demo/programs", Tid: 0, Ts: 2_000_000, Dur: 1_000_000, Args: map[string]string{"outcome": "ran", "reason": "file src/main.rs changed"}},
		{Name: "demo/kernel", Tid: 1, Ts: 3_000_000, Dur: 2_000_000, Args: map[string]string{"outcome": "failed", "reason": "not built before"}},
		{Name: "demo/programs", Tid: 0, Ts: 5_000_000, Dur: 1_000_000, Args: map[string]string{"outcome": "ran", "reason": "its result is not in this cache"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	steps := []Step{{"demo/source", nil, "up to date"}, {"demo/programs", []string{"demo/source"}, "ran"}, {"demo/kernel", []string{"demo/source"}, "failed"},
		{"demo/initfs", []string{"demo/programs"}, ""}}
	if diff := cmp.Diff(steps, f.Build.Steps); diff != "" {
		t.Error(diff)
	}
	if f.Build.Failed != "demo/kernel failed" || f.Build.Jobs != 2 || f.Build.Micros <= 0 {
		t.Errorf("%+v", f.Build)
	}
}

// What came from another machine is there, without a length.
func TestFetchedStepsAreMarks(t *testing.T) {
	n := graphOf()
	r := New(deaf{}, clock())
	r.Begin(n)
	r.Finished(n[1], graph.Fetched, 0, nil)
	path := filepath.Join(t.TempDir(), FileName)
	if err := r.Save(path, About{}, ""); err != nil {
		t.Fatal(err)
	}
	if e := saved(t, path).Events; len(e) != 1 || e[0].Dur != 0 || e[0].Args["outcome"] != "from the remote cache" {
		t.Errorf("%+v", e)
	}
}

// "Nothing to do" after a build does not take away how that build went; another build's record is replaced.
func TestABuildInWhichNothingRanKeepsTheRecordOfTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	build := func(root string, ran bool) {
		n := graphOf()
		r := New(deaf{}, clock())
		r.Begin(n)
		if ran {
			r.Started(n[0], "not built before", 0)
			r.Finished(n[0], graph.Ran, time.Second, nil)
		}
		if err := r.Save(path, About{Roots: []string{root}}, ""); err != nil {
			t.Fatal(err)
		}
	}
	build("demo/initfs", true)
	build("demo/initfs", false)
	if got := len(saved(t, path).Events); got != 1 {
		t.Errorf("%d events of the build before", got)
	}
	build("initfs/initfs", false)
	if f := saved(t, path); len(f.Events) != 0 || f.Build.Roots[0] != "initfs/initfs" {
		t.Errorf("%+v", f)
	}
}

func TestFilesOfOtherVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	for text, good := range map[string]bool{
		`{"traceEvents": [{"name": "x"}]}`: true, `{"traceEvents": [], "build": {"schema": 1}}`: true,
		`{"traceEvents": [], "build": {"schema": 99}}`: false, `nonsense`: false,
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

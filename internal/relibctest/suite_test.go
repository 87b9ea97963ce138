package relibctest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/manifest"
)

func suiteOf(names ...string) *Suite {
	s := NewSuite(&List{})
	for _, name := range names {
		s.Tests[name] = &Test{Name: name, Results: map[string]Result{}}
	}
	return s
}

func TestAGuestThatEndsIsGoneOnWith(t *testing.T) {
	suite := suiteOf("a", "b", "c")
	schedule := suite.Schedule(suite.Names())
	plan := schedule.Rest
	fine := Result{Ended: "exit 0", Stdout: "in /relibc-tests/llvm/x"}
	last := schedule.Record(&Run{Results: map[int]Result{1: fine, 3: fine}, Torn: map[int]error{2: errors.New("torn")}, Open: 4})
	if diff := cmp.Diff([]Program{plan[1], plan[4], plan[5]}, schedule.Rest); diff != "" {
		t.Fatal(diff)
	}
	if last == nil || *last != (Program{"b", Tested}) {
		t.Errorf("the guest ended with %v", last)
	}
	if got := suite.Tests["a"].Results[Reference].Stdout; got != "in /relibc-tests/x" {
		t.Errorf("%q differs from the other backend's", got)
	}
	if got := suite.Tests["b"].Results[Tested].Ended; got != EndedGuest {
		t.Errorf("b ended %q", got)
	}
	// Torn apart again: it is not tried for ever, and not forgotten.
	fine.Stdout = "all"
	last = schedule.Record(&Run{Results: map[int]Result{2: fine, 3: fine}, Torn: map[int]error{1: errors.New("torn")}, Done: true})
	if len(schedule.Rest) > 0 || last != nil {
		t.Errorf("left: %v, ended with %v", schedule.Rest, last)
	}
	var verdicts []Verdict
	for _, c := range suite.Judge() {
		verdicts = append(verdicts, c.Verdict)
	}
	if diff := cmp.Diff([]Verdict{NotReached, Differs, Passed}, verdicts); diff != "" {
		t.Error(diff)
	}
}

func TestExpectedOutputIsLookedForWhereUpstreamDoes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"bins_static/a.stdout": "static", "a.stdout": "any", "b.stdout": "any", "bins_dynamic/c.stdout": "dynamic"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"a": "static", "b": "any", "c": "nothing"} {
		got := "nothing"
		text, err := expectedOutput(dir, name+".stdout")
		if err != nil {
			t.Fatal(err)
		}
		if text != nil {
			got = *text
		}
		if got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestChoiceOfRelibcTests(t *testing.T) {
	suite := suiteOf("math", "stdio/all", "stdio/printf", "stdlib/div")
	if err := suite.Choose("stdio/,math"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"math", "stdio/all", "stdio/printf"}, suite.Names()); diff != "" {
		t.Error(diff)
	}
	if err := suite.Choose("maths"); err == nil || !strings.Contains(err.Error(), "math, stdio/all") {
		t.Errorf("got %v", err)
	}
}

func TestEveryTestIsCounted(t *testing.T) {
	var cases []Case
	for i, v := range []Verdict{Passed, Fails, Differs, NotCompiled, NotRun, NotReached} {
		for range i + 1 {
			cases = append(cases, Case{Verdict: v})
		}
	}
	want := "21 tests of relibc: 3 the same by both backends (1 pass, 2 fail by both), 3 differ, 4 not compiled, 5 not run, 6 not reached"
	if got := Conclude(cases).Summary(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestALibraryThatIsTiedToLLVMIsNotComparedWithItself(t *testing.T) {
	m := &manifest.Manifest{Files: []manifest.File{
		{Path: "lib/libc.a", Backend: "cranelift"}, {Path: "lib/crt0.o", Backend: "llvm", Reason: "assembly"},
	}}
	if err := CheckLibrary(m, Tested); err == nil || !strings.Contains(err.Error(), "lib/crt0.o") || !strings.Contains(err.Error(), "assembly") {
		t.Errorf("got %v", err)
	}
	m.Files = m.Files[:1]
	if err := CheckLibrary(m, Tested); err != nil {
		t.Error(err)
	}
}

func TestWhatCannotBeRunIsNotScheduled(t *testing.T) {
	suite := suiteOf("long", "net", "refused")
	suite.List = &List{Known: []Known{{Tests: []string{"net"}, What: NotRun}}, Limits: []Limit{{Tests: []string{"long"}, Seconds: 90}}}
	suite.Tests["refused"].Refused = map[string]string{Tested: "error"}
	suite.Tests["long"].Results[Tested] = Result{Ended: "of an earlier run"}
	schedule := suite.Schedule(suite.Names())
	if got, want := schedule.Plan(), "/relibc-tests/llvm bins_static/long 90\n/relibc-tests/cranelift bins_static/long 90\n"; got != want {
		t.Errorf("got %q", got)
	}
	if schedule.Longest() != 90*time.Second || len(suite.Tests["long"].Results) > 0 {
		t.Errorf("%v, %v", schedule.Longest(), suite.Tests["long"].Results)
	}
}

func TestCollect(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"programs/bin/stdio/a": "", "programs/refused/b": "error: x\n", "tests/expected/stdio/a.stdout": "out"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	suite := NewSuite(&List{})
	for _, backend := range []string{Reference, Tested} {
		if err := suite.Collect(dir, backend); err != nil {
			t.Fatal(err)
		}
	}
	none := map[string]Result{}
	want := map[string]*Test{
		"stdio/a": {Name: "stdio/a", Stdout: new("out"), Refused: map[string]string{}, Results: none},
		"b":       {Name: "b", Refused: map[string]string{Reference: "error: x\n", Tested: "error: x\n"}, Results: none},
	}
	if diff := cmp.Diff(want, suite.Tests); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsUnexpectedIsRunOnceMore(t *testing.T) {
	suite := suiteOf("a", "b", "c")
	good, bad := Result{Ended: "exit 0"}, Result{Ended: "exit 1"}
	suite.Tests["a"].Results = map[string]Result{Reference: good, Tested: bad}
	suite.Tests["b"].Results = map[string]Result{Reference: good, Tested: good}
	suite.Tests["c"].Refused = map[string]string{Reference: "error", Tested: "error"}
	first := suite.Judge()
	if diff := cmp.Diff([]string{"a"}, ToRepeat(first)); diff != "" {
		t.Error(diff)
	}
	suite.Tests["a"].Results[Tested] = good
	cases := suite.JudgeAgain(first)
	if !cases[0].Again || cases[1].Again || cases[2].Again {
		t.Errorf("%+v", cases)
	}
	many := make([]Case, mostRepeated+1)
	for i := range many {
		many[i] = Case{Verdict: NotReached}
	}
	if len(ToRepeat(many)) != 0 || len(ToRepeat(many[1:])) != mostRepeated {
		t.Error("the bound is not kept")
	}
}

func TestConclusion(t *testing.T) {
	c := Conclude([]Case{
		{Name: "a", Verdict: Passed}, {Name: "b", Verdict: Differs, Detail: "one\ntwo"}, {Name: "c", Verdict: Fails, Known: &Known{What: Fails}}, {Name: "d", Verdict: NotRun},
	})
	if err := c.Err(); err == nil || err.Error() != "1 of 4 tests are not as they should be:\nb: differs\n  one\n  two" {
		t.Error(err)
	}
	s := c.JUnit(time.Second)
	if s.Tests != 4 || s.Failures != 1 || s.Cases[0].Skipped != nil || s.Cases[1].Failure == nil || s.Cases[2].Skipped == nil || s.Cases[3].Skipped == nil {
		t.Errorf("%+v", s)
	}
	if err := Conclude(nil).Err(); err == nil {
		t.Error("no test passes")
	}
}

func TestOutputsAreKeptByBackend(t *testing.T) {
	suite := suiteOf("stdio/a")
	suite.Tests["stdio/a"].Results[Tested] = Result{Ended: "exit 0", Stdout: "out"}
	dir := filepath.Join(t.TempDir(), "relibc")
	if err := os.MkdirAll(filepath.Join(dir, "of an earlier run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := suite.WriteOutputs(dir); err != nil {
		t.Fatal(err)
	}
	for ext, want := range map[string]string{".end": "exit 0\n", ".stdout": "out", ".stderr": ""} {
		if got, err := os.ReadFile(filepath.Join(dir, "cranelift", "stdio", "a"+ext)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", ext, got, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left: %v", entries)
	}
}

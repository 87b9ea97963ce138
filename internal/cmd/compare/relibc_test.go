package compare

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/relibctest"
	"github.com/pannous/redox-clif/internal/session"
)

func relibcKit(t *testing.T, names ...string) (*relibcTests, []planned) {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	kit := &relibcTests{s: &session.Session{Streams: session.Streams{Err: null}}, list: &relibctest.List{}, tests: map[string]*relibctest.Test{}}
	var plan []planned
	for _, name := range names {
		kit.tests[name] = &relibctest.Test{Name: name, Results: map[string]relibctest.Result{}}
		plan = append(plan, planned{name, relibctest.Reference}, planned{name, relibctest.Tested})
	}
	return kit, plan
}

func TestAGuestThatEndsIsGoneOnWith(t *testing.T) {
	kit, plan := relibcKit(t, "a", "b", "c")
	fine := relibctest.Result{Ended: "exit 0", Stdout: "in /relibc-tests/llvm/x"}
	torn := map[planned]bool{}
	rest := kit.take(&relibctest.Run{Results: map[int]relibctest.Result{1: fine, 3: fine}, Torn: map[int]error{2: errors.New("torn")}, Open: 4}, plan, torn)
	if diff := cmp.Diff([]planned{plan[1], plan[4], plan[5]}, rest, cmp.AllowUnexported(planned{})); diff != "" {
		t.Fatal(diff)
	}
	if got := kit.tests["a"].Results[relibctest.Reference].Stdout; got != "in /relibc-tests/x" {
		t.Errorf("%q differs from the other backend's", got)
	}
	if got := kit.tests["b"].Results[relibctest.Tested].Ended; got != relibctest.EndedGuest {
		t.Errorf("b ended %q", got)
	}
	// Torn apart again: it is not tried for ever, and not forgotten.
	fine.Stdout = "all"
	rest = kit.take(&relibctest.Run{Results: map[int]relibctest.Result{2: fine, 3: fine}, Torn: map[int]error{1: errors.New("torn")}, Done: true}, rest, torn)
	if len(rest) > 0 {
		t.Errorf("left: %v", rest)
	}
	var verdicts []relibctest.Verdict
	for _, c := range kit.judge() {
		verdicts = append(verdicts, c.Verdict)
	}
	if diff := cmp.Diff([]relibctest.Verdict{relibctest.NotReached, relibctest.Differs, relibctest.Passed}, verdicts); diff != "" {
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
		text, err := expectedOf(dir, name+".stdout")
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
	kit, _ := relibcKit(t, "math", "stdio/all", "stdio/printf", "stdlib/div")
	if err := kit.choose("stdio/,math"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"math", "stdio/all", "stdio/printf"}, kit.names()); diff != "" {
		t.Error(diff)
	}
	if err := kit.choose("maths"); err == nil || !strings.Contains(err.Error(), "math, stdio/all") {
		t.Errorf("got %v", err)
	}
}

func TestEveryTestIsCounted(t *testing.T) {
	var cases []relibctest.Case
	count := map[relibctest.Verdict]int{}
	for i, v := range []relibctest.Verdict{relibctest.Passed, relibctest.Fails, relibctest.Differs, relibctest.NotCompiled, relibctest.NotRun, relibctest.NotReached} {
		for range i + 1 {
			cases = append(cases, relibctest.Case{Verdict: v})
			count[v]++
		}
	}
	want := "21 tests of relibc: 3 the same by both backends (1 pass, 2 fail by both), 3 differ, 4 not compiled, 5 not run, 6 not reached"
	if got := summary(cases, count); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestALibraryThatIsTiedToLLVMIsNotComparedWithItself(t *testing.T) {
	m := &manifest.Manifest{Files: []manifest.File{
		{Path: "lib/libc.a", Backend: "cranelift"}, {Path: "lib/crt0.o", Backend: "llvm", Reason: "assembly"},
	}}
	if err := builtBy(m, relibctest.Tested); err == nil || !strings.Contains(err.Error(), "lib/crt0.o") || !strings.Contains(err.Error(), "assembly") {
		t.Errorf("got %v", err)
	}
	m.Files = m.Files[:1]
	if err := builtBy(m, relibctest.Tested); err != nil {
		t.Error(err)
	}
}

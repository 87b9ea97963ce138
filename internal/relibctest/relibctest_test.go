package relibctest

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	run := Parse(strings.Join([]string{
		"redox-clif: the root file system is mounted",
		"relibc-test 1 begin /relibc-tests/llvm bins_static/a",
		`relibc-test 1 out 6 a\tb\\c` + "\x5cn",
		"kernel::context: something of the kernel's",
		`relibc-test 1 out 4 \xc3\x9f\'"`,
		`virtio: half a line of another'srelibc-test 1 err 3 err` + "\r",
		"relibc-test 1 took 1500",
		"relibc-test 1 end exit 3",
		"relibc-test 2 begin /relibc-tests/cranelift bins_static/a",
		"relibc-test 2 out 9 torn by sobody",
		"relibc-test 2 end exit 0",
		"relibc-test 3 begin /relibc-tests/llvm bins_static/b",
		"relibc-test 4 begin /relibc-tests/cranelift bins_static/b",
		"relibc-test 4 out 0 cut after 65536 bytes",
		"relibc-test 4 end signal 11",
		"relibc-test 5 begin /relibc-tests/llvm bins_static/c",
		"relibc-test 5 out 1 x",
	}, "\n"))
	want := map[int]Result{
		1: {"exit 3", "a\tb\\c\nß'\"", "err", 1500 * time.Millisecond},
		4: {"signal 11", "\ncut after 65536 bytes", "", 0},
	}
	if diff := cmp.Diff(want, run.Results); diff != "" {
		t.Error(diff)
	}
	if run.Torn[2] == nil || run.Torn[3] == nil || len(run.Torn) != 2 {
		t.Errorf("torn: %v", run.Torn)
	}
	if run.Open != 5 || run.Done {
		t.Errorf("open %d, done %v", run.Open, run.Done)
	}
	if run := Parse("relibc-test all done\n"); !run.Done || run.Open != 0 {
		t.Errorf("%+v", run)
	}
}

func TestEscapesThatAreNone(t *testing.T) {
	for _, text := range []string{`\`, `\x`, `\x4`, `\xzz`, `\q`} {
		if plain, err := unescape(text); err == nil {
			t.Errorf("%s became %q", text, plain)
		}
	}
}

const list = `
[[known]]
tests = ["net/a"]
what = "not run"
reason = "no network"

[[known]]
tests = ["broken"]
what = "fails on both"
reason = "not there yet"

[[known]]
tests = ["late"]
what = "unsteady"
reason = "a race of its own"

[[known]]
tests = ["old"]
what = "not compiled"
reason = "for another processor"

[[varying]]
tests = ["pid"]
mask = '\d+'
reason = "prints its process"

[[limit]]
tests = ["long"]
seconds = 90
reason = "sleeps"
`

func text(s string) *string { return &s }

func both(a, b Result) map[string]Result { return map[string]Result{Reference: a, Tested: b} }

func TestJudge(t *testing.T) {
	l, err := ReadList("list.toml", []byte(list))
	if err != nil {
		t.Fatal(err)
	}
	good, bad := Result{Ended: "exit 0", Stdout: "out", Stderr: ""}, Result{Ended: "exit 1", Stdout: "out", Stderr: "why"}
	for _, c := range []struct {
		what       string
		test       Test
		verdict    Verdict
		unexpected bool
		detail     string
	}{
		{"as upstream expects", Test{Name: "a", Stdout: text("out"), Stderr: text(""), Results: both(good, good)}, Passed, false, ""},
		{"only the status counts", Test{Name: "a", Results: both(good, good)}, Passed, false, ""},
		{"another output than upstream's", Test{Name: "a", Stdout: text("xut"), Results: both(good, good)}, Fails, true, `expected "xut", got "out"`},
		{"a status", Test{Name: "a", Results: both(bad, bad)}, Fails, true, `stderr: "why"`},
		{"a listed failure", Test{Name: "broken", Results: both(bad, bad)}, Fails, false, "exit 1"},
		{"a listed failure that passes", Test{Name: "broken", Results: both(good, good)}, Passed, false, ""},
		{"a listed failure that differs", Test{Name: "broken", Results: both(good, bad)}, Differs, true, `llvm "exit 0", cranelift "exit 1"`},
		{"different output", Test{Name: "a", Results: both(good, Result{Ended: "exit 0", Stdout: "out\nmore", Stderr: ""})}, Differs, true, `line 2: llvm nothing, cranelift "more"`},
		{"numbers that vary", Test{Name: "pid", Results: both(Result{Ended: "exit 0", Stdout: "pid 12", Stderr: ""}, Result{Ended: "exit 0", Stdout: "pid 7", Stderr: ""})}, Passed, false, ""},
		{"more than numbers", Test{Name: "pid", Results: both(Result{Ended: "exit 0", Stdout: "pid 12", Stderr: ""}, Result{Ended: "exit 0", Stdout: "pit 7", Stderr: ""})}, Differs, true, "pit"},
		{"another end is never masked away", Test{Name: "pid", Results: both(Result{Ended: "exit 1", Stdout: "", Stderr: ""}, Result{Ended: "exit 0", Stdout: "", Stderr: ""})}, Differs, true, "exit 1"},
		{"a race that is known", Test{Name: "late", Results: both(good, bad)}, Differs, false, ""},
		{"not run", Test{Name: "net/a"}, NotRun, false, "no network"},
		{"not reached", Test{Name: "broken", Results: map[string]Result{Reference: bad}}, NotReached, true, ""},
		{"refused", Test{Name: "a", Refused: map[string]string{Reference: "error: x\n", Tested: "error: x\n"}}, NotCompiled, true, "error: x"},
		{"refused, and listed", Test{Name: "old", Refused: map[string]string{Reference: "error: x\n", Tested: "error: x\n"}}, NotCompiled, false, ""},
		{"refused by one", Test{Name: "old", Refused: map[string]string{Tested: "undefined symbol\n"}}, Differs, true, "undefined symbol"},
		{"the guest ended with one", Test{Name: "a", Results: both(good, Result{Ended: EndedGuest})}, Differs, true, EndedGuest},
	} {
		got := Judge(c.test, l)
		if got.Verdict != c.verdict || got.Unexpected() != c.unexpected || !strings.Contains(got.Detail, c.detail) {
			t.Errorf("%s: %q, unexpected %v, %q", c.what, got.Verdict, got.Unexpected(), got.Detail)
		}
	}
	if !Judge(Test{Name: "broken", Results: both(good, good)}, l).Outdated() {
		t.Error("nobody says that a listed failure passes")
	}
	if got := l.Seconds("long") + l.Seconds("short"); got != 120 {
		t.Errorf("limits: %d", got)
	}
	if diff := cmp.Diff([]string{"net/a", "late"}, l.Unknown([]string{"broken", "old", "pid", "long"})); diff != "" {
		t.Error(diff)
	}
}

func TestListMistakesComeAllAtOnce(t *testing.T) {
	for text, wants := range map[string][]string{
		"known = [{ tests = ['a'], what = 'flaky', reason = 'x' }, { tests = ['a'], what = 'passed', reason = 'x' }]": {`"flaky", not one of not run`, `"passed", not one of`},
		"known = [{ tests = ['a'], what = 'not run', reason = '' }]\nlimit = [{ tests = ['a'], reason = 'x' }]":       {`"known.0.reason" is empty`, `"limit.0.seconds" is missing`},
		`
known = [
  { tests = ["a"], what = "not compiled", reason = "x" },
  { tests = ["a"], what = "not run", reason = "x" },
  { tests = ["b"], what = "differs", reason = "x" },
]
varying = [{ tests = ["a"], mask = "(", reason = "x" }]
limit = [{ tests = ["a"], seconds = 0, reason = "x" }]
`: {`"a" is there twice`, "needs a note", `mask "("`, "seconds"},
	} {
		_, err := ReadList("list.toml", []byte(text))
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in %v", want, err)
			}
		}
	}
}

// The list that comes with the recipe can be read.
func TestKnownTests(t *testing.T) {
	const file = "../../recipes/relibc-tests/known.toml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadList(file, text); err != nil {
		t.Error(err)
	}
}

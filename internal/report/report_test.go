package report_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/crash"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/gc"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/remote"
	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/report/reporttest"
)

var now = time.Date(2026, 11, 29, 13, 0, 0, 0, time.UTC)

func collect(t *testing.T, from report.Sources) *report.Report {
	t.Helper()
	r, err := report.Collect(t.Context(), from, "target", now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestABuildIsCounted(t *testing.T) {
	from := reporttest.Out(t, 24)
	b := collect(t, from).Build
	if want := (report.Counts{Ran: 16, UpToDate: 8}); b.Counts != want {
		t.Errorf("%+v, want %+v", b.Counts, want)
	}
	var work, critical int64
	for _, s := range b.Steps {
		work += s.Micros
		if s.Critical {
			critical += s.Micros / 1000
		}
		if s.Recipe+"/" != s.ID[:len(s.Recipe)+1] {
			t.Errorf("%s is of recipe %s", s.ID, s.Recipe)
		}
	}
	if work != b.WorkMicros || len(b.Bars) != 16 || b.Workers == 0 {
		t.Errorf("%d of work in %d bars of %d workers, want %d", b.WorkMicros, len(b.Bars), b.Workers, work)
	}
	// The total is of exact times, the steps are in whole milliseconds.
	if d := b.Critical.TotalMillis - critical; d < 0 || d > int64(len(b.Critical.Steps)) {
		t.Errorf("the critical path takes %d ms, its steps %d", b.Critical.TotalMillis, critical)
	}
	if b.Steps[0].Log != "out/aarch64-unknown-redox-clif/log/recipe-002.step-0.log" || b.Steps[0].Tail != "" {
		t.Errorf("%+v", b.Steps[0])
	}
}

func TestTheEndOfTheLogOfWhatFailedIsKept(t *testing.T) {
	from := reporttest.Out(t, 24)
	edit(t, from.Trace, `"id":"recipe-002/step-0","outcome":"ran"`, `"id":"recipe-002/step-0","outcome":"failed"`)
	put(t, filepath.Join(from.Logs, "recipe-002.step-0.log"), strings.Repeat("much before\n", 2000)+"\x1b[31merror: this\x1b[0m\r\n")
	s := collect(t, from).Build.Steps[0]
	if !strings.HasSuffix(s.Tail, "\nerror: this\n") || !strings.HasPrefix(s.Tail, "much before\n") || len(s.Tail) > 8<<10 {
		t.Errorf("%d bytes: %q", len(s.Tail), s.Tail)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, path, old, now string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), old) {
		t.Fatal(path, "has no", old, err)
	}
	put(t, path, strings.Replace(string(text), old, now, 1))
}

func TestTheImageIsItsFiles(t *testing.T) {
	from := reporttest.Out(t, 24)
	m, err := manifest.ReadIn(from.Out)
	if err != nil {
		t.Fatal(err)
	}
	i := collect(t, from).Image
	var files, crates int64
	for _, f := range i.Files {
		files += f.Size
		for n, c := range f.Crates {
			if n > 0 && c.Size > f.Crates[n-1].Size {
				t.Errorf("%s: %s is not in its place", f.Path, c.Name)
			}
		}
	}
	for _, c := range i.Crates() {
		crates += c.Size
	}
	if files+i.Overhead != m.Image.Size || crates != files || len(i.Files) != len(m.Files)+1 {
		t.Errorf("%d in %d files and %d besides, %d in crates, want %d in all", files, len(i.Files), i.Overhead, crates, m.Image.Size)
	}
}

// What a program with symbols has in crates may be more than the stripped file: then nothing is said of crates.
func TestCratesThatDoNotFitAreLeftOut(t *testing.T) {
	from := reporttest.Out(t, 24)
	from.Crates = func(f manifest.File) (map[string]int64, error) {
		if f.Path == "bin/program-00" {
			return map[string]int64{"core": f.Size + 1}, nil
		}
		return nil, errors.New("its symbols are not here")
	}
	for _, f := range collect(t, from).Image.Files {
		if f.Crates != nil {
			t.Errorf("%+v", f)
		}
	}
}

func TestWhatChangedIsTold(t *testing.T) {
	from := reporttest.Out(t, 24)
	c := collect(t, from).Change
	want := []report.FileChange{{"etc/file-11", "new", 0, 250_000, ""}, {"bin/program-00", "changed", 2_995_904, 3_000_000, "cranelift"}}
	if diff := cmp.Diff(want, c.Files); diff != "" || c.Same() {
		t.Error(diff)
	}
	from.Against = filepath.Join(from.Out, manifest.FileName)
	if c := collect(t, from).Change; !c.Same() {
		t.Errorf("an image is not the same as itself: %+v", c)
	}
	edit(t, filepath.Join(from.Out, manifest.FileName), `"backend": "cranelift"`, `"backend": "llvm"`)
	from.Against = filepath.Join(from.Root, "before.json")
	if c := collect(t, from).Change; c.Files[1].Backend != "cranelift -> llvm" {
		t.Errorf("%+v", c.Files)
	}
	edit(t, filepath.Join(from.Out, manifest.FileName), `"path": "bin/program-01",`, `"path": "bin/program-01", "link": "elsewhere",`)
	edit(t, filepath.Join(from.Out, manifest.FileName), `"path": "bin/program-02",`, `"path": "bin/program-02", "unknown": 1,`)
	if c := collect(t, from).Change; len(c.Files) != 3 || c.Files[2].Path != "bin/program-01" {
		t.Errorf("%+v", c.Files)
	}
}

func TestAManifestThatIsAskedForMustBeThere(t *testing.T) {
	from := reporttest.Out(t, 24)
	from.Against = filepath.Join(from.Root, "none.json")
	if c := collect(t, from).Change; c != nil {
		t.Errorf("%+v", c)
	}
	from.Required = true
	for text, want := range map[string]string{"": "none.json", "nonsense": "no manifest", `{"files": []}`: "of no image"} {
		if text != "" {
			put(t, from.Against, text)
		}
		if _, err := report.Collect(t.Context(), from, "target", now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestTestsComeWithTheirLogs(t *testing.T) {
	from := reporttest.Out(t, 24)
	put(t, filepath.Join(from.Logs, "boot-ended.serial.log"), "it began\n")
	put(t, filepath.Join(from.Out, "test", "diff.xml"), "<testsuite")
	from.Stacks = func(log io.Reader) ([]crash.Stack, error) {
		text, err := io.ReadAll(log)
		if strings.Contains(string(text), "it began") {
			return []crash.Stack{{Line: 1}}, err
		}
		return nil, err
	}
	r := collect(t, from)
	var got []string
	for _, s := range r.Tests {
		got = append(got, s.Name)
		if len(s.Logs) != 1 || strings.ContainsAny(s.Logs[0].Text, "\x1b\r") {
			t.Errorf("%s: %+v", s.Name, s.Logs)
		}
	}
	// What failed comes first; what left only a log is a run as well.
	if diff := cmp.Diff([]string{"boot net", "boot ended", "boot login"}, got); diff != "" {
		t.Error(diff)
	}
	if n := r.Tests[0]; n.Passed != 1 || n.Failed != 1 || n.Skipped != 1 || n.Cases[2].Text == "" || n.Millis != 12_000 {
		t.Errorf("%+v", n)
	}
	if len(r.Tests[1].Logs[0].Stacks) != 1 || r.Tests[1].Kind != report.Boot {
		t.Errorf("%+v", r.Tests[1])
	}
	if !missing(r, "the report of diff") {
		t.Errorf("%+v", r.Missing)
	}
}

func missing(r *report.Report, what string) bool {
	for _, m := range r.Missing {
		if m.What == what {
			return true
		}
	}
	return false
}

func TestALongLogHasItsBeginningAndItsEnd(t *testing.T) {
	from := reporttest.Out(t, 24)
	put(t, filepath.Join(from.Logs, "boot-login.serial.log"), "the beginning\n"+strings.Repeat("line\n", 100_000)+"the end\n")
	for _, s := range collect(t, from).Tests {
		l := s.Logs[0]
		if s.Name == "boot login" && (!strings.HasPrefix(l.Text, "the beginning\n") || !strings.HasSuffix(l.Text, "the end\n") || len(l.Text) > 200<<10 || l.Size != 500_022) {
			t.Errorf("%d bytes of %d", len(l.Text), l.Size)
		}
	}
}

func TestPatchesHaveTheirState(t *testing.T) {
	from := reporttest.Out(t, 24)
	edit(t, filepath.Join(from.Out, manifest.FileName), `"source": "https`, `"patches": ["randd", "lost"], "source": "https`)
	from.Patches = fstest.MapFS{"randd/0001-x.toml": {Data: []byte("title = 'x'\nreason = 'because'\n[[file]]\npath = 'a'\ntext = 'b'\n")}}
	from.Drift = func(r *drift.Report) (time.Time, error) {
		r.Patches = []drift.SeriesState{{Source: "base", Series: "randd", Summary: "1 applied"}, {Source: "relibc", Series: "other", Summary: "2 satisfied"}}
		return now, nil
	}
	var got []string
	for _, s := range collect(t, from).Patches {
		line := s.Name
		for _, state := range s.States {
			line += " " + state.Source + " " + state.Summary
		}
		for _, p := range s.Patches {
			line += " " + p.Title + " " + p.Reason
		}
		if s.Problem != "" {
			line += " problem"
		}
		got = append(got, line)
	}
	if diff := cmp.Diff([]string{"randd base 1 applied x because", "lost problem", "other relibc 2 satisfied problem"}, got); diff != "" {
		t.Error(diff)
	}
}

// A step whose output was lost meanwhile ran twice.
func TestAStepThatRanTwice(t *testing.T) {
	from := reporttest.Out(t, 24)
	put(t, from.Trace, `{"traceEvents": [{"name": "a", "ts": 5, "dur": 2, "args": {"outcome": "ran", "reason": "x"}}, {"name": "a", "ts": 9, "dur": 3, "args": {"outcome": "ran", "reason": "y"}}]}`)
	if b := collect(t, from).Build; len(b.Steps) != 1 || b.Steps[0].Micros != 5 || len(b.Bars) != 2 || b.Steps[0].Reason != "y" {
		t.Errorf("%+v", b)
	}
}

// A file that is another one by its mode alone has changed.
func TestAChangedModeIsAChange(t *testing.T) {
	from := reporttest.Out(t, 24)
	from.Against = filepath.Join(t.TempDir(), "before.json")
	text, err := os.ReadFile(filepath.Join(from.Out, manifest.FileName))
	if err != nil {
		t.Fatal(err)
	}
	put(t, from.Against, strings.Replace(string(text), `"mode": "0755"`, `"mode": "0700"`, 1))
	if c := collect(t, from).Change; len(c.Files) != 1 || c.Same() {
		t.Errorf("%+v", c.Files)
	}
}

// A checkout in which nothing was done gives a report of what to do.
func TestNothingDone(t *testing.T) {
	dir := t.TempDir()
	from := report.Sources{Root: dir, Out: filepath.Join(dir, "out"), Trace: filepath.Join(dir, "out", "trace.json"), Logs: filepath.Join(dir, "out", "log"),
		Drift:  func(*drift.Report) (time.Time, error) { return time.Time{}, fs.ErrNotExist },
		Remote: func(*remote.Stats) (time.Time, error) { return time.Time{}, fs.ErrNotExist },
		Cache:  func(context.Context) (*gc.Inventory, error) { return &gc.Inventory{}, nil },
	}
	r := collect(t, from)
	if r.Build != nil || r.Image != nil || r.Drift != nil || r.Remote != nil || len(r.Tests) != 0 {
		t.Errorf("%+v", r)
	}
	for _, what := range []string{"the last build", "the image", "boot tests", "whether anything drifted"} {
		if !missing(r, what) {
			t.Errorf("nothing is said of %s: %+v", what, r.Missing)
		}
	}
}

// A trace of an older version has no graph, and its steps are shown all the same.
func TestATraceWithoutABuild(t *testing.T) {
	from := reporttest.Out(t, 24)
	put(t, from.Trace, `{"traceEvents": [{"name": "base/programs", "ts": 5, "dur": 2000000, "tid": 1, "args": {"outcome": "ran", "reason": "not built before"}}]}`)
	r := collect(t, from)
	if b := r.Build; len(b.Steps) != 1 || b.Micros != 2_000_005 || b.Counts.Ran != 1 || b.Workers != 2 || !missing(r, "what did not run in the last build, and the graph") {
		t.Errorf("%+v", b)
	}
}

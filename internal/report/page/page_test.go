package page

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/report/reporttest"
)

func TestAreasAreAsSizesAndStayInside(t *testing.T) {
	whole := rect{10, 20, 300, 100}
	for _, sizes := range [][]float64{{1}, {5, 3, 2, 1, 1}, {1e9, 1, 1}, {3, 3, 3, 3, 3, 3, 3}, slices.Repeat([]float64{1}, 500)} {
		var sum float64
		for _, s := range sizes {
			sum += s
		}
		for i, r := range squarify(sizes, whole) {
			if want := sizes[i] / sum * whole.w * whole.h; math.Abs(r.w*r.h-want) > 1e-6*want+1e-9 {
				t.Errorf("%v: part %d has %g, want %g", sizes, i, r.w*r.h, want)
			}
			if r.x < whole.x-1e-4 || r.y < whole.y-1e-4 || r.x+r.w > whole.x+whole.w+1e-4 || r.y+r.h > whole.y+whole.h+1e-4 {
				t.Errorf("%v: part %d is outside: %+v", sizes, i, r)
			}
		}
	}
	if got := squarify([]float64{0, 0}, whole); len(got) != 2 || got[0] != (rect{}) {
		t.Errorf("nothing is %+v", got)
	}
}

func steps(needs map[string][]string) *report.Build {
	b := &report.Build{}
	names := make([]string, 0, len(needs))
	for id := range needs {
		names = append(names, id)
	}
	slices.Sort(names)
	for _, id := range names {
		recipe, _, _ := strings.Cut(id, "/")
		b.Steps = append(b.Steps, report.Step{ID: id, Recipe: recipe, Needs: needs[id], Outcome: "ran"})
	}
	return b
}

// Two recipes may use steps of each other; what a longer way says is left out.
func TestStepsFoldToRecipes(t *testing.T) {
	nodes := recipesOf(steps(map[string][]string{
		"a/1": nil, "a/2": {"b/1"}, "b/1": {"a/1"}, "c/1": {"a/2", "b/1"}, "d/1": {"c/1", "a/1"},
	}), map[string]int{})
	got := map[string][]string{}
	for _, n := range nodes {
		got[n.Name] = nil
		for _, j := range n.needs {
			got[n.Name] = append(got[n.Name], nodes[j].Name)
		}
	}
	want := map[string][]string{"a": {"b"}, "b": nil, "c": {"a"}, "d": {"c"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := nodes[0]; n.Steps != 2 || n.Ran != 2 || n.State() != "ran" {
		t.Errorf("%+v", n)
	}
}

// The longest logs and the shortest bars make room; what was left out is said.
func TestAPageKeepsToItsSize(t *testing.T) {
	r := collected(t, reporttest.Out(t, 300))
	for i := range 24 {
		r.Tests[0].Logs = append(r.Tests[0].Logs, report.Log{File: "x.serial.log", Text: strings.Repeat("a line <of> a log\n", 6000), Size: int64(i)})
	}
	text, err := HTML(r)
	if err != nil || len(text) > MaxBytes {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	if !bytes.Contains(text, []byte("the beginning is left out here")) {
		t.Error("nothing says that logs are cut")
	}
	text, err = render(r, limits{bars: 10})
	if n := bytes.Count(text, []byte(`<svg class="bar `)); err != nil || n != 10 || !bytes.Contains(text, []byte("190 bars of the shortest are left out")) {
		t.Errorf("%v, %d bars", err, n)
	}
}

func TestAReportOfNothingHasAPage(t *testing.T) {
	r := &report.Report{Target: "t", Missing: []report.Missing{{What: "the image", How: "mage initfs"}}}
	text, err := HTML(r)
	if err != nil || !bytes.Contains(text, []byte("mage initfs")) || bytes.Contains(text, []byte(`id="timeline"`)) {
		t.Errorf("%v\n%s", err, text)
	}
	var b strings.Builder
	if err := Text(&b, r); err != nil || b.String() != "redox-clif for t\n\nNOT HERE\nthe image: mage initfs\n" {
		t.Errorf("%v, %q", err, b.String())
	}
	if got := Markdown(r); got != "## redox-clif for t\n\n" {
		t.Errorf("%q", got)
	}
}

// Files of out/ may be damaged, or of somebody else: there is a page of them all the same.
func TestAPageOfNonsense(t *testing.T) {
	for _, trace := range []string{
		`{"traceEvents": [{"name": "a", "ts": -5, "dur": -9, "tid": -1}, {"name": "", "ts": 9000000000000000000, "dur": 9000000000000000000, "tid": 999999999}]}`,
		`{"build": {"schema": 1, "us": -1, "steps": [{"id": "a/1", "needs": ["b/1", "none"]}, {"id": "b/1", "needs": ["a/1"]}, {"id": "a/1"}, {"id": ""}]}}`,
		`{"traceEvents": null, "build": {"schema": 1}}`,
	} {
		from := reporttest.Out(t, 24)
		for path, text := range map[string]string{
			from.Trace: trace, filepath.Join(from.Out, "manifest.json"): `{"image": {"size": -3}, "files": [{"size": -5}, {"path": "x", "size": 9000000000000000000, "backend": "b c"}]}`,
			filepath.Join(from.Out, "test", "boot-login.xml"): `<testsuite time="NaN"><testcase/></testsuite>`,
		} {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r := collected(t, from)
		if _, err := HTML(r); err != nil {
			t.Errorf("%s: %v", trace, err)
		}
		if err := Text(io.Discard, r); err != nil || Markdown(r) == "" {
			t.Errorf("%s: %v", trace, err)
		}
	}
}

func TestTheSameAsText(t *testing.T) {
	r := collected(t, reporttest.Out(t, 24))
	var b strings.Builder
	if err := Text(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"initfs for aarch64-unknown-redox-clif\n  build          1.7s (16 ran, 8 up to date)\n",
		"\nCHANGES against the image before\n", "bin/program-00  changed  2995904  3000000  +4096       cranelift\n",
		"boot net    boot  1       1       1        12s   out/aarch64-unknown-redox-clif/log/boot-net.serial.log\n",
		"boot net: outcome failed: silence\nnothing was printed for 60 s\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("it has no %q:\n%s", want, b.String())
		}
	}
}

// A summary is read by GitHub's Markdown: what others have written is text there.
func TestTheSummaryOfAJob(t *testing.T) {
	r := collected(t, reporttest.Out(t, 24))
	r.Build.Failed = "x failed:\n```\n<b>"
	r.Tests[0].Cases[2].Text = "````\nend"
	r.Tests[0].Name = "boot | <img> @user *x*"
	got := Markdown(r)
	for _, want := range []string{
		"## initfs for aarch64-unknown-redox-clif\n", "| ❌ Tests | **1 failed** |", "````\nx failed:\n```\n<b>\n````\n", "`````\n````\nend\n`````\n",
		`❌ boot \| &lt;img&gt; &#64;user \*x\* | 1 | 1 | 1 | 12s |`, "### Against the image before\n", "| `bin/program-00` | changed | 2995904 | 3000000 | +4096 |", "<details><summary>What ran: 16 steps",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it has no %q:\n%s", want, got)
		}
	}
	if len(Markdown(collected(t, reporttest.Out(t, 3000)))) > 20_000 {
		t.Error("the summary of many steps is long")
	}
}

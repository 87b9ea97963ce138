package bench

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
	"github.com/pannous/redox-clif/internal/trace"
	"github.com/pannous/redox-clif/internal/ui"
)

// What was measured on another day, or earlier on this one, stays as somebody may have written on it.
func TestANoteIsWrittenBesideThoseThatAreThere(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "notes")
	today := time.Now().Format(time.DateOnly)
	before := map[string]string{
		"README.md":           "# Notes\n\n- [Ratios](2026-01-01-bench.md)\n- [Other](2026-01-01-other.md)\n",
		"2026-01-01-bench.md": "old",
		"2026-01-01-other.md": "other",
		today + "-bench.md":   "of this morning",
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range before {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b := &bench{s: sessiontest.InCheckout(t, nil)}
	b.s.Config.Root = root
	for range 2 {
		if err := b.saveNote(benchNote, "new"); err != nil {
			t.Fatal(err)
		}
	}
	second, third := today+"-bench-2.md", today+"-bench-3.md"
	want := maps.Clone(before)
	want["README.md"] += "- [Ratios of one run, " + today + "](" + second + ")\n- [Ratios of one run, " + today + "](" + third + ")\n"
	want[second], want[third] = "new", "new"
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheCriticalPathIsThatOfTheGraph(t *testing.T) {
	var text strings.Builder
	text.WriteString("override of a git dependency: object (a folder)\n")
	if err := ui.WriteJSON(&text, "graph", graph.PlanSummary{Critical: &graph.CriticalPath{TotalMillis: 243993}}); err != nil {
		t.Fatal(err)
	}
	if got, err := criticalIn(text.String()); err != nil || got != 243993*time.Millisecond {
		t.Errorf("%v, %v", got, err)
	}
	for _, wrong := range []string{"", "initfs/image\n├─ initfs\n"} {
		if got, err := criticalIn(wrong); err == nil {
			t.Errorf("%q: %v", wrong, got)
		}
	}
}

func TestTimesOfStepsAreThoseOfTheTrace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trace.json")
	r := trace.New(session.Quiet{}, time.Now)
	n := &graph.Node{ID: "relibc/relibc"}
	for range 2 { // lost, and made again
		r.Started(n, "", 0)
		r.Finished(n, graph.Ran, 3*time.Second, nil)
	}
	if err := r.Save(file, trace.About{}, ""); err != nil {
		t.Fatal(err)
	}
	got, err := stepTimes(file)
	if err != nil || got["relibc/relibc"] != 6*time.Second || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestFolderOfAScript(t *testing.T) {
	script := filepath.Join(t.TempDir(), "base.programs.sh")
	for text, want := range map[string]string{
		"exec env -i \\\n  CARGO_TARGET_DIR=/cache/work/base.programs/12/target \\\n": "/cache/work/base.programs/12",
		"exec env -i \\\n  PATH=/bin \\\n":                                            "",
	} {
		if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := execRootOf(script); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", text, got, err)
		}
	}
}

// Each change is another text, over what the file was and not over the change before.
func TestChangesOfALine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "main.rs")
	if err := os.WriteFile(file, []byte("fn main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := newChange(file)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	read := func(context.Context) (time.Duration, error) {
		text, err := os.ReadFile(file)
		seen[string(text)] = true
		if !strings.HasPrefix(string(text), "fn main() {}\n") || strings.Count(string(text), "static BENCH") != 1 {
			t.Errorf("%s", text)
		}
		return 0, err
	}
	b := &bench{}
	if _, err := b.inTurn(t.Context(), 3, c.and(read)); err != nil || len(seen) != 4 {
		t.Errorf("%d texts in 3 rounds and one to warm up (%v)", len(seen), err)
	}
}

func TestCopyOfACheckoutLeavesResultsBehind(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	for _, name := range []string{"go.mod", "recipes/a/recipe.toml", "out/x/initfs.img", ".git/HEAD", "recipes/a/out/kept"} {
		p := filepath.Join(from, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := copyCheckout(from, to); err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{"go.mod": true, "recipes/a/recipe.toml": true, "recipes/a/out/kept": true, "out": false, ".git": false} {
		if _, err := os.Stat(filepath.Join(to, name)); (err == nil) != there {
			t.Errorf("%s: there %v", name, err == nil)
		}
	}
}

func TestWhyARecipeIsNotMeasured(t *testing.T) {
	failed := errors.New("go tool mage initfs: exit status 1\nmore")
	for out, want := range map[string]string{
		"source x: y\nError: base/source: no such host\nlog: z\n": "base/source: no such host",
		"killed\n": "go tool mage initfs: exit status 1",
	} {
		if got := problemIn(out, failed); got != want {
			t.Errorf("%q: %q", out, got)
		}
	}
	if found := nothingToDo.FindStringSubmatch("nothing to do: all 93 steps are up to date, no compiler ran\n"); found == nil || found[1] != "93" {
		t.Errorf("%q", found)
	}
}

package page

import (
	"fmt"
	"io"
	"strings"

	"github.com/pannous/redox-clif/internal/crash"
	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/ui"
)

// Text writes the report for a terminal or a file.
func Text(w io.Writer, r *report.Report) error {
	t := &textWriter{w: w}
	t.head(r)
	if r.Build != nil {
		t.build(r.Build)
	}
	if r.Image != nil {
		t.image(r)
	}
	if r.Change != nil {
		t.change(r.Change)
	}
	if r.Purity != nil {
		t.purity(r)
	}
	t.tests(r.Tests)
	t.patches(r.Patches)
	if r.Drift != nil {
		t.drift(r.Drift)
	}
	if r.Cache != nil || r.Remote != nil {
		t.cache(r)
	}
	if len(r.Missing) > 0 {
		t.title("NOT HERE")
		for _, m := range r.Missing {
			t.line("%s: %s", m.What, m.How)
		}
	}
	return t.err
}

// textWriter keeps the first error.
type textWriter struct {
	w   io.Writer
	err error
}

func (t *textWriter) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format+"\n", args...)
	}
}

func (t *textWriter) title(format string, args ...any) {
	t.line("")
	t.line(format, args...)
}

func (t *textWriter) table(rows [][]string) {
	if t.err == nil {
		t.err = ui.Table(t.w, rows)
	}
}

func (t *textWriter) head(r *report.Report) {
	t.line("%s for %s", title(r), r.Target)
	for _, one := range tiles(r) {
		t.line("  %-14s %s (%s)", strings.ToLower(one.Label), one.Value, one.Note)
	}
}

func (t *textWriter) build(b *report.Build) {
	t.title("BUILD of %s, %s", strings.Join(b.Roots, ", "), day(b.Started))
	t.line("%s of work in %s, with %s at once at most", micros(b.WorkMicros), micros(b.Micros), plural(b.Workers, "step"))
	if b.Failed != "" {
		t.line("%s", b.Failed)
	}
	if p := b.Critical; p != nil {
		t.line("critical path, %s:", micros(p.TotalMillis*1000))
		for _, s := range p.Steps {
			t.line("  %8s  %s", micros(s.Millis*1000), s.ID)
		}
	}
	rows := [][]string{{"STEP", "OUTCOME", "TOOK", "WORKER", "WHY"}}
	worker := map[int]string{}
	for _, bar := range b.Bars {
		worker[bar.Step] = fmt.Sprint(bar.Worker + 1)
	}
	for i, s := range b.Steps {
		took := ""
		if s.Micros > 0 {
			took = micros(s.Micros)
		}
		rows = append(rows, []string{s.ID, ui.Dash(s.Outcome), ui.Dash(took), ui.Dash(worker[i]), ui.Dash(s.Reason)})
	}
	t.table(rows)
}

func (t *textWriter) image(r *report.Report) {
	i := r.Image
	t.title("IMAGE %s of recipe %s: %s, sha256 %s", i.Name, i.Recipe, ui.Bytes(i.Size), i.SHA256)
	rows := [][]string{{"FILE", "SIZE", "SHARE", "RECIPE", "BACKEND", "LARGEST CRATES"}}
	for _, f := range i.Files {
		var crates []string
		for n, c := range f.Crates {
			if n == 3 {
				break
			}
			crates = append(crates, c.Name+" "+ui.Bytes(c.Size))
		}
		rows = append(rows, []string{f.Path, fmt.Sprint(f.Size), fmt.Sprintf("%.1f %%", share(f.Size, i.Size)), f.Recipe, ui.Dash(f.Backend), ui.Dash(strings.Join(crates, ", "))})
	}
	t.table(append(rows, []string{"(tables and padding)", fmt.Sprint(i.Overhead), fmt.Sprintf("%.1f %%", share(i.Overhead, i.Size)), "-", "-", "-"}))
}

func (t *textWriter) change(c *report.Change) {
	t.title("CHANGES against %s", c.Against)
	if c.Same() {
		t.line("the same image, file by file")
		return
	}
	t.line("size %s -> %s (%s), by Cranelift %.1f %% -> %.1f %%", ui.Bytes(c.SizeBefore), ui.Bytes(c.SizeAfter), delta(c.SizeAfter-c.SizeBefore), c.Before.Percent, c.After.Percent)
	rows := [][]string{{"FILE", "", "BEFORE", "NOW", "DIFFERENCE", "BACKEND"}}
	for _, f := range c.Files {
		rows = append(rows, []string{f.Path, f.Kind, fmt.Sprint(f.Before), fmt.Sprint(f.After), fmt.Sprintf("%+d", f.After-f.Before), ui.Dash(f.Backend)})
	}
	t.table(rows)
}

func (t *textWriter) purity(r *report.Report) {
	t.title("PURITY")
	p := r.Purity.Purity
	t.line("%.1f %% by Cranelift: %s of %s compiled", p.Percent, ui.Bytes(p.Cranelift), ui.Bytes(p.Compiled))
	for _, u := range r.Purity.Uses {
		t.line("  %s: %s", u.What, ui.Some(u.Files))
	}
}

func (t *textWriter) tests(suites []report.Suite) {
	if len(suites) == 0 {
		return
	}
	t.title("TESTS")
	rows := [][]string{{"RUN", "KIND", "PASSED", "FAILED", "SKIPPED", "TOOK", "LOG"}}
	for _, s := range suites {
		log := ""
		if len(s.Logs) > 0 {
			log = s.Logs[0].File
		}
		rows = append(rows, []string{s.Name, string(s.Kind), fmt.Sprint(s.Passed), fmt.Sprint(s.Failed), fmt.Sprint(s.Skipped), micros(s.Millis * 1000), ui.Dash(log)})
	}
	t.table(rows)
	for _, s := range suites {
		for _, c := range s.Cases {
			if c.State == report.Failed {
				t.line("%s: %s failed: %s", s.Name, c.Name, strings.TrimSpace(c.Message+"\n"+c.Text))
			}
		}
		for _, l := range s.Logs {
			if len(l.Stacks) > 0 {
				t.line("%s", strings.TrimRight(crash.Text(l.Stacks, l.File), "\n"))
			}
		}
	}
}

func (t *textWriter) patches(all []report.Series) {
	if len(all) == 0 {
		return
	}
	t.title("PATCHES")
	rows := [][]string{{"SERIES", "PATCHES", "FILES", "ON ITS SOURCES"}}
	for _, s := range all {
		var states []string
		for _, state := range s.States {
			states = append(states, state.Source+": "+state.Summary)
		}
		if s.Problem != "" {
			states = append(states, s.Problem)
		}
		rows = append(rows, []string{s.Name, fmt.Sprint(len(s.Patches)), fmt.Sprint(s.Files), ui.Dash(strings.Join(states, "; "))})
	}
	t.table(rows)
}

func (t *textWriter) drift(d *report.Drift) {
	t.title("DRIFT, %s", day(d.When))
	for _, f := range d.Findings {
		t.line("%s: %s: %s; mend: %s", f.Kind, f.Place(), f.Message(), f.Fix)
	}
	if len(d.Findings) == 0 {
		t.line("nothing that was compared drifted")
	}
	if n := len(d.Unchecked); n > 0 {
		t.line("%s could not be made", plural(n, "comparison"))
	}
}

func (t *textWriter) cache(r *report.Report) {
	t.title("CACHE")
	if c := r.Cache; c != nil {
		rows := [][]string{{"FOLDER", "FILES", "SIZE", "HOLDS"}}
		for _, p := range c.Parts {
			if p.Files > 0 {
				rows = append(rows, []string{p.Name, fmt.Sprint(p.Files), ui.Bytes(p.Size), p.Holds})
			}
		}
		t.table(rows)
	}
	if n := r.Remote; n != nil {
		t.line("remote cache, %s: %d hits, %d misses, %s down, %s up", day(n.When), n.Hits, n.Misses, ui.Bytes(n.DownBytes), ui.Bytes(n.UpBytes))
	}
}

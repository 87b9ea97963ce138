package page

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/ui"
)

const (
	// mostRows bounds the tables of a summary: who wants all of it opens the page.
	mostRows = 20
	// mostSummary is what GitHub takes of one step, with room for what else the step writes (1 MiB).
	mostSummary = 900 << 10
)

// Markdown is a short form of the report, for the summary of a CI job: what ran, sizes, purity, tests and changes.
func Markdown(r *report.Report) string {
	m := &markdown{}
	m.line("## %s for %s", title(r), r.Target)
	m.line("")
	m.table([]string{"", "", ""}, len(tiles(r)), func(i int) []string {
		t := tiles(r)[i]
		mark := map[string]string{"good": "✅ ", "bad": "❌ "}[t.Mood]
		return []string{mark + t.Label, "**" + cellText(t.Value) + "**", cellText(t.Note)}
	})
	if r.Build != nil {
		m.build(r.Build)
	}
	if r.Change != nil {
		m.change(r.Change)
	}
	if r.Purity != nil {
		m.purity(r)
	}
	m.tests(r.Tests)
	if r.Drift != nil {
		m.drift(r.Drift)
	}
	text := m.b.String()
	if len(text) > mostSummary {
		text = strings.ToValidUTF8(text[:mostSummary], "") + "\n\n… cut; the report has all of it\n"
	}
	return text
}

type markdown struct{ b strings.Builder }

func (m *markdown) line(format string, args ...any) { fmt.Fprintf(&m.b, format+"\n", args...) }

// table writes n rows, of many the first, and says how many are left out.
func (m *markdown) table(head []string, n int, row func(int) []string) {
	if n == 0 {
		return
	}
	m.line("| %s |", strings.Join(head, " | "))
	m.line("|%s", strings.Repeat("---|", len(head)))
	for i := range min(n, mostRows) {
		m.line("| %s |", strings.Join(row(i), " | "))
	}
	if n > mostRows {
		m.line("")
		m.line("… and %d more", n-mostRows)
	}
	m.line("")
}

// cellText keeps a text of others in its cell: no markup, no new column, no new line.
func cellText(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "\n", " ", "`", "'", "*", "\\*", "_", "\\_", "[", "\\[", "@", "&#64;").Replace(s)
}

// code is a name of others as code.
func code(s string) string {
	return "`" + strings.NewReplacer("`", "'", "|", "\\|", "\n", " ").Replace(s) + "`"
}

// block is a text of others, whatever it has in it.
func (m *markdown) block(text string) {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	m.line("%s\n%s\n%s\n", fence, strings.TrimRight(text, "\n"), fence)
}

func (m *markdown) build(b *report.Build) {
	if b.Failed != "" {
		m.line("### What failed")
		m.block(beginning(b.Failed, 16<<10))
	}
	var ran []report.Step
	for _, s := range b.Steps {
		if s.Outcome == graph.Ran.String() || s.Outcome == graph.Failed.String() {
			ran = append(ran, s)
		}
	}
	if len(ran) == 0 {
		m.line("Nothing ran: all %s are up to date.", plural(len(b.Steps), "step"))
		m.line("")
		return
	}
	slices.SortStableFunc(ran, func(a, b report.Step) int { return cmp.Compare(b.Micros, a.Micros) })
	m.line("<details><summary>What ran: %s, %s of work in %s</summary>", plural(len(ran), "step"), micros(b.WorkMicros), micros(b.Micros))
	m.line("")
	m.table([]string{"step", "took", "why"}, len(ran), func(i int) []string {
		mark := ""
		if ran[i].Critical {
			mark = " (critical)"
		}
		if ran[i].Outcome == graph.Failed.String() {
			mark += " ❌"
		}
		return []string{code(ran[i].ID) + mark, micros(ran[i].Micros), cellText(ran[i].Reason)}
	})
	m.line("</details>")
	m.line("")
}

// beginning is that of a text.
func beginning(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func (m *markdown) change(c *report.Change) {
	m.line("### Against %s", cellText(c.Against))
	m.line("")
	if c.Same() {
		m.line("The same image, file by file.")
		m.line("")
		return
	}
	m.line("Size %s → %s (%s), by Cranelift %.1f %% → %.1f %%.", ui.Bytes(c.SizeBefore), ui.Bytes(c.SizeAfter), delta(c.SizeAfter-c.SizeBefore), c.Before.Percent, c.After.Percent)
	m.line("")
	m.table([]string{"file", "", "before", "now", "difference"}, len(c.Files), func(i int) []string {
		f := c.Files[i]
		return []string{code(f.Path), f.Kind, fmt.Sprint(f.Before), fmt.Sprint(f.After), fmt.Sprintf("%+d", f.After-f.Before)}
	})
}

func (m *markdown) purity(r *report.Report) {
	if len(r.Purity.Uses) == 0 {
		return
	}
	m.line("<details><summary>Where LLVM, clang or C have a part</summary>")
	m.line("")
	for _, u := range r.Purity.Uses {
		m.line("- %s: %s", cellText(u.What), plural(len(u.Files), "file"))
	}
	m.line("")
	m.line("</details>")
	m.line("")
}

func (m *markdown) tests(suites []report.Suite) {
	m.table([]string{"test", "passed", "failed", "skipped", "took"}, len(suites), func(i int) []string {
		s := suites[i]
		mark := "✅ "
		if s.Failed > 0 {
			mark = "❌ "
		} else if len(s.Cases) == 0 {
			mark = "❔ "
		}
		return []string{mark + cellText(s.Name), fmt.Sprint(s.Passed), fmt.Sprint(s.Failed), fmt.Sprint(s.Skipped), micros(s.Millis * 1000)}
	})
	for _, s := range suites {
		for _, c := range s.Cases {
			if c.State == report.Failed {
				m.line("%s, %s: %s", cellText(s.Name), cellText(c.Name), cellText(c.Message))
				m.block(beginning(c.Text, 4<<10))
			}
		}
	}
}

func (m *markdown) drift(d *report.Drift) {
	m.table([]string{"drift", "where", "expected", "found"}, len(d.Findings), func(i int) []string {
		f := d.Findings[i]
		return []string{cellText(string(f.Kind)), cellText(f.Place()), cellText(f.Expected), cellText(f.Found)}
	})
}

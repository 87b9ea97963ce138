package upgrade

import (
	"fmt"
	"strings"
)

// Markdown is the plan as a report for a pull request. outcome is a sentence on what came of it.
func (p *Plan) Markdown(set, outcome string) string {
	var b strings.Builder
	b.WriteString("# Upgrade")
	if set != "" {
		fmt.Fprintf(&b, " of the release set %s", set)
	}
	fmt.Fprintf(&b, "\n\n%s\n\n| source | from | to | commits | series |\n|---|---|---|---|---|\n", outcome)
	for i := range p.Moves {
		m := &p.Moves[i]
		switch {
		case m.Problem != "":
			fmt.Fprintf(&b, "| %s | %s | not looked at | | |\n", m.Recipe, short(m.From, m.FromDate))
		case m.Stays():
			fmt.Fprintf(&b, "| %s | %s | stays | | |\n", m.Recipe, short(m.From, m.FromDate))
		default:
			var series []string
			for _, s := range m.Series {
				series = append(series, fmt.Sprintf("%s: %s", s.Name, s.Summary))
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %d | %s |\n", m.Recipe, short(m.From, m.FromDate), short(m.To, m.ToDate), m.Commits, strings.Join(series, "<br>"))
		}
	}
	for i := range p.Moves {
		p.Moves[i].details(&b)
	}
	return b.String()
}

func short(commit, date string) string {
	return strings.TrimSpace(commit[:min(9, len(commit))] + " " + date)
}

// details are what a table has no room for; nothing for a source of which there is no more to say.
func (m *Move) details(b *strings.Builder) {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, "- "+fmt.Sprintf(format, args...)) }
	if m.Problem != "" {
		add("**not looked at**: %s", oneLine(m.Problem))
	}
	for _, conflict := range m.Conflicts {
		add("**conflict**:\n\n  ```text\n  %s\n  ```", strings.ReplaceAll(conflict, "\n", "\n  "))
	}
	for _, p := range m.Proposed {
		add("%s, %s: `%s` is `%s` now; the patch takes both", p.Patch, p.Part, p.Old, p.New)
	}
	for _, s := range m.Series {
		if s.Superfluous {
			add("series %s: nothing of it is needed any more (%s)", s.Name, s.Summary)
		}
	}
	for _, s := range m.Submodules {
		switch {
		case s.From == "":
			add("new submodule %s at %s (%s)", s.Path, short(s.To, ""), s.URL)
		case s.To == "":
			add("submodule %s is gone", s.Path)
		default:
			add("submodule %s: %s to %s", s.Path, short(s.From, ""), short(s.To, ""))
		}
	}
	if m.Channel != "" {
		add("names the toolchain %s, which is not the pin: `mage toolchain:pin %[1]s`", m.Channel)
	}
	for _, note := range m.Notes {
		add("%s", note)
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "\n## %s\n\n%s\n", m.Recipe, strings.Join(lines, "\n"))
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

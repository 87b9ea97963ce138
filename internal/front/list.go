package front

import (
	"fmt"
	"io"
	"strings"
)

// nameColumn is how wide the names of targets with their words are in a list; a longer one moves what follows it.
const nameColumn = 22

// List writes the everyday targets in groups, or all of them. No line is longer than width; 0 is no bound.
func (f *Front) List(w io.Writer, all bool, width int) error {
	lines := []string{f.About, ""}
	listed := 0
	for _, a := range areas {
		lines = append(lines, a.title)
		names := a.everyday
		if all {
			names = a.all()
		}
		for _, name := range names {
			if t := f.target(name); t != nil {
				lines = append(lines, f.entry(t))
				listed++
			}
			if name == "recipe:build" {
				lines = append(lines, entryLine("recipe:NAME", fmt.Sprintf("the same, for each of %d recipes", len(f.checkout.recipes()))))
			}
		}
	}
	lines = append(lines, "")
	if rest := len(f.Targets) - listed; rest > 0 {
		lines = append(lines, fmt.Sprintf("%d more: mage -l -all. What one takes: mage help TARGET. All else: mage help", rest))
	} else {
		lines = append(lines, "What one takes: mage help TARGET. All else: mage help")
	}
	return write(w, lines, width)
}

// entry is a target's line in a list.
func (f *Front) entry(t *Target) string {
	return entryLine(strings.Join(append([]string{t.Name}, valueNames(t)...), " "), t.Summary)
}

func entryLine(name, text string) string { return fmt.Sprintf("  %-*s  %s", nameColumn, name, text) }

// valueNames are the words of a target, one in brackets when it may be left out.
func valueNames(t *Target) []string {
	var names []string
	for _, in := range t.Words {
		p, _ := describe(t.Name, in.Name)
		names = append(names, p.value)
	}
	if bare, ok := bareFlag(t); ok {
		p, _ := describe(t.Name, bare)
		names = append(names, "["+p.value+"]")
	}
	return names
}

// write writes lines, each cut at width when that is not 0.
func write(w io.Writer, lines []string, width int) error {
	var b strings.Builder
	for _, line := range lines {
		if runes := []rune(line); width > 0 && len(runes) > width {
			line = strings.TrimRight(string(runes[:width-1]), " ") + "…"
		}
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

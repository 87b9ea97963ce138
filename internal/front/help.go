package front

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/config/environ"
	"github.com/pannous/redox-clif/internal/nearest"
)

// plainWidth is how wide help is where there is no terminal to ask.
const plainWidth = 80

// topic is something help tells besides targets.
type topic struct {
	name, title string
	write       func(f *Front, width int) []string
}

// topics are in the order of the overview; the areas of targets come before them.
var topics = []topic{
	{"flags", "flags that mean the same for every target", flagsTopic},
	{"options", "what stands before the target", optionsTopic},
	{"environment", "environment variables", environmentTopic},
	{"exit", "exit codes", exitTopic},
	{"completion", "completion in bash, zsh and fish", completionTopic},
}

// Help writes what a word names: a target, recipe:NAME, a topic, an area or a namespace of targets; without one, the overview. No line is
// longer than width, unless a word is; 0 stands for 80. The error is a *UsageError.
func (f *Front) Help(w io.Writer, about string, width int) error {
	if width <= 0 {
		width = plainWidth
	}
	lines, err := f.help(strings.ToLower(about), width)
	if err != nil {
		return err
	}
	return write(w, lines, 0)
}

func (f *Front) help(about string, width int) ([]string, error) {
	if about == "" {
		return f.overview(), nil
	}
	if c := f.find(about); c != nil {
		return f.targetHelp(c, width), nil
	}
	for _, t := range topics {
		if t.name == about {
			return append([]string{capital(t.title), ""}, t.write(f, width)...), nil
		}
	}
	if a, ok := areaOf(about); ok {
		return append([]string{a.title}, f.entries(a.all())...), nil
	}
	if inside, _ := f.names(about); len(inside) > 0 {
		return f.namespaceHelp(about), nil
	}
	_, all := f.names("")
	near := nearest.Names(about, append(all, topicNames()...))
	return nil, Wrong("there is no target or topic %q%s", about, didYouMean("", near))
}

// topicNames are all words that help knows besides targets.
func topicNames() []string {
	var names []string
	for _, a := range areas {
		names = append(names, a.topic)
	}
	for _, t := range topics {
		names = append(names, t.name)
	}
	return names
}

func (f *Front) overview() []string {
	lines := []string{
		f.About, "",
		"  mage [options] TARGET [words] [flags] [TARGET …]", "",
		"  mage initfs -j4 -dryrun      flags behind the target: -j4, -j 4, -j=4 or --j=4",
		"  mage -v recipe:kibi run      several targets run one after the other",
		"  mage -l                      the everyday targets; -l -all: all of them",
		"  mage help TARGET             what it takes; also: mage TARGET -help", "",
		"`mage` is short for `go tool mage`: in a shell, mage() { go tool mage \"$@\"; }", "",
		"Targets, mage help …",
	}
	var targets, others []row
	for _, a := range areas {
		targets = append(targets, row{a.topic, a.title})
	}
	for _, t := range topics {
		others = append(others, row{t.name, t.title})
	}
	lines = append(lines, table(targets, plainWidth)...)
	return append(append(lines, "", "And besides, mage help …"), table(others, plainWidth)...)
}

func (f *Front) entries(names []string) []string {
	var lines []string
	for _, name := range names {
		if t := f.target(name); t != nil {
			lines = append(lines, f.entry(t))
		}
	}
	return lines
}

func (f *Front) namespaceHelp(namespace string) []string {
	lines := []string{"Targets of " + namespace + ":"}
	for _, t := range f.Targets {
		if slices.ContainsFunc(append([]string{t.Name}, t.Aliases...), func(name string) bool { return strings.HasPrefix(name, namespace+":") }) {
			lines = append(lines, f.entry(t))
		}
	}
	return lines
}

// usage is how a target is called.
func usage(t *Target) string {
	parts := append([]string{"mage", t.Name}, valueNames(t)...)
	if len(t.Flags) > 0 {
		parts = append(parts, "[flags]")
	}
	return strings.Join(parts, " ")
}

func (f *Front) targetHelp(c *call, width int) []string {
	t := c.target
	lines := []string{usage(t), ""}
	if c.named {
		lines[0] = strings.Replace(lines[0], "recipe:build NAME", c.typed, 1)
		lines = append(lines, "  "+c.typed+" is short for recipe:build "+c.words[0]+":")
		lines = append(lines, wrap(f.checkout.description(c.words[0]), 2, width)...)
	} else {
		lines = append(lines, wrap(strings.TrimPrefix(t.Comment, firstWord(t.Comment)+" "), 2, width)...)
	}
	if len(t.Words) > 0 && !c.named {
		lines = append(lines, "", "Words")
		lines = append(lines, table(inputRows(t, t.Words, func(_ string, p param) string { return p.value }), width)...)
	}
	if len(t.Flags) > 0 {
		lines = append(lines, "", "Flags")
		flags := slices.SortedFunc(slices.Values(t.Flags), func(a, b Input) int { return strings.Compare(a.Name, b.Name) })
		lines = append(lines, table(inputRows(t, flags, flagName), width)...)
	}
	return append(lines, f.seeAlso(t, width)...)
}

func inputRows(t *Target, inputs []Input, name func(name string, p param) string) []row {
	var rows []row
	for _, in := range inputs {
		p, _ := describe(t.Name, in.Name)
		rows = append(rows, row{name(in.Name, p), p.told()})
	}
	return rows
}

// seeAlso leads to a target's other names and to the others of its namespace.
func (f *Front) seeAlso(t *Target, width int) []string {
	var lines []string
	if len(t.Aliases) > 0 {
		lines = append(lines, "", "Also called "+strings.Join(t.Aliases, ", ")+".")
	}
	namespace, _, _ := strings.Cut(t.Name, ":")
	var others []string
	for _, other := range f.Targets {
		if other != t && (strings.HasPrefix(other.Name, namespace+":") || other.Name == namespace) {
			others = append(others, other.Name)
		}
	}
	if len(others) > 0 {
		lines = append(lines, "")
		lines = append(lines, wrap("See also "+strings.Join(others, ", ")+".", 0, width)...)
	}
	return lines
}

// flagName is how a flag is written.
func flagName(name string, p param) string {
	if p.value == "" {
		return "-" + name
	}
	return "-" + name + "=" + p.value
}

// told is all there is to say of a word or flag.
func (p param) told() string {
	text := p.text
	if len(p.oneOf) > 0 {
		text += ": " + strings.Join(p.oneOf, ", ")
	}
	if p.variable != "" {
		text += "; " + p.variable
	}
	return text
}

// row is a name and what is told of it.
type row struct{ name, text string }

// widestName is the widest first column of a table: what is told of a longer name begins in the next line.
const widestName = 26

// table writes rows in two columns, the second one wrapped.
func table(rows []row, width int) []string {
	column := 0
	for _, r := range rows {
		if len(r.name) <= widestName {
			column = max(column, len(r.name))
		}
	}
	var lines []string
	for _, r := range rows {
		if len(r.name) > column {
			lines = append(lines, "  "+r.name)
			lines = append(lines, wrap(r.text, column+4, width)...)
			continue
		}
		wrapped := wrap(r.text, column+4, width)
		wrapped[0] = fmt.Sprintf("  %-*s  %s", column, r.name, strings.TrimSpace(wrapped[0]))
		lines = append(lines, wrapped...)
	}
	return lines
}

// wrap breaks a text into lines with an indent.
func wrap(text string, indent, width int) []string {
	var lines []string
	line := strings.Repeat(" ", indent)
	for _, word := range strings.Fields(text) {
		if strings.TrimSpace(line) != "" && len([]rune(line))+1+len([]rune(word)) > width {
			lines = append(lines, line)
			line = strings.Repeat(" ", indent)
		}
		if strings.TrimSpace(line) != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func flagsTopic(_ *Front, width int) []string {
	var rows []row
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if p, _ := describe("", name); !strings.Contains(name, " ") {
			rows = append(rows, row{flagName(name, p), p.told()})
		}
	}
	lines := append(table(rows, width), "")
	return append(lines, wrap("Which of them a target has is in its help. A flag beats its variable, and a variable the default.", 0, width)...)
}

func optionsTopic(_ *Front, width int) []string {
	var rows []row
	for _, o := range options {
		rows = append(rows, row{strings.TrimSpace("-" + o.name + " " + o.value), o.text})
	}
	return table(rows, width)
}

func environmentTopic(_ *Front, width int) []string {
	var rows []row
	for _, v := range append(environ.Variables(), environ.Sources()) {
		rows = append(rows, row{v.Name, v.Line()})
	}
	var others []string
	for _, v := range environ.Standard() {
		others = append(others, v.Name)
	}
	lines := append(table(rows, width), "")
	lines = append(lines, wrap("Any other variable that begins with REDOX_ is an error. Of others, these are heeded: "+strings.Join(others, ", ")+".", 0, width)...)
	return append(lines, "", "What each does: docs/reference/environment.md.")
}

func exitTopic(_ *Front, width int) []string {
	return table([]row{
		{"0", "done"},
		{"1", "it failed: a build, a test, a check that found something"},
		{"2", "the command line is wrong, and nothing was run"},
		{"130", "stopped by Ctrl-C (SIGINT); nothing is left running"},
		{"143", "stopped by SIGTERM; nothing is left running"},
	}, width)
}

func completionTopic(*Front, int) []string {
	return []string{
		"  bash   source <(go tool mage completion bash)",
		"  zsh    source <(go tool mage completion zsh)       behind compinit",
		"  fish   go tool mage completion fish | source",
		"",
		"In a startup file that has to be in a checkout, or to read what was written to a",
		"file: go tool mage completion bash >FILE.",
		"",
		"Completed are targets, words (recipes, images, boot tests, steps, files), flags and",
		"their values, for `go tool mage` and for `mage`, be that a shell function",
		"mage() { go tool mage \"$@\"; } or the program. `mage -install SHELL` is Mage's own",
		"completion: it knows targets only, and works in every project.",
	}
}

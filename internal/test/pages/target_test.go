package pages

import (
	"errors"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/front"
)

// readTargets reads the targets as the front does.
func readTargets(t *testing.T) *front.Front {
	t.Helper()
	f, err := front.Read(root)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// check says what is wrong with the words behind `mage`, nil when nothing is. Names may be of things that a reader makes, and what is not
// typed but only mentioned need not have all its words.
func check(f *front.Front, words []string, typed bool) error {
	options, words, err := front.Split(words)
	if err != nil || options.List || options.Help || len(words) == 0 {
		return err
	}
	switch words[0] {
	case "help":
		if len(words) > 1 && pattern.MatchString(words[1]) {
			return nil
		}
		return f.Help(io.Discard, strings.Join(words[1:], " "), 0)
	case "completion":
		_, err := front.Completion(strings.Join(words[1:], " "))
		return err
	}
	_, err = f.Check(words)
	var usage *front.UsageError
	if !errors.As(err, &usage) {
		return err
	}
	for _, p := range usage.Problems {
		if p.Kind == front.WrongForm || p.Kind == front.Missing && typed {
			return errors.New(p.Text)
		}
	}
	return nil
}

// command is what a page has somebody type.
type command struct {
	line  int
	text  string
	typed bool // in a code block, not in a sentence
}

// commands are the lines of code blocks that are typed, and the inline code that is one.
func (p *page) commands() []command {
	var all []command
	for _, b := range p.blocks {
		if b.language != "console" && b.language != "sh" && b.language != "yaml" {
			continue
		}
		for i, line := range strings.Split(b.text, "\n") {
			typed, ok := strings.CutPrefix(line, "$ ")
			if b.language != "console" {
				typed, ok = line, true
			}
			if ok {
				all = append(all, command{b.line + i, typed, true})
			}
		}
	}
	spans := p.spans()
	for _, line := range slices.Sorted(maps.Keys(spans)) {
		for _, span := range spans[line] {
			all = append(all, command{line, span, false})
		}
	}
	return all
}

var (
	separator = regexp.MustCompile(`&&|\|\|?|;|\$\(|\)| #.*| [<>].*`)
	// inFront may stand before a command.
	inFront = regexp.MustCompile(`^\s*(-?\s*run:\s*)?([A-Z_]+=\S*\s+|export\s+|if\s+|!\s+|exec\s+|time\s+)*`)
)

// mageWords are the words behind each `mage` of a shell's line, and what begins with the name of a namespace as in a table.
func mageWords(f *front.Front, text string) [][]string {
	var found [][]string
	for _, part := range separator.Split(text, -1) {
		words := strings.Fields(unquote(inFront.ReplaceAllString(part, "")))
		switch {
		case len(words) > 2 && words[0] == "go" && words[1] == "tool" && words[2] == "mage":
			words = words[3:]
		case len(words) > 0 && words[0] == "mage":
			words = words[1:]
		case len(words) > 0 && namespaced(f, words[0]):
		default:
			continue
		}
		if len(words) > 0 && !pattern.MatchString(words[0]) {
			found = append(found, words)
		}
	}
	return found
}

// pattern is a word that stands for several targets: recipe:NAME, pkg:*, TARGET.
var pattern = regexp.MustCompile(`(^|:)([A-Z]+|\*)$|…`)

// namespaced tells whether a word begins as the targets of a namespace do.
func namespaced(f *front.Front, word string) bool {
	namespace, name, ok := strings.Cut(word, ":")
	return ok && name != "" && slices.ContainsFunc(f.Targets, func(t *front.Target) bool {
		return slices.ContainsFunc(append([]string{t.Name}, t.Aliases...), func(name string) bool { return strings.HasPrefix(name, namespace+":") })
	})
}

// unquote takes quotes off and what is within them together.
func unquote(s string) string {
	return quoted.ReplaceAllStringFunc(s, func(q string) string { return strings.ReplaceAll(q[1:len(q)-1], " ", "_") })
}

var quoted = regexp.MustCompile(`'[^']*'|"[^"]*"`)

// TestCommands: every target and flag that a page names is there, and gets as many words as it takes.
func TestCommands(t *testing.T) {
	f := readTargets(t)
	checked := 0
	for _, p := range manuals(t) {
		for _, c := range p.commands() {
			for _, words := range mageWords(f, c.text) {
				checked++
				if err := check(f, words, c.typed); err != nil {
					t.Errorf("%s:%d: %s: %v", p.path, c.line, c.text, err)
				}
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d commands were found on the pages: they are not being read", checked)
	}
}

// TestFlags: a flag that a sentence names without its target is one of some target.
func TestFlags(t *testing.T) {
	known := map[string]bool{}
	for name := range othersFlags {
		known[name] = true
	}
	for _, target := range readTargets(t).Targets {
		for _, flag := range target.Flags {
			known[flag.Name] = true
		}
	}
	for _, p := range manuals(t) {
		for line, spans := range p.spans() {
			for _, span := range spans {
				if m := bareFlag.FindStringSubmatch(span); m != nil && !known[m[1]] {
					t.Errorf("%s:%d: no target has a flag -%s", p.path, line, m[1])
				}
			}
		}
	}
}

// othersFlags are flags of other programs that the pages speak of, and whose they are.
var othersFlags = map[string]string{"v": "mage", "l": "mage", "h": "mage", "all": "mage", "race": "go test"}

var bareFlag = regexp.MustCompile(`^-([a-z][a-z0-9]*)([= ].*)?$`)

func TestWrongCommandsAreSeen(t *testing.T) {
	f := readTargets(t)
	for line, good := range map[string]bool{
		"go tool mage demo -dryrun -j=4": true,
		"mage initfs":                    true,
		"mage -v initfs -j=2":            true,
		"REDOX_STD=shared mage recipe:build kibi && mage run": true,
		"mage recipe:ionHost":         true,
		"mage recipe:hello -j4":       true, // which the reader has made
		"mage -l -all":                true,
		"mage help initfs":            true,
		"mage help nothing-at-all":    false,
		"mage plan initfs":            true,
		"mage recipe:NAME":            true,
		"pkg:*":                       true,
		"image:ls / -r":               true,
		"echo mage nothing":           true,
		"mage nothing":                false,
		"mage demo -turbo":            false,
		"mage demo -j":                false,
		"mage recipe:build":           false,
		"mage recipe:build a b":       false,
		"go tool mage image:ls -lr /": false,
		"true; mage pkg:frobnicate x": false,
		"image:mount":                 false,
	} {
		var wrong error
		for _, words := range mageWords(f, line) {
			if err := check(f, words, true); err != nil {
				wrong = err
			}
		}
		if (wrong == nil) != good {
			t.Errorf("%s: %v", line, wrong)
		}
	}
}

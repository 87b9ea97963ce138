package pages

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/magefile/mage/parse"
)

// targets are all targets by name in small letters, aliases too.
type targets map[string]*parse.Function

// readTargets reads the magefiles as Mage does.
func readTargets(t *testing.T) targets {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "magefiles", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		files[i] = filepath.Base(file)
	}
	info, err := parse.PrimaryPackage("go", filepath.Join(root, "magefiles"), files, false)
	if err != nil {
		t.Fatal(err)
	}
	all := targets{}
	for _, f := range info.Funcs {
		all[strings.ToLower(f.TargetName())] = f
	}
	for name, f := range info.Aliases {
		all[strings.ToLower(name)] = f
	}
	return all
}

// oneWord are the targets whose one word may be left out: to Mage it is a flag, and our front takes it as a word.
var oneWord = []string{"toolchain:build", "toolchain:pack", "purity", "plan", "graph", "repro"}

// mageFlags stand before a target, and are Mage's own. Behind -install stands a shell.
var mageFlags = regexp.MustCompile(`^((-v|-l|-h|-install \S+)( |$))+`)

// check says what is wrong with targets and what is behind them, nil when nothing is. What is not typed but only mentioned need not
// have all its words.
func (all targets) check(words []string, typed bool) error {
	for len(words) > 0 {
		name := strings.ToLower(words[0])
		f := all[name]
		if f == nil {
			return fmt.Errorf("there is no target %s", words[0])
		}
		args, rest := words[1:], []string(nil)
		// What follows may be another target.
		for i, word := range args {
			if i >= f.NumRequiredArgs() && all[strings.ToLower(word)] != nil && !slices.Contains(oneWord, name) {
				args, rest = args[:i], args[i:]
				break
			}
		}
		if err := checkArgs(name, f, args, typed); err != nil {
			return err
		}
		words = rest
	}
	return nil
}

func checkArgs(name string, f *parse.Function, args []string, typed bool) error {
	words := 0
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			words++
			continue
		}
		if err := checkFlag(name, f, arg); err != nil {
			return err
		}
	}
	most := f.NumRequiredArgs()
	if slices.Contains(oneWord, name) {
		most++
	}
	if typed && words < f.NumRequiredArgs() || words > most {
		return fmt.Errorf("%s has %d words behind it, and takes %d", name, words, f.NumRequiredArgs())
	}
	return nil
}

func checkFlag(name string, f *parse.Function, arg string) error {
	flag, _, valued := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
	for _, a := range f.OptionalArgs() {
		if strings.ToLower(a.Name) != flag {
			continue
		}
		if !valued && a.Type != "bool" {
			return fmt.Errorf("%s: -%s wants a value: -%s=…", name, flag, flag)
		}
		return nil
	}
	return fmt.Errorf("%s has no flag -%s", name, flag)
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
func (all targets) mageWords(text string) [][]string {
	var found [][]string
	for _, part := range separator.Split(text, -1) {
		words := strings.Fields(unquote(inFront.ReplaceAllString(part, "")))
		switch {
		case len(words) > 2 && words[0] == "go" && words[1] == "tool" && words[2] == "mage":
			words = withoutMageFlags(words[3:])
		case len(words) > 0 && words[0] == "mage":
			words = withoutMageFlags(words[1:])
		case len(words) > 0 && all.namespaced(words[0]):
		default:
			continue
		}
		if len(words) > 0 && !pattern.MatchString(words[0]) {
			found = append(found, words)
		}
	}
	return found
}

func withoutMageFlags(words []string) []string {
	return strings.Fields(mageFlags.ReplaceAllString(strings.Join(words, " "), ""))
}

// pattern is a word that stands for several targets: recipe:NAME, pkg:*, TARGET.
var pattern = regexp.MustCompile(`(^|:)([A-Z]+|\*)$|…`)

// namespaced tells whether a word begins as the targets of a namespace do.
func (all targets) namespaced(word string) bool {
	namespace, name, ok := strings.Cut(word, ":")
	if !ok || name == "" {
		return false
	}
	for target := range all {
		if strings.HasPrefix(target, namespace+":") {
			return true
		}
	}
	return false
}

// unquote takes quotes off and what is within them together.
func unquote(s string) string {
	return quoted.ReplaceAllStringFunc(s, func(q string) string { return strings.ReplaceAll(q[1:len(q)-1], " ", "_") })
}

var quoted = regexp.MustCompile(`'[^']*'|"[^"]*"`)

// TestCommands: every target and flag that a page names is there, and gets as many words as it takes.
func TestCommands(t *testing.T) {
	all := readTargets(t)
	checked := 0
	for _, p := range manuals(t) {
		for _, c := range p.commands() {
			for _, words := range all.mageWords(c.text) {
				checked++
				if err := all.check(words, c.typed); err != nil {
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
	for _, f := range readTargets(t) {
		for _, a := range f.OptionalArgs() {
			known[strings.ToLower(a.Name)] = true
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
var othersFlags = map[string]string{"v": "mage", "l": "mage", "h": "mage", "race": "go test"}

var bareFlag = regexp.MustCompile(`^-([a-z][a-z0-9]*)([= ].*)?$`)

func TestWrongCommandsAreSeen(t *testing.T) {
	all := readTargets(t)
	for line, good := range map[string]bool{
		"go tool mage demo -dryrun -j=4": true,
		"mage initfs":                    true,
		"mage -v initfs -j=2":            true,
		"REDOX_STD=shared mage recipe:build kibi && mage run": true,
		"mage recipe:ionHost":         true,
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
		for _, words := range all.mageWords(line) {
			if err := all.check(words, true); err != nil {
				wrong = err
			}
		}
		if (wrong == nil) != good {
			t.Errorf("%s: %v", line, wrong)
		}
	}
}

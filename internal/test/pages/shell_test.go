package pages

import (
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shellPrograms are those that messages have people type besides mage.
var shellPrograms = []string{"apt", "brew", "cargo", "chmod", "chown", "curl", "dnf", "git", "go", "ln", "mkdir", "mount", "mv", "rm", "rustup", "sudo", "sysctl"}

// backticked is a command as messages quote it.
var backticked = regexp.MustCompile("`([^`\n]+)`")

// unquoted are commands that stand in a text, or are all of it.
var unquoted = regexp.MustCompile(`(?:^|[ (])((?:rustup (?:toolchain|component)|sudo|brew install|curl) [^\n,;]+)`)

// badQuoting ends a command whose values would be quoted for Go.
const badQuoting = " (%q)"

// commandsIn are the beginnings of the shell commands of a text: the program, and the word behind it where the message has one and not a value.
func commandsIn(text string) []string {
	var all []string
	found := append(backticked.FindAllStringSubmatch(text, -1), unquoted.FindAllStringSubmatch(backticked.ReplaceAllString(text, ""), -1)...)
	for _, m := range found {
		words := strings.Fields(m[1])
		if !slices.Contains(shellPrograms, words[0]) || len(words) > 1 && strings.Contains(m[1], "tool mage") {
			continue
		}
		if strings.Contains(m[1], "%q") {
			all = append(all, m[1]+badQuoting)
			continue
		}
		if len(words) > 1 && !strings.HasPrefix(words[1], "%") && !strings.Contains(words[1], "=") {
			words[0] += " " + words[1]
		}
		all = append(all, words[0])
	}
	return all
}

// commandOf is the beginning of a command that code makes of words: process.Quote([]string{"git", "clone", url}), or the words in a call.
func commandOf(list []ast.Expr) string {
	var words []string
	for _, e := range list {
		literal, ok := e.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING || len(words) == 2 {
			break
		}
		word, _ := strconv.Unquote(literal.Value)
		if strings.Contains(word, " ") {
			break
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// shellRemedies are the beginnings of all commands that the code has people type, with their places.
func shellRemedies(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	eachNode(t, func(at string, n ast.Node) {
		for _, command := range commandsAt(n) {
			all[command] = append(all[command], at)
		}
	})
	return all
}

func commandsAt(n ast.Node) []string {
	switch n := n.(type) {
	case *ast.BasicLit:
		return commandsIn(literalText(n))
	case *ast.CallExpr:
		if name, ok := n.Fun.(*ast.SelectorExpr); ok && name.Sel.Name == "Quote" && len(n.Args) == 1 {
			if list, ok := n.Args[0].(*ast.CompositeLit); ok {
				return known(commandOf(list.Elts))
			}
		}
		for i := range n.Args { // a call that gives a reason, and the words of the command
			if command := commandOf(n.Args[i:]); strings.HasPrefix(command, "chmod ") || strings.HasPrefix(command, "sudo ") {
				return []string{command}
			}
		}
	}
	return nil
}

func known(command string) []string {
	if program, _, _ := strings.Cut(command, " "); slices.Contains(shellPrograms, program) {
		return []string{command}
	}
	return nil
}

// untriedInShell are commands that no test types, and why.
var untriedInShell = map[string]string{
	"apt install":             "changes the machine",
	"sudo apt":                "changes the machine",
	"sudo dnf":                "changes the machine",
	"sudo sysctl":             "changes the machine",
	"sudo chown":              "wants another user's folder, and root",
	"rustup toolchain":        "asks the server that rustup downloads from",
	"rustup component":        "asks the server that rustup downloads from",
	"curl --proto":            "asks the server of rustup",
	"curl -L":                 "asks the server of an archive",
	"git lfs":                 "wants a server of Git LFS",
	"cargo generate-lockfile": "is a reason in a step's log: the build has cargo write the lock itself",
	"git -C":                  "is the second half of a git clone, and typed with it",
}

// TestShellRemedies: what a message has people type into a shell is typed by a script, as the message says it: `remedy PROGRAM WORD` there runs the
// command that the last output has.
func TestShellRemedies(t *testing.T) {
	all, typed := shellRemedies(t), shellTyped(t)
	if len(all) < 12 {
		t.Errorf("only %d were found: the code is not being read", len(all))
	}
	for _, command := range slices.Sorted(maps.Keys(all)) {
		if strings.HasSuffix(command, badQuoting) {
			t.Errorf("%s: %s: Go's quoting is not a shell's: see process.Quote", strings.Join(all[command], ", "), strings.TrimSuffix(command, badQuoting))
			continue
		}
		switch tried := typed[command]; {
		case tried && untriedInShell[command] != "":
			t.Errorf("%s is typed by a script", command)
		case !tried && untriedInShell[command] == "":
			t.Errorf("%s: no script types: remedy %s", strings.Join(all[command], ", "), command)
		}
	}
	for command := range untriedInShell {
		if len(all[command]) == 0 {
			t.Errorf("%s is no remedy any more", command)
		}
	}
}

// shellTyped are the beginnings of the commands that scripts take from messages.
func shellTyped(t *testing.T) map[string]bool {
	t.Helper()
	typed := map[string]bool{}
	for _, text := range scriptTexts(t) {
		for _, m := range regexp.MustCompile(`(?m)^remedy (?:-in=\S+ )?(.*)$`).FindAllStringSubmatch(text, -1) {
			typed[m[1]] = true
		}
	}
	return typed
}

func TestShellRemediesAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"not used: `chmod 600 %s`, or make a new one":           "chmod 600",
		"`rm -f %s` forgets it":                                 "rm -f",
		"`rm -f %q` forgets it":                                 "rm -f %q" + badQuoting,
		"`mage cache:gc` makes room, and `%s` too":              "",
		"get it again: rustup toolchain uninstall x && mage y":  "rustup toolchain",
		"`cargo update --workspace` writes it, `git lfs pull`.": "cargo update|git lfs",
		"cargo fetch of %s: %s":                                 "",
		"it is a git submodule":                                 "",
	} {
		if got := strings.Join(commandsIn(text), "|"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

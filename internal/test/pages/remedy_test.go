package pages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/front"
)

// remedy is a call of mage that a text of ours tells a user to type.
type remedy struct {
	at    string // file:line
	words []string
}

// remedies are those of every string of the code, as in "it is full; `mage cache:gc` makes room".
func remedies(t *testing.T) []remedy {
	t.Helper()
	var all []remedy
	eachNode(t, func(at string, n ast.Node) {
		for _, words := range called(literalText(n)) {
			all = append(all, remedy{at, words})
		}
	})
	return all
}

// eachNode visits the syntax of the product's code. at is where a node stands, "internal/x/y.go:3:7".
func eachNode(t *testing.T, visit func(at string, n ast.Node)) {
	t.Helper()
	for _, folder := range []string{"internal", "magefiles"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(file string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && (e.Name() == "testdata" || slices.Contains(ownTests, file)):
				return fs.SkipDir
			case e.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") || e.Name() == front.MainFile:
				return nil
			}
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, file, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(parsed, func(n ast.Node) bool {
				if n != nil {
					visit(strings.TrimPrefix(set.Position(n.Pos()).String(), root+"/"), n)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// literalText is what a string in the code says, "" for any other node.
func literalText(n ast.Node) string {
	literal, ok := n.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	text, _ := strconv.Unquote(literal.Value)
	return text
}

// scriptTexts are those of the scripts of testdata.
func scriptTexts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "testdata", "script", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// ownTests are folders whose texts other tests hold to what there is: package front's are its own subject.
var ownTests = []string{filepath.Join(root, "internal", "test"), filepath.Join(root, "internal", "front"), filepath.Join(root, "internal", "tool")}

var (
	// calls finds `mage` with what follows on its line, up to the next one.
	calls = regexp.MustCompile("(?:^|[^A-Za-z])mage +([^`\n]+)")
	// goesOn is what belongs to a call in a sentence: a flag, or what stands for a value (NAME, A,B, %s).
	goesOn = regexp.MustCompile(`^(-[a-zA-Z]+(=\S*)?|[A-Z][A-Z,]*|%[sdq])$`)
	// standsFor is a first word in place of which the user puts one: TARGET, "mage … -backend=llvm:*".
	standsFor = regexp.MustCompile(`^([A-Z]+|…)$`)
)

// sentence are words behind "mage" where a sentence speaks of it and nobody types anything.
var sentence = []string{"and", "has", "itself"}

// called are the words behind each `mage` of a text.
func called(text string) [][]string {
	var all [][]string
	for _, m := range calls.FindAllStringSubmatch(strings.ReplaceAll(text, ", mage ", "\nmage "), -1) {
		var words []string
		for _, word := range strings.Fields(m[1]) {
			bare := strings.TrimRight(word, `,;.)"`)
			if len(words) > 0 && !goesOn.MatchString(bare) && word != `""` && words[len(words)-1] != "recipe:build" {
				break
			}
			if word == `""` {
				bare = "TEXT"
			}
			words = append(words, bare)
			if bare != word {
				break
			}
		}
		if len(words) > 0 && !standsFor.MatchString(words[0]) && !slices.Contains(sentence, words[0]) {
			all = append(all, words)
		}
	}
	return all
}

// untried are remedies that no test types, and why. All others are typed.
var untried = map[string]string{
	"toolchain:install":            "asks the server that rustup downloads from",
	"toolchain:install -cranelift": "asks the server that rustup downloads from",
	"bench":                        "measures for minutes",
	"bench -only=backends":         "compiles the real system by both backends",
}

// TestRemedies: what a message has people type is a right command line, and some test types it: in testdata/script, or in a block of a page that
// is run.
func TestRemedies(t *testing.T) {
	f := readTargets(t)
	all, tests := remedies(t), typedByTests(t, f)
	if len(all) < 80 {
		t.Errorf("only %d remedies were found: the code is not being read", len(all))
	}
	needed := map[string]bool{}
	for _, r := range all {
		text := strings.Join(r.words, " ")
		if err := check(f, r.words, false); err != nil {
			t.Errorf("%s: mage %s: %v", r.at, text, err)
			continue
		}
		if slices.ContainsFunc(tests, func(words []string) bool { return does(f, words, r.words) }) {
			continue
		}
		needed[text] = true
		if untried[text] == "" {
			t.Errorf("%s: no test types: mage %s", r.at, text)
		}
	}
	for text := range untried {
		if !needed[text] {
			t.Errorf("mage %s is typed by a test, or no remedy any more", text)
		}
	}
}

// typedByTests are the calls of mage in scripts and in blocks that are run.
func typedByTests(t *testing.T, f *front.Front) [][]string {
	t.Helper()
	var all [][]string
	for _, text := range scriptTexts(t) {
		for _, m := range regexp.MustCompile(`(?m)^\s*(?:!\s*)?exec .*?\b(?:mage|front) (.*)$`).FindAllStringSubmatch(text, -1) {
			all = append(all, strings.Fields(unquote(m[1])))
		}
	}
	for _, p := range manuals(t) {
		for _, b := range p.blocks {
			if !b.has("run") {
				continue
			}
			for _, line := range strings.Split(b.text, "\n") {
				if command, ok := strings.CutPrefix(line, "$ "); ok {
					all = append(all, mageWords(f, command)...)
				}
			}
		}
	}
	return all
}

// does tells whether a call does what another one stands for: the same target with its flags, and perhaps more of them.
func does(f *front.Front, call, wanted []string) bool {
	target, flags := taken(f, call)
	of, needs := taken(f, wanted)
	return target == of && !slices.ContainsFunc(needs, func(flag string) bool { return !slices.Contains(flags, flag) })
}

// taken are the target of a call by its first name, and the names of its flags.
func taken(f *front.Front, words []string) (target string, flags []string) {
	for _, word := range words {
		name, isFlag := strings.CutPrefix(word, "-")
		name, _, _ = strings.Cut(strings.ToLower(name), "=")
		switch {
		case isFlag:
			flags = append(flags, name)
		case target == "":
			target = name
		}
	}
	for _, t := range f.Targets {
		if t.Name == target || slices.Contains(t.Aliases, target) {
			return t.Name, flags
		}
	}
	if strings.HasPrefix(target, "recipe:") { // NAME
		target = "recipe:build"
	}
	return target, flags
}

func TestRemediesAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"it is full; `mage cache:gc` makes room":                                "cache:gc",
		"%s; mend: mage target:spec -write -triple=%s":                          "target:spec -write -triple=%s",
		"restored; undo by `mage image:restore -snapshot=NAME` (mage image:ls)": "image:restore -snapshot=NAME|image:ls",
		"next: mage toolchain:install, mage toolchain:lock, mage drift":         "toolchain:install|toolchain:lock|drift",
		"`mage pkg:search \"\"` lists all":                                      "pkg:search TEXT",
		"Written by \"mage toolchain:pin\", not by hand":                        "toolchain:pin",
		"the image has 3 MiB, and mage itself takes more":                       "",
		"mage … -backend=llvm:*":                                                "",
		"rebuild it: `mage recipe:build sysroot`, then `mage nonsense`":         "recipe:build sysroot|nonsense",
		"/x && go tool mage toolchain:install":                                  "toolchain:install",
	} {
		var got []string
		for _, words := range called(text) {
			got = append(got, strings.Join(words, " "))
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

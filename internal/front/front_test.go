package front

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pannous/redox-clif/internal/config/environ"
)

const root = "../.."

// read reads the targets of this checkout.
func read(t *testing.T) *Front {
	t.Helper()
	f, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// world is a checkout with our targets and a few things to name.
func world(t *testing.T) *Front {
	t.Helper()
	dir := t.TempDir()
	for _, file := range []string{
		"recipes/demo/recipe.toml", "recipes/helix/recipe.toml", "recipes/kibi/recipe.toml", "recipes/base/recipe.toml", "recipes/initfs/recipe.toml",
		"recipes/ion-host/recipe.toml", "recipes/notes/README", "images/pure-rust.toml", "images/small.toml", "images/boot/net.toml", "images/boot/ion.toml",
		"targets/t-redox.toml", "toolchain/builds/cranelift-1.toml", "toolchain/sets/seed/toolchain.toml", "toolchain/sets/README", "my.img",
		"out/t-redox/log/base.programs.log", "out/t-redox/log/base.strip.bin.init.log", "out/t-redox/log/base-x.y.log",
		"out/t-redox/state/default/nodes/std__vendor.json", "out/t-redox/state/default/nodes/base__programs.json",
	} {
		text := "description = \"the recipe\"\n\n[[step]]\nname = \"s\"\npackages = [\"init\", 'randd']\n"
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "toolchain/toolchain.toml"), []byte("set = \"2026-01\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	targets, err := filepath.Abs(filepath.Join(root, Folder))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(targets, filepath.Join(dir, Folder)); err != nil {
		t.Fatal(err)
	}
	f, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestEveryTargetIsInOneAreaAndEveryEntryIsATarget(t *testing.T) {
	in := map[string]int{}
	for _, a := range areas {
		for _, name := range a.all() {
			in[name]++
		}
	}
	for _, target := range read(t).Targets {
		if in[target.Name] != 1 {
			t.Errorf("%s is in %d areas of areas.go, want 1", target.Name, in[target.Name])
		}
		delete(in, target.Name)
	}
	for name := range in {
		t.Errorf("areas.go has %s, which is no target", name)
	}
}

func TestEveryInputHasATextAndEveryTextIsUsed(t *testing.T) {
	used := map[string]bool{}
	for _, target := range read(t).Targets {
		if !strings.Contains(target.Comment, " ") {
			t.Errorf("%s has no doc comment", target.Name)
		}
		for _, in := range slices.Concat(target.Words, target.Flags) {
			p, key := describe(target.Name, in.Name)
			used[key] = true
			switch {
			case p.text == "":
				t.Errorf("%s: params.go has no text for %s", target.Name, in.Name)
			case (p.value == "") != (in.Type == "bool"):
				t.Errorf("%s: %s is a %s, and the value in params.go is %q", target.Name, in.Name, in.Type, p.value)
			}
		}
	}
	for key := range params {
		if !used[key] {
			t.Errorf("params.go: nothing uses %q", key)
		}
	}
}

func TestFlagsOfVariablesMeanTheSameEverywhere(t *testing.T) {
	for _, v := range environ.Variables() {
		if _, ok := params[strings.TrimPrefix(v.Flag, "-")]; v.Flag != "" && !ok {
			t.Errorf("%s: params.go has no %s for all targets", v.Name, v.Flag)
		}
	}
}

// What is typed first must not hide a target, nor a topic of help.
func TestNamesOfTheFrontAreNoTargets(t *testing.T) {
	f := read(t)
	for _, name := range append(topicNames(), "help", "completion") {
		if f.target(name) != nil {
			t.Errorf("%s is a target", name)
		}
	}
	seen := map[string]bool{}
	for _, name := range topicNames() {
		if seen[name] {
			t.Errorf("two topics are named %s", name)
		}
		seen[name] = true
	}
}

func TestRecipesAreNoTargetsOfTheirOwn(t *testing.T) {
	f := read(t)
	if f.target("recipe:kibi") != nil || f.target("recipe:list") == nil {
		t.Error("recipe:kibi is made of recipes/kibi, recipe:list is not")
	}
	if got := f.target("Initfs:Build"); got == nil || got.Name != "initfs" || !slices.Equal(got.Aliases, []string{"initfs:build"}) {
		t.Errorf("a target is named by its alias: %+v", got)
	}
}

func TestTargetsAreKept(t *testing.T) {
	f, file := read(t), filepath.Join(t.TempDir(), "targets")
	if err := f.Save(file); err != nil {
		t.Fatal(err)
	}
	kept, err := Load(file, root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, kept, cmpopts.IgnoreUnexported(Front{}), cmpopts.IgnoreFields(Front{}, "About"), cmpopts.IgnoreFields(Target{}, "Summary", "Comment")); diff != "" || kept.target("drift:check") == nil {
		t.Error(diff)
	}
	if err := os.WriteFile(file, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, root); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("half a file: %v", err)
	}
}

// screen is the lines that a window of usual height shows.
const screen = 40

func TestTheListFitsOneScreen(t *testing.T) {
	f := read(t)
	var everyday, all bytes.Buffer
	if err := f.List(&everyday, false, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.List(&all, true, 0); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(everyday.String()+all.String(), "\n") {
		if n := len([]rune(line)); n > plainWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if n := strings.Count(everyday.String(), "\n"); n > screen {
		t.Errorf("%d lines", n)
	}
	for _, want := range []string{"\n  demo  ", "\n  recipe:NAME  ", "\n  test:boot NAME  ", "\n  plan [NAME]  ", "more: mage -l -all"} {
		if !strings.Contains(everyday.String(), want) {
			t.Errorf("no %q in\n%s", want, everyday.String())
		}
	}
	for _, target := range f.Targets {
		if !strings.Contains(all.String(), "\n  "+target.Name+" ") {
			t.Errorf("%s is not in the list of all", target.Name)
		}
	}
	if strings.Contains(all.String(), "more:") || strings.Contains(all.String(), "recipe:kibi") {
		t.Errorf("all:\n%s", all.String())
	}
}

func TestLinesAreCutAtTheTerminal(t *testing.T) {
	var out bytes.Buffer
	if err := read(t).List(&out, true, 40); err != nil {
		t.Fatal(err)
	}
	cut := 0
	for _, line := range strings.Split(out.String(), "\n") {
		if n := len([]rune(line)); n > 40 {
			t.Errorf("%d columns: %s", n, line)
		}
		if strings.HasSuffix(line, "…") {
			cut++
		}
	}
	if cut < 20 {
		t.Errorf("%d lines end in …", cut)
	}
}

func TestHelpTellsEverything(t *testing.T) {
	f := world(t)
	for about, want := range map[string][]string{
		"":                 {"mage [options] TARGET", "  packages ", "  exit "},
		"initfs":           {"mage initfs [flags]", "pinned sources.", "  -j=N ", "REDOX_JOBS", "Also called initfs:build.", "initfs:verify"},
		"Initfs:Build":     {"mage initfs [flags]"},
		"recipe:build":     {"mage recipe:build NAME [flags]", "Words\n  NAME  the recipe"},
		"recipe:kibi":      {"mage recipe:kibi [flags]", "short for recipe:build kibi", "the recipe\n"},
		"plan":             {"mage plan [NAME] [flags]", "-recipe=NAME"},
		"graph":            {"text, dot, json, svg"},
		"boot":             {"mage boot\n"},
		"images":           {"test:boot NAME ", "image:verify"},
		"drift":            {"See also drift:lock, drift:upstream."},
		"pkg":              {"Targets of pkg:", "pkg:verify FILE"},
		"environment":      {"REDOX_TOOLCHAIN ", "REDOX_SOURCE_<NAME> ", "GITHUB_ACTIONS"},
		"flags":            {"-dryrun ", "-backend=LIST ", "REDOX_STD"},
		"options":          {"-v ", "-compile FILE "},
		"exit":             {"  2    the command line is wrong", "  130  "},
		"completion":       {"source <(go tool mage completion bash)", "fish"},
		"recipe:ion-host":  {"mage recipe:ion-host [flags]"},
		"toolchain:unpack": {"-sha256=HEX"},
	} {
		var out bytes.Buffer
		if err := f.Help(&out, about, 0); err != nil {
			t.Errorf("%s: %v", about, err)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: no %q in\n%s", about, w, out.String())
			}
		}
	}
}

func TestHelpIsNoWiderThanTheTerminal(t *testing.T) {
	f := read(t)
	for _, width := range []int{0, 60, 120} {
		bound := width
		if width == 0 {
			bound = plainWidth
		}
		for _, about := range append([]string{"environment", "flags", "options"}, targetNames(f)...) {
			var out bytes.Buffer
			if err := f.Help(&out, about, width); err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(out.String(), "\n") {
				if n := len([]rune(line)); i > 0 && n > bound {
					t.Errorf("%s at %d: %d columns: %s", about, width, n, line)
				}
			}
		}
	}
}

func targetNames(f *Front) (names []string) {
	for _, target := range f.Targets {
		names = append(names, target.Name)
	}
	return names
}

func TestUnknownTopicsAreMistakes(t *testing.T) {
	for about, want := range map[string]string{
		"packags":      `did you mean packages?`,
		"demmo":        `did you mean demo?`,
		"recipe:kiby":  `did you mean recipe:kibi?`,
		"enviromnent":  `did you mean environment?`,
		"nothing-like": `there is no target or topic "nothing-like"`,
	} {
		err := world(t).Help(&bytes.Buffer{}, about, 0)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", about, err)
		}
	}
}

func ExampleFront_Check() {
	f, err := Read(root)
	if err != nil {
		fmt.Println(err)
		return
	}
	line, err := f.Check([]string{"recipe:kibi", "--dryrun", "-j4"})
	fmt.Println(line.Args, err)
	_, err = f.Check([]string{"demmo"})
	fmt.Println(err)
	// Output:
	// [recipe:build kibi -dryrun=true -j=4] <nil>
	// there is no target "demmo"; did you mean demo?
}

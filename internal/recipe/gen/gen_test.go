package gen

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/recipe"
)

const root = "../../.."

// TestCommittedIsCurrent: what is committed is what the recipes give.
func TestCommittedIsCurrent(t *testing.T) {
	recipes, err := recipe.LoadAll(filepath.Join(root, "recipes"), recipe.Releases{"2026-06": nil, "seed": nil})
	if err != nil {
		t.Fatal(err)
	}
	_, aliasesPath := Paths(root)
	aliases, err := os.ReadFile(aliasesPath)
	if err != nil {
		t.Fatal(err)
	}
	files, err := Files(recipes, aliases)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not current, run %q:\n%s", name, Command, diff)
		}
	}
}

func TestMethodName(t *testing.T) {
	for name, want := range map[string]string{
		"base": "Base", "demo-sysroot": "DemoSysroot", "a.b_c+d": "ABCD", "9p": "R9p", "x86": "X86",
	} {
		if got := MethodName(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func set(names ...string) recipe.Set {
	all := recipe.Set{}
	for _, n := range names {
		all[n] = &recipe.Recipe{Name: n, Description: "what " + n + "\nis."}
	}
	return all
}

const byHand = `package main

var Aliases = map[string]any{
	"initfs": Initfs.Build,
}
`

func TestFiles(t *testing.T) {
	files, err := Files(set("one", "two-b"), []byte(byHand))
	if err != nil {
		t.Fatal(err)
	}
	targets, aliases := string(files[TargetsFile]), string(files[AliasesFile])
	for _, want := range []string{
		"// One builds one: what one is.\nfunc (Recipe) One(ctx context.Context,", `"two-b", dryRun`, "//go:build mage", "DO NOT EDIT",
	} {
		if !strings.Contains(targets, want) {
			t.Errorf("no %q in\n%s", want, targets)
		}
	}
	for _, want := range []string{`"recipe:two-b": Recipe.TwoB,`, `Initfs.Build,`} {
		if !strings.Contains(aliases, want) {
			t.Errorf("no %q in\n%s", want, aliases)
		}
	}
	if strings.Contains(aliases, "recipe:one") {
		t.Errorf("an alias that is the name of its target:\n%s", aliases)
	}
	again, err := Files(set("one", "two-b"), files[AliasesFile])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(aliases, string(again[AliasesFile])); diff != "" {
		t.Errorf("a second run changes the aliases:\n%s", diff)
	}
	fewer, err := Files(set("one"), files[AliasesFile])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(byHand, string(fewer[AliasesFile])); diff != "" {
		t.Errorf("without hyphenated recipes the file is as it was by hand:\n%s", diff)
	}
}

func TestFilesRefuses(t *testing.T) {
	for _, test := range []struct {
		recipes recipe.Set
		aliases string
		want    string
	}{
		{set("a-b", "ab"), byHand, "would be one target"},
		{set("list"), byHand, "another target already"},
		{set("one"), "package main\n", "no line"},
		{set("one"), byHand[:len(byHand)-2] + begin + "\n}\n", "is gone"},
	} {
		if _, err := Files(test.recipes, []byte(test.aliases)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("want %q, got %v", test.want, err)
		}
	}
}

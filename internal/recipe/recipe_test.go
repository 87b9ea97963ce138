package recipe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProjectRecipesAreSound(t *testing.T) {
	set, err := LoadAll("../../recipes", sets)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"demo", "initfs", "relibc", "sysroot", "base", "redoxfs", "bootstrap"} {
		if set[name] == nil {
			t.Errorf("recipe %s is missing", name)
		}
	}
}

// Redox lore as rules: what was rebuilt by hand in the right order before.
func TestBootstrapIsBuiltFromTheRelibcBeingBuilt(t *testing.T) {
	set, err := LoadAll("../../recipes", sets)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bootstrap", "base"} {
		if set[name].Cargo.Replace["https://gitlab.redox-os.org/redox-os/relibc.git"] != "relibc" {
			t.Errorf("%s takes redox-rt from elsewhere: an old bootstrap against a new relibc faults at boot", name)
		}
	}
	if set["bootstrap"].Source.SameAs != "base" {
		t.Error("archive and bootstrap must come from the same base revision")
	}
}

func TestReasonForLLVM(t *testing.T) {
	set, err := LoadAll("../../recipes", sets)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range set {
		for _, s := range r.Steps {
			if s.Backend == LLVM && len(s.Reason) < 20 {
				t.Errorf("%s/%s: the reason for LLVM says nothing: %q", name, s.Name, s.Reason)
			}
		}
	}
}

// LLVM is the exception on the target and the only compiler there is for the host.
func TestOnlyTheHostHasLLVMWithoutAReason(t *testing.T) {
	for target, free := range map[TargetKind]bool{"": false, "user": false, "kernel": false, "uefi": false, "host": true} {
		step := Step{Name: "p", Kind: "cargo", Packages: []string{"p"}, Backend: LLVM, Target: target}
		if faults := step.check(); (len(faults) == 0) != free {
			t.Errorf("target %q: %v", target, faults)
		}
		step.Reason = "Cranelift cannot build it"
		if faults := step.check(); len(faults) > 0 {
			t.Errorf("target %q with a reason: %v", target, faults)
		}
	}
}

const good = `description = "x"
[source]
git = "https://example.org/x.git"
commit = "0123456789012345678901234567890123456789"
[[step]]
name = "p"
kind = "cargo"
packages = ["p"]
[[file]]
from = "p/p"
to = "bin/p"
`

func TestMistakesAreReportedTogetherWithTheirPlace(t *testing.T) {
	bad := strings.NewReplacer(
		"kind = \"cargo\"", "kind = \"carg\"\nbackend = \"gcc\"",
		"0123456789012345678901234567890123456789", "main",
		"to = \"bin/p\"", "to = \"../p\"\nstrip = \"some\"",
		"description = \"x\"", "description = \"\"",
	).Replace(good)
	_, err := Parse("recipes/x/recipe.toml", []byte(bad))
	for _, want := range []string{"recipe.toml:1:", "recipe.toml:4:", "recipe.toml:7:", "recipe.toml:8:", "recipe.toml:12:", "recipe.toml:13:", "^"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in\n%v", want, err)
		}
	}
}

func TestUnknownKeys(t *testing.T) {
	_, err := Parse("recipes/x/recipe.toml", []byte(good+"sstrip = \"all\"\nmod = 1\n"))
	for _, want := range []string{"recipe.toml:12:", "recipe.toml:13:", "sstrip"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestSourceIsExactlyOne(t *testing.T) {
	sum := strings.Repeat("0", 64)
	sha256, blake3 := "\nsha256 = '"+sum+"'", "\nblake3 = '"+sum+"'"
	for source, bad := range map[string]bool{
		"":                                true,
		"git = 'u'\npath = '.'":           true,
		"git = 'u'\ncommit = 'abc'":       true,
		"archive = 'u'":                   true,
		"archive = 'u'" + blake3:          false,
		"archive = 'u'" + sha256:          false,
		"archive = 'u'" + sha256 + blake3: false,
		"archive = 'u'" + sha256 + "\nblake3 = 'abc'":      true,
		"archive = 'u'" + blake3 + "\nsha256 = 'abc'":      true,
		"crate = 'c'" + sha256:                             true,
		"crate = 'c'\nversion = '1.0.0'" + sha256:          false,
		"crate = 'c'\nversion = '1.0.0'" + blake3:          true,
		"crate = 'c'\nversion = '1.0.0'" + sha256 + blake3: true,
		"git = 'u'\ncommit = '" + sum[:40] + "'" + blake3:  true,
		"git = 'fd::17'\ncommit = '" + sum[:40] + "'":      true,
		"git = 'https://h/x'\ncommit = '" + sum[:40] + "'": false,
		"path = ''":        true,
		"path = '.'":       false,
		"same-as = 'base'": false,
	} {
		_, err := Parse("recipes/x/recipe.toml", []byte("description = 'x'\n[source]\n"+source))
		if (err != nil) != bad {
			t.Errorf("%q: %v", source, err)
		}
	}
}

func TestAnArchiveWithoutASumHearsOfBoth(t *testing.T) {
	_, err := Parse("recipes/x/recipe.toml", []byte("description = \"x\"\n[source]\narchive = \"https://x/y.tar.gz\"\n"))
	if err == nil || !strings.Contains(err.Error(), "an archive may have blake3 in its place") {
		t.Errorf("%v", err)
	}
}

func TestParseRef(t *testing.T) {
	for in, want := range map[string]Ref{
		"programs/init": {Step: "programs", Path: "init"},
		"source/a/b.rc": {Step: "source", Path: "a/b.rc"},
		"base:bin/init": {Recipe: "base", Path: "bin/init"},
		"base:":         {Recipe: "base"},
	} {
		if got, err := ParseRef(in); err != nil || got != want {
			t.Errorf("%s: %+v %v", in, got, err)
		}
	}
	for _, in := range []string{"", "/x", "a/../b", "A/b", "base:../x", ":x", "a//b"} {
		if got, err := ParseRef(in); err == nil {
			t.Errorf("%q was read as %+v", in, got)
		}
	}
}

func writeRecipes(t *testing.T, recipes map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range recipes {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, FileName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCyclesAreNamed(t *testing.T) {
	path := "description = \"x\"\n[source]\npath = \".\"\n"
	for _, c := range []struct {
		recipes map[string]string
		want    string
	}{
		{map[string]string{
			"a": path + "[[file]]\nfrom = \"b:x\"\nto = \"x\"\n",
			"b": path + "[[file]]\nfrom = \"a:x\"\nto = \"x\"\n",
		}, "recipes wait for each other: a needs b needs a"},
		{map[string]string{
			"a": path + "[[step]]\nname = \"p\"\nkind = \"link\"\noutput = \"o\"\ninputs = [\"q/o\"]\n[[step]]\nname = \"q\"\nkind = \"link\"\noutput = \"o\"\ninputs = [\"p/o\"]\n",
		}, "steps wait for each other: p needs q needs p"},
		{map[string]string{"a": "description = \"x\"\n[source]\nsame-as = \"a\"\n"}, "sources wait for each other: a needs a"},
		{map[string]string{
			"a": path + "[set.seed.source]\nsame-as = \"b\"\n",
			"b": "description = \"x\"\n[source]\nsame-as = \"a\"\n",
		}, "release set seed: sources wait for each other: a needs b needs a"},
		{map[string]string{"a": path + "[[set.seed.file]]\nfrom = \"nobody:x\"\nto = \"x\"\n"}, `there is no recipe "nobody"`},
		{map[string]string{"a": path + "[[file]]\nfrom = \"nobody:x\"\nto = \"x\"\n"}, `there is no recipe "nobody"`},
		{map[string]string{"a": path + "[[file]]\nfrom = \"nobody:x\"\nto = \"x\"\n"}, `a/recipe.toml:5:1: there is no recipe "nobody"`},
		{map[string]string{"a": path + "[cargo.replace]\n\"https://h/x\" = \"nobody\"\n"}, `a/recipe.toml:5:1: there is no recipe "nobody"`},
		{map[string]string{"a": path + "[[file]]\nfrom = \"nothing/x\"\nto = \"x\"\n"}, `a/recipe.toml:5:1: "nothing/x": there is no step "nothing"; there are source, recipe`},
	} {
		if _, err := LoadAll(writeRecipes(t, c.recipes), sets); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q in %v", c.want, err)
		}
	}
}

func TestFits(t *testing.T) {
	path := "description = \"x\"\n[source]\npath = \".\"\n[set.seed]\npatches = []\n"
	set, err := LoadAll(writeRecipes(t, map[string]string{"a": path}), sets)
	if err != nil {
		t.Fatal(err)
	}
	for same, want := range map[string]string{"a": "", "nobody": `there is no recipe "nobody"`} {
		r, err := Parse("recipes/b/recipe.toml", []byte("description = \"x\"\n[source]\nsame-as = \""+same+"\"\n"))
		if err != nil {
			t.Fatal(err)
		}
		err = set.Fits(r)
		if (err == nil) != (want == "") || err != nil && strings.Count(err.Error(), want) != 1 {
			t.Errorf("same as %s: %v, want %q once", same, err, want)
		}
	}
	if set["b"] != nil {
		t.Error("it has joined")
	}
}

func TestWhatIsRefused(t *testing.T) {
	head := "description = \"x\"\n"
	for _, c := range []struct{ text, want string }{
		{head + "[source]\npath = \".\"\n[[step]]\nname = \"l\"\nkind = \"link\"\noutput = \"../../x\"\n", "output ="},
		{head + "[source]\npath = \".\"\n[[step]]\nname = \"l\"\nkind = \"cargo\"\npackages = [\"l\"]\ndir = \"../x\"\n", "dir ="},
		{"patches = [\"p\"]\n" + head + "[source]\nsame-as = \"b\"\n", "none of its own"},
		{good + "[initfs]\nversion = 0\nbootstrap = \"p/p\"\n", ":13:1: the layout is 0"},
		{good + "[initfs]\nversion = 3\nbootstrap = \"p/p\"\n", ":13:1: the layout is 3"},
		{good + "[[step]]\nname = \"p\"\nkind = \"cargo\"\npackages = [\"q\"]\n", `:13:1: two steps cannot both be named "p"`},
		{good + "[[step]]\nname = \"source\"\nkind = \"cargo\"\npackages = [\"q\"]\n", `two steps cannot both be named "source"`},
		{good + "[source.submodules.\"\"]\ngit = \"u\"\ncommit = \"0123456789012345678901234567890123456789\"\n", `"" is no path inside the source`},
		{good + "[set.seed.step.q]\npackages = [\"x\"]\n", `:12:16: there is no step "q" that could differ`},
		{good + "[set.seed.step.p]\npackages = []\n", `:12:16: a cargo step needs packages`},
		{good + "[set.seed.step.p]\ndir = \"../x\"\n", `:13:1: dir = "../x" is no path inside the source`},
		{good + "[set.seed]\nwithout = [\"bin/q\"]\n", `:13:12: the recipe places nothing at "bin/q"`},
		{good + "[set.seed.initfs]\nversion = 3\nbootstrap = \"p/p\"\n", `:13:1: the layout is 3`},
		{good + "[profile.seed.source]\npath = \".\"\n", `:12:2: key "profile" is called "set" now`},
		{strings.Replace(good, "to = \"bin/p\"", "to = \"bin/p\"\nmode = \"10000\"", 1), `mode "10000" is not an octal mode`},
		{head + "[source]\npath = \".\"\n[[file]]\nfrom = \"recipe/a\"\nto = \"a\"\n[[file]]\nfrom = \"recipe/b\"\nto = \"a\"\n", ":9:1: two files are placed at a"},
	} {
		if _, err := Parse("recipes/x/recipe.toml", []byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "recipes/x/recipe.toml:") {
			t.Errorf("want %q in %v", c.want, err)
		}
	}
}

// sets are the release sets of these tests, those of the project among them.
var sets = Releases{"2026-01": {"2026-01"}, "2026-06": {"2026-01", "2026-06"}, "seed": {"2026-01", "seed"}, "later": {"2026-01", "seed", "later"}}

func TestASetSaysWhatDiffers(t *testing.T) {
	_, err := Parse("recipes/x/recipe.toml", []byte("patches = ['a']\n"+good+`args = ["-x"]
[[set.seed.file]]
from = "source/b"
to = "bin/p"
[set.seed.source]
path = "."
[set.seed.step.p]
packages = ["p", "q"]
[set.later]
patches = []
without = ["etc/old"]
[set.later.install]
bin = []
[install]
bin = ["p/p"]
etc = ["source/old", "source/kept"]
`))
	if err == nil {
		t.Fatal("p is placed twice and args are no key of a file")
	}
	text := strings.Replace("patches = ['a']\n"+good, "to = \"bin/p\"", "to = \"usr/p\"", 1) + `
[set.seed]
source.path = "."
step.p.packages = ["p", "q"]
install.bin = ["p/p", "p/q"]
[[set.seed.file]]
from = "source/b"
to = "usr/p"
[set.later]
patches = []
without = ["etc/old"]
install.bin = []
[install]
bin = ["p/p"]
etc = ["source/old", "source/kept"]
`
	r, err := Parse("recipes/x/recipe.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in              []string
		release, source string
		patches         int
		packages, files string
		key             string
	}{
		{nil, "", "https://example.org/x.git", 1, "p", "usr/p=p/p bin/p=p/p etc/old=source/old etc/kept=source/kept", "patches"},
		{[]string{"2026-01"}, "", "https://example.org/x.git", 1, "p", "usr/p=p/p bin/p=p/p etc/old=source/old etc/kept=source/kept", "patches"},
		{sets["seed"], "seed", "", 1, "p q", "etc/old=source/old etc/kept=source/kept usr/p=source/b bin/p=p/p bin/q=p/q", "patches"},
		{sets["later"], "later", "", 0, "p q", "etc/kept=source/kept usr/p=source/b", "set.later.patches"},
	} {
		in := r.In(c.in...)
		var files []string
		for _, f := range in.Files {
			files = append(files, f.To+"="+f.From)
		}
		if in.Release != c.release || in.Source.Git != c.source || len(in.Patches) != c.patches || strings.Join(in.Steps[0].Packages, " ") != c.packages ||
			strings.Join(files, " ") != c.files || strings.Join(in.PatchesKey(), ".") != c.key {
			t.Errorf("in %v: %q %q %v %v %v %v", c.in, in.Release, in.Source.Git, in.Patches, in.Steps[0].Packages, files, in.PatchesKey())
		}
	}
	if len(r.Steps[0].Packages) != 1 || len(r.Files) != 4 {
		t.Errorf("the recipe itself has changed: %+v", r)
	}
}

// A table of a set that nobody can ask for does nothing, and costs hours.
func TestARecipeNamesReleaseSetsThatThereAre(t *testing.T) {
	for table, want := range map[string]string{
		"[set.sead]": `:13:6: there is no release set "sead"; did you mean "seed"?`, "[set.xyz]": `toolchain/sets/xyz/toolchain.toml would make it one`, "[set.2026-06]": "",
	} {
		dir := writeRecipes(t, map[string]string{"x": strings.ReplaceAll(good, "packages = [\"p\"]", "packages = [\"p\"]\nsysroot = \"none\"") + table + "\npatches = []\n"})
		_, broken, err := LoadEach(dir, sets)
		if err != nil {
			t.Fatal(err)
		}
		if got := broken["x"]; (got == nil) != (want == "") || got != nil && !strings.Contains(got.Error(), want) {
			t.Errorf("%s: %v, want %q", table, got, want)
		}
	}
}

func TestWhatAStepMayNotSay(t *testing.T) {
	for _, c := range []struct{ key, want string }{
		{"build-std = true\ntarget = \"host\"", "build-std is for cargo steps"},
		{"build-std = true\nstd = \"none\"", "build-std is for cargo steps"},
		{"needs = [\"luck\"]", "is \"luck\", not one of variadic-definition"},
		{"cc = true\nsysroot = \"none\"", "takes its headers from the sysroot"},
	} {
		_, err := Parse("recipes/x/recipe.toml", []byte(strings.Replace(good, "kind = \"cargo\"", "kind = \"cargo\"\n"+c.key, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "recipe.toml:8:") {
			t.Errorf("%s: %v", c.key, err)
		}
	}
}

func TestWhatAKindOfStepHasToSay(t *testing.T) {
	const tool = "output = \"o\"\n"
	for _, c := range []struct {
		kind       Kind
		text, want string // "" where nothing is missing
	}{
		{KindCargo, "", "a cargo step needs packages"},
		{KindCargo, "packages = [\"p\"]", ""},
		{KindCargo, "packages = [\"p\"]\nbuild-std = true\nstd = \"none\"", "have a standard library of the target"},
		{KindCargo, "packages = [\"p\"]\ntarget = \"moon\"", `target" is "moon", not one of user, kernel, uefi, host`},
		{KindRustc, "", "a rustc step needs output"},
		{KindRustc, tool + "build-std = true", "build-std is for cargo steps"},
		{KindLink, tool + "script = \"source/x.ld\"", ""},
		{KindArchive, tool + "script = \"source/x.ld\"", "script is for the linker"},
		{KindRenameSymbols, tool + "cc = true\nsysroot = \"s\"", "cc is for the C in crates"},
		{KindCHeaders, tool, "one input: cbindgen"},
		{KindCHeaders, tool + "inputs = [\"cbindgen:bin/cbindgen\"]", ""},
		{KindCPrograms, tool, "needs dir"},
		{KindCPrograms, tool + "dir = \"tests\"\nsysroot = \"s\"", ""},
		{"make", tool, `kind" is "make", not one of cargo, rustc,`},
	} {
		text := fmt.Sprintf("description = \"x\"\n[source]\npath = \".\"\n[[step]]\nname = \"s\"\nkind = %q\n%s\n", c.kind, c.text)
		_, err := Parse("recipes/x/recipe.toml", []byte(text))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %q: %v, want %q", c.kind, c.text, err, c.want)
		}
	}
}

// What cargo links for the user space is held to the rules of programs, unless the recipe says otherwise.
func TestRulesOfAStep(t *testing.T) {
	for _, c := range []struct {
		step Step
		want Rules
	}{
		{Step{Kind: "cargo"}, "program"},
		{Step{Kind: "cargo", Target: "user", Artifact: "bin"}, "program"},
		{Step{Kind: "cargo", Rules: "none"}, "none"},
		{Step{Kind: "cargo", Artifact: "staticlib"}, "none"},
		{Step{Kind: "cargo", Target: "kernel"}, "none"},
		{Step{Kind: "cargo", Target: "host"}, "none"},
		{Step{Kind: "link"}, "none"},
		{Step{Kind: "link", Rules: "kernel"}, "kernel"},
	} {
		if got := c.step.RulesOrDefault(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.step, got, c.want)
		}
	}
}

func TestThePatchedCrateIsARecipe(t *testing.T) {
	r, err := Parse("recipes/x/recipe.toml", []byte(good+"[cargo.patch]\nlibc = \"nowhere\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	errs := Set{"x": r, "sysroot": &Recipe{Name: "sysroot"}}.checkReferences(nil, nil)
	if len(errs) != 1 || !strings.Contains(errs[0].err.Error(), `no recipe "nowhere"`) {
		t.Errorf("%v", errs)
	}
}

// A recipe that cannot be used stops those that need it, and no other.
func TestBrokenRecipesStopNoOther(t *testing.T) {
	path := "description = \"x\"\n[source]\npath = \".\"\n"
	set, broken, err := LoadEach(writeRecipes(t, map[string]string{
		"good":    path,
		"typo":    "descriptio = \"x\"\n",
		"user":    path + "[[file]]\nfrom = \"typo:x\"\nto = \"x\"\n",
		"further": path + "[[file]]\nfrom = \"user:x\"\nto = \"x\"\n",
		"round":   path + "[[file]]\nfrom = \"robin:x\"\nto = \"x\"\n",
		"robin":   path + "[[file]]\nfrom = \"round:x\"\nto = \"x\"\n",
	}), sets)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"good"}, set.Names()); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]string{
		"typo":    `typo/recipe.toml:1:1: unknown key "descriptio"`,
		"user":    `user/recipe.toml:5:1: recipe "typo" cannot be used: `,
		"further": `further/recipe.toml:5:1: recipe "user" cannot be used: `,
		"round":   "recipes wait for each other: ",
		"robin":   "recipes wait for each other: ",
	} {
		if broken[name] == nil || !strings.Contains(broken[name].Error(), want) {
			t.Errorf("%s: %v, want %q", name, broken[name], want)
		}
	}
}

// user is a recipe of a user step and of steps that are none.
const user = `description = "x"
[source]
path = "."
[[step]]
name = "p"
kind = "cargo"
packages = ["init", "log-d"]
[[step]]
name = "lib"
kind = "cargo"
artifact = "staticlib"
packages = ["c-side"]
[[step]]
name = "tool"
kind = "cargo"
target = "host"
packages = ["tool"]
[[step]]
name = "efi"
kind = "cargo"
target = "uefi"
packages = ["loader"]
[[step]]
name = "objects"
kind = "cargo"
artifact = "object"
packages = ["crt0"]
[[step]]
name = "boot"
kind = "link"
rules = "bootstrap"
output = "bootstrap"
`

// The short form says what the long one says.
func TestInstallIsShortForFiles(t *testing.T) {
	long := `[[file]]
from = "p/init"
to = "bin/init"
strip = "all"
[[file]]
from = "p/log-d"
to = "bin/log-d"
strip = "all"
[[file]]
from = "lib/libc_side.a"
to = "usr/lib/libc_side.a"
[[file]]
from = "objects/crt0.o"
to = "usr/lib/crt0.o"
[[file]]
from = "tool/tool"
to = "usr/lib/tool"
[[file]]
from = "efi/loader.efi"
to = "boot/loader.efi"
[[file]]
from = "boot/bootstrap"
to = "boot/bootstrap"
[[file]]
from = "source/a/init.rc"
to = "etc/init.rc"
[[file]]
from = "other:usr/share/words"
to = "etc/words"
`
	short := `[install]
bin = ["p/init", "p/log-d"]
"usr/lib" = ["lib/libc_side.a", "objects/crt0.o", "tool/tool"]
boot = ["efi/loader.efi", "boot/bootstrap"]
etc = ["source/a/init.rc", "other:usr/share/words"]
`
	files := func(text string) map[string]File {
		r, err := Parse("recipes/x/recipe.toml", []byte(user+text))
		if err != nil {
			t.Fatal(err)
		}
		by := map[string]File{}
		for _, f := range r.Files {
			f.key = nil
			by[f.To] = f
		}
		return by
	}
	want := files(long)
	if len(want) != 9 {
		t.Fatalf("%d files", len(want))
	}
	if diff := cmp.Diff(want, files(short), cmp.AllowUnexported(File{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, files(strings.ReplaceAll(long, "strip = \"all\"\n", "")), cmp.AllowUnexported(File{})); diff != "" {
		t.Error(diff)
	}
}

func TestDefaultsOfUserSteps(t *testing.T) {
	for _, c := range []struct{ step, sysroot, strip string }{
		{"kind = \"cargo\"", "sysroot", "all"},
		{"kind = \"cargo\"\ntarget = \"user\"\nartifact = \"bin\"\nstd = \"core\"", "sysroot", "all"},
		{"kind = \"cargo\"\nrules = \"none\"", "sysroot", "all"},
		{"kind = \"cargo\"\nsysroot = \"other\"", "other", "all"},
		{"kind = \"cargo\"\nsysroot = \"none\"", "", "all"},
		{"kind = \"cargo\"\nrules = \"bootstrap\"", "", ""},
		{"kind = \"cargo\"\nrules = \"kernel\"", "", ""},
		{"kind = \"cargo\"\ntarget = \"kernel\"\nbackend-reason = \"x\"", "", ""},
		{"kind = \"cargo\"\ntarget = \"host\"", "", ""},
		{"kind = \"c-programs\"\ndir = \"d\"\noutput = \"p\"", "sysroot", ""},
		{"kind = \"link\"\noutput = \"p\"", "", ""},
		{"kind = \"link\"\noutput = \"p\"\nrules = \"program\"", "", ""},
		{"kind = \"archive\"\noutput = \"p\"", "", ""},
	} {
		for said, want := range map[string]string{"": c.strip, "all": "all", "debug": "debug", "none": ""} {
			text := "description = \"x\"\n[source]\npath = \".\"\n[[step]]\nname = \"s\"\npackages = [\"p\"]\n" + c.step + "\n[[file]]\nfrom = \"s/p\"\nto = \"p\"\n"
			if said != "" {
				text += "strip = \"" + said + "\"\n"
			}
			r, err := Parse("recipes/x/recipe.toml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Steps[0].Sysroot; got != c.sysroot {
				t.Errorf("%s: sysroot %q, want %q", c.step, got, c.sysroot)
			}
			if got := string(r.Files[0].Strip); got != want {
				t.Errorf("%s, strip %q: %q, want %q", c.step, said, got, want)
			}
		}
	}
}

func TestWhatInstallMayNotSay(t *testing.T) {
	line := strings.Count(user, "\n") + 2 // that of the first key below [install]
	for _, c := range []struct{ install, want string }{
		{`bin = ["p/int"]`, fmt.Sprintf(`:%d:8: "p/int": the step p makes no "int"; did you mean "p/init"?`, line)},
		{`bin = ["p/quite-another"]`, fmt.Sprintf(`:%d:8: "p/quite-another": the step p makes no "quite-another"; it makes init, log-d`, line)},
		{`bin = ["q/init"]`, fmt.Sprintf(`:%d:8: "q/init": there is no step "q"; there are p, lib, tool, efi, objects, boot, source, recipe; did you mean "p/init"?`, line)},
		{`lib = ["lib/c-side"]`, `the step lib makes no "c-side"; it makes libc_side.a`},
		{`bin = ["efi/loader"]`, `did you mean "efi/loader.efi"?`},
		{`bin = ["boot/x"]`, `"boot/x": the step boot makes no "x"`},
		{`bin = ["init"]`, fmt.Sprintf(`:%d:8: "init" names no file`, line)},
		{`bin = ["other:"]`, `"other:" names no file`},
		{`bin = ["p/../init"]`, fmt.Sprintf(`:%d:8: "p/../init" is no reference`, line)},
		{`bin = []`, fmt.Sprintf(`:%d:1: "bin" has no files: leave it out`, line)},
		{`"/bin" = ["p/init"]`, fmt.Sprintf(`:%d:1: "/bin" is no folder inside the stage`, line)},
		{`"../bin" = ["p/init"]`, `"../bin" is no folder inside the stage`},
		{`"usr/../bin" = ["p/init"]`, `"usr/../bin" is no folder inside the stage`},
		{`"bin/" = ["p/init"]`, `"bin/" is no folder inside the stage`},
		{`"" = ["p/init"]`, `"" is no folder inside the stage`},
		{`bin = ["p/init", "p/log-d", "p/init"]`, fmt.Sprintf(`:%d:29: two files are placed at bin/init: this one, and "p/init" before it`, line)},
		{"bin = [\"p/init\"]\n[[file]]\nfrom = \"p/init\"\nto = \"bin/init\"", fmt.Sprintf(`:%d:8: two files are placed at bin/init: this one, and "p/init" before it`, line)},
		{"bin = [\"p/init\"]\n[[file]]\nfrom = \"source/other\"\nto = \"bin/init\"", `two files are placed at bin/init: this one, and "source/other" before it`},
		{"bin = [\"p/init\"]\n[set.seed.install]\nbin = [\"p/init\", \"p/init\"]", fmt.Sprintf(`:%d:18: two files are placed at bin/init`, line+2)},
		{"bin = [\"p/init\"]\n[set.seed.install]\n\"/bin\" = [\"p/init\"]", fmt.Sprintf(`:%d:1: "/bin" is no folder`, line+2)},
		{"bin = \"p/init\"", fmt.Sprintf(`:%d:7: key "install.bin" must be a list of strings`, line)},
	} {
		text := user + "[install]\n" + c.install + "\n"
		r, err := Parse("recipes/x/recipe.toml", []byte(text))
		if err == nil {
			dir := writeRecipes(t, map[string]string{"x": text, "sysroot": "description = \"x\"\n[source]\npath = \".\"\n"})
			if r, err = Load(filepath.Join(dir, "x")); err == nil {
				_, err = LoadAll(dir, sets)
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "x/recipe.toml:") {
			t.Errorf("%s: want %q in %v (%+v)", c.install, c.want, err, r)
		}
	}
}

// What only a set builds is there for what only the set places.
func TestASetInstallsWhatItAdds(t *testing.T) {
	set := "[set.seed.step.p]\npackages = [\"init\", \"extra\"]\n[set.seed.install]\nbin = [\"p/extra\"]\n"
	recipes := map[string]string{"x": user + set, "sysroot": "description = \"x\"\n[source]\npath = \".\"\n"}
	all, err := LoadAll(writeRecipes(t, recipes), sets)
	if err != nil {
		t.Fatal(err)
	}
	files := all["x"].In("seed").Files
	if len(files) != 1 || files[0].To != "bin/extra" || files[0].Strip != StripAll || len(all["x"].Files) != 0 {
		t.Errorf("%+v, and without the set %+v", files, all["x"].Files)
	}
	recipes["x"] = user + "[install]\nbin = [\"p/extra\"]\n" + set[:strings.Index(set, "[set.seed.install]")]
	if _, err := LoadAll(writeRecipes(t, recipes), sets); err == nil || !strings.Contains(err.Error(), `the step p makes no "extra"`) {
		t.Errorf("what only the set builds is placed without it: %v", err)
	}
}

func TestAMissingDefaultSysrootSaysWhoWantsIt(t *testing.T) {
	_, err := LoadAll(writeRecipes(t, map[string]string{"x": user}), sets)
	if err == nil || !strings.Contains(err.Error(), `x/recipe.toml:4:3: there is no recipe "sysroot"`) || !strings.Contains(err.Error(), `unless it says sysroot = "none"`) {
		t.Error(err)
	}
}

func TestNamesThatMeanSomethingElse(t *testing.T) {
	if _, err := Parse("recipes/none/recipe.toml", []byte(good)); err == nil || !strings.Contains(err.Error(), `no recipe can be named "none"`) {
		t.Error(err)
	}
	if _, err := Parse("recipes/x/recipe.toml", []byte(good+"[cargo]\nmembers = [\"a\", \"*\"]\n")); err == nil || !strings.Contains(err.Error(), `:13:17: "*" keeps all members`) {
		t.Error(err)
	}
}

func TestPackagesOfARecipe(t *testing.T) {
	r, err := Parse("recipes/x/recipe.toml", []byte(user+"[[step]]\nname = \"again\"\nkind = \"cargo\"\npackages = [\"init\", \"more\"]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"init", "log-d", "c-side", "tool", "loader", "crt0", "more"}, r.Packages()); diff != "" {
		t.Error(diff)
	}
}

// Recipes may be kept elsewhere, by a link. One that leads nowhere is said, and so is a recipe's file that does; a link to a file is no recipe.
func TestRecipesBehindLinks(t *testing.T) {
	path := "description = \"x\"\n[source]\npath = \".\"\n"
	dir, elsewhere := writeRecipes(t, map[string]string{"here": path, "cut": path}), writeRecipes(t, map[string]string{"there": path})
	for name, to := range map[string]string{
		"there": filepath.Join(elsewhere, "there"), "lost": "nowhere", "round": "round", "text": filepath.Join("here", FileName),
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "cut", FileName)
	if err := errors.Join(os.Remove(file), os.Symlink("nowhere", file)); err != nil {
		t.Fatal(err)
	}
	set, broken, err := LoadEach(dir, sets)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"here", "there"}, set.Names()); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]string{"lost": "leads nowhere", "round": "leads nowhere", "cut": "is a link to nowhere, which is not there"} {
		if broken[name] == nil || !strings.Contains(broken[name].Error(), want) {
			t.Errorf("%s: %v", name, broken[name])
		}
	}
	if len(broken) != 3 {
		t.Errorf("%v", broken)
	}
}

package front

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func words(line string) []string { return strings.Fields(line) }

func TestLinesAreWrittenAsMageTakesThem(t *testing.T) {
	f := world(t)
	for line, want := range map[string]string{
		"demo":                                   "demo",
		"DEMO -J=4":                              "demo -j=4",
		"initfs:build":                           "initfs",
		"initfs -j4":                             "initfs -j=4",
		"initfs -j 4":                            "initfs -j=4",
		"initfs --j=4":                           "initfs -j=4",
		"initfs --j 4 -k":                        "initfs -j=4 -k=true",
		"initfs --dryrun":                        "initfs -dryrun=true",
		"initfs -dryrun=true":                    "initfs -dryrun=true",
		"initfs -dryrun=0":                       "initfs -dryrun=0",
		"initfs -set seed demo":                  "initfs -set=seed demo",
		"image -out demo":                        "image -out=demo", // a value is never the next target
		"demo initfs -k boot":                    "demo initfs -k=true boot",
		"recipe:kibi":                            "recipe:build kibi",
		"recipe:kibi -j2 recipe:helix":           "recipe:build kibi -j=2 recipe:build helix",
		"recipe:ion-host":                        "recipe:build ion-host",
		"recipe:ionHost":                         "recipe:build ion-host", // as Mage lists it
		"recipe:build -dryrun demo":              "recipe:build demo -dryrun=true",
		"recipe:build initfs":                    "recipe:build initfs",
		"recipe:build demo initfs":               "recipe:build demo initfs",
		"recipe:list":                            "recipe:list",
		"image:grow -img=x 300":                  "image:grow 300 -img=x",
		"image:snapshots -keep -1":               "image:snapshots -keep=-1",
		"cache:gc -maxsize 1.5":                  "cache:gc -maxsize=1.5",
		"initfs:ls - -l":                         "initfs:ls - -l=true",
		"pkg:publish d -recipes=kibi,helix":      "pkg:publish d -recipes=kibi,helix",
		"initfs:replace i /etc/x=y f":            "initfs:replace i /etc/x=y f",
		"test:boot net":                          "test:boot net",
		"test:boot all -json":                    "test:boot all -json=true",
		"plan":                                   "plan",
		"plan kibi":                              "plan -recipe=kibi",
		"plan demo -std=shared":                  "plan -recipe=demo -std=shared",
		"plan -json demo":                        "plan -json=true -recipe=demo",
		"plan -recipe=demo initfs":               "plan -recipe=demo initfs",
		"plan -json image":                       "plan -json=true image",
		"toolchain:build":                        "toolchain:build",
		"toolchain:build x-1.0":                  "toolchain:build -name=x-1.0",
		"Toolchain:Pack x -o=f":                  "toolchain:pack -name=x -o=f",
		"toolchain:build -dryrun demo":           "toolchain:build -dryrun=true demo",
		"toolchain:build toolchain:show":         "toolchain:build toolchain:show",
		"toolchain:unpack file":                  "toolchain:unpack file",
		"purity my.img":                          "purity -of=my.img",
		"purity":                                 "purity",
		"purity sub/none.img":                    "purity -of=sub/none.img", // the target says what is wrong with a path
		"why std/nothing":                        "why std/nothing",         // only a graph knows
		"why base/anything":                      "why base/anything",
		"repro -image=small":                     "repro -image=small",
		"recipe:log base -step=strip/bin/init":   "recipe:log base -step=strip/bin/init",
		"recipe:log kibi -step=unknown":          "recipe:log kibi -step=unknown", // no logs to compare with
		"pkg:create my-own -dir=d":               "pkg:create my-own -dir=d",
		"bench -only=clean,nochange":             "bench -only=clean,nochange",
		"plan -recipe=":                          "plan -recipe=",
		"initfs -backend=llvm:init,cranelift:*":  "initfs -backend=llvm:init,cranelift:*",
		"initfs -backend=llvm":                   "initfs -backend=llvm",
		"initfs -backend=":                       "initfs -backend=",
		"initfs -backend=llvm:randd,llvm:base/s": "initfs -backend=llvm:randd,llvm:base/s",
		"initfs -set=":                           "initfs -set=",
		"why base/s":                             "why base/s", // not built yet
		"run -img out/x.img -port 2200 -memory4": "",
	} {
		got, err := f.Check(words(line))
		if want == "" {
			if err == nil {
				t.Errorf("%s: %q", line, got.Args)
			}
			continue
		}
		if err != nil || !slices.Equal(got.Args, words(want)) {
			t.Errorf("%s: %+v, %v; want %s", line, got, err, want)
		}
	}
	if got, err := f.Check([]string{"pkg:search", ""}); err != nil || !slices.Equal(got.Args, []string{"pkg:search", ""}) {
		t.Errorf("an empty word: %v, %v", got, err)
	}
}

func TestHelpOfATargetInPlaceOfARun(t *testing.T) {
	f := world(t)
	for line, want := range map[string]string{
		"initfs -help": "initfs", "initfs --help": "initfs", "initfs -h": "initfs", "recipe:build --help": "recipe:build", "recipe:kibi --help": "recipe:kibi",
		"demo initfs -j -help": "", "demo recipe:build kibi -help boot": "recipe:build", "initfs -nonsense -help": "initfs",
	} {
		got, err := f.Check(words(line))
		if want == "" {
			want = "initfs"
		}
		if err != nil || got.Help != want {
			t.Errorf("%s: %+v, %v", line, got, err)
		}
	}
}

func TestMistakesAreToldAtOnceWithWhatWasMeant(t *testing.T) {
	f := world(t)
	for line, want := range map[string]string{
		"demmo":                               `there is no target "demmo"; did you mean demo?`,
		"recipe:helics":                       `there is no target "recipe:helics"; did you mean recipe:helix?`,
		"recip:demo":                          `did you mean recipe:demo?`,
		"recipe:zzz":                          "`mage help recipe` lists the targets of recipe:",
		"recipe:notes":                        `there is no target "recipe:notes"`, // a folder is no recipe
		"recipe:../recipes/kibi":              `there is no target`,
		"kibi":                                `did you mean recipe:kibi?`,
		"install":                             `did you mean pkg:install or toolchain:install?`,
		"pkg":                                 "`mage help pkg` lists the targets of pkg:",
		"zzzzzz":                              "`mage -l` lists the targets",
		"initfs -dryrnu":                      `initfs has no flag -dryrnu; did you mean -dryrun?`,
		"initfs --ofline":                     `did you mean -offline?`,
		"recipe:list -dryrun":                 `recipe:list has no flag -dryrun; it has -set, -json`,
		"boot -j4":                            `boot has no flag -j4; it has none`,
		"initfs -v":                           `mage -v initfs`,
		"initfs help":                         `help comes first: mage help initfs`,
		"initfs -j":                           `-j of initfs wants a value: -j=N`,
		"initfs -set -k":                      `-set of initfs wants a value: -set=NAME`,
		"initfs -j=four":                      `-j=four of initfs: want a whole number`,
		"initfs -jfour":                       `initfs has no flag -jfour`,
		"initfs -dryrun=perhaps":              `want true or false`,
		"cache:gc -maxsize=big":               `want a number`,
		"image:grow big":                      `"big" of image:grow: want a whole number`,
		"recipe:build":                        `recipe:build lacks NAME (the recipe); it is called: mage recipe:build NAME [flags]`,
		"initfs:replace a":                    `initfs:replace lacks PATH (where the file is in the image) and FILE`,
		"recipe:build demo kibi -dryrun":      `"kibi" is no target, and recipe:build takes one word; each wants a target of its own: mage recipe:build demo recipe:build kibi`,
		"recipe:demo kibi":                    `"kibi" is no target, and recipe:demo takes no word; each wants a target of its own: mage recipe:demo recipe:kibi`,
		"recipe:build demo demmo":             `"demmo" is no target, and recipe:build takes one word; did you mean demo?`,
		"initfs:extract a b c":                `"c" is no target, and initfs:extract takes 2 words`,
		"recipe:build helics":                 `recipe:build: there is no recipe "helics"; did you mean helix?`,
		"recipe:build zzzzzz":                 "`mage recipe:list` lists the recipes",
		"plan helics":                         `did you mean helix?`,
		"plan boot":                           `plan: there is no recipe "boot"`, // right behind it is no other target
		"fetch -recipe=helics":                `did you mean helix?`,
		"pkg:publish d -recipes=kibi,helics":  `did you mean helix?`,
		"image -name=pure-rst":                `image: there is no image "pure-rst"; did you mean pure-rust?`,
		"image -name=zzzzzz":                  `there are pure-rust, small`,
		"repro -image=smal":                   `did you mean small?`,
		"test:boot nett":                      `there is no boot test "nett"; did you mean net?`,
		"test:boot zzzzzz":                    `there are ion, net, all`,
		"recipe:log base -step=programms":     `did you mean programs?`,
		"why bsae/programs":                   `no recipe is named bsae; did you mean base?`,
		"why kiby":                            `there is no step or recipe "kiby"; did you mean kibi?`,
		"purity initf":                        `there is no image or recipe "initf"; did you mean initfs?`,
		"graph -format=dott":                  `FORMAT cannot be "dott"; did you mean dot?`,
		"initfs -profile=seed":                `initfs has no flag -profile=seed; it is called -set now`,
		"initfs -set=sead":                    `initfs: there is no release set "sead"; did you mean seed?`,
		"initfs -set=zzzzzz":                  `there are 2026-01, seed`,
		"initfs -backend=llvn:init":           `initfs: "llvn:init" is no choice of a backend`,
		"initfs -backend=llvm:*,gcc":          `"gcc" is no choice of a backend`,
		"initfs -backend=llvm:":               `"llvm:" names no recipe, step or package`,
		"initfs -backend=llvm:kibbi":          `there is no recipe, step or package "kibbi"; did you mean kibi?`,
		"initfs -backend=llvm:base/nothing":   `there is no recipe, step or package "base/nothing"`,
		"why base/progams":                    `there is no step "base/progams"; did you mean base/programs?`,
		"initfs -std=zzzzzz":                  `MODE cannot be "zzzzzz"; there are shared, build-std`,
		"bench -only=clean,onelin":            `did you mean oneline?`,
		"target:spec -triple=t-redx":          `there is no target spec "t-redx"; did you mean t-redox?`,
		"demo initfs -dryrnu":                 `did you mean -dryrun?`,
		"demo -std=shared -std=sharde initfs": `did you mean shared?`,
	} {
		got, err := f.Check(words(line))
		var usage *UsageError
		if !errors.As(err, &usage) || len(usage.Problems) != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v\nwant %s", line, got, err, want)
		}
	}
}

func TestAllMistakesOfALine(t *testing.T) {
	_, err := world(t).Check(words("demmo -k initfs -dryrnu recipe:build helics -j=x boot"))
	var usage *UsageError
	if !errors.As(err, &usage) || len(usage.Problems) != 4 {
		t.Errorf("%v", err)
	}
}

func TestOptionsBeforeTheTarget(t *testing.T) {
	for line, want := range map[string]struct {
		options Options
		words   string
	}{
		"":                    {},
		"demo -v":             {words: "demo -v"},
		"-v demo":             {Options{Mage: []string{"-v"}}, "demo"},
		"-t 5m demo":          {Options{Mage: []string{"-t", "5m"}}, "demo"},
		"-t=5m -debug demo":   {Options{Mage: []string{"-t=5m", "-debug"}}, "demo"},
		"-l":                  {Options{List: true}, ""},
		"--l -all":            {Options{List: true, All: true}, ""},
		"-all -l":             {Options{List: true, All: true}, ""},
		"-h initfs":           {Options{Help: true}, "initfs"},
		"--help":              {Options{Help: true}, ""},
		"-compile x -goos y":  {Options{Mage: []string{"-compile", "x", "-goos", "y"}, Command: true}, ""},
		"-version":            {Options{Mage: []string{"-version"}, Command: true}, ""},
		"-d /x -w /y target":  {Options{Mage: []string{"-d", "/x", "-w", "/y"}, Elsewhere: true}, "target"},
		"-install bash":       {Options{Mage: []string{"-install", "bash"}, Command: true}, ""},
		"-autocomplete":       {Options{Mage: []string{"-autocomplete"}, Command: true}, ""},
		"-f -keep recipe:x -": {Options{Mage: []string{"-f", "-keep"}}, "recipe:x -"},
	} {
		options, rest, err := Split(words(line))
		if err != nil || !slices.Equal(rest, words(want.words)) || !slices.Equal(options.Mage, want.options.Mage) ||
			options.List != want.options.List || options.All != want.options.All || options.Help != want.options.Help ||
			options.Command != want.options.Command || options.Elsewhere != want.options.Elsewhere {
			t.Errorf("%s: %+v, %q, %v", line, options, rest, err)
		}
	}
	for line, want := range map[string]string{
		"-dryrun initfs": "a target's flags are written behind it: mage initfs -dryrun",
		"-halp":          "there is no option -halp; did you mean -help?",
		"-debgu":         "did you mean -debug?",
		"-t":             "-t wants a value: -t TIME",
		"-all":           "-all goes with -l",
	} {
		var usage *UsageError
		if _, _, err := Split(words(line)); !errors.As(err, &usage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// An active set that is written in an unusual way may have any name.
func TestSetsThatAreNotReadAreNotRefused(t *testing.T) {
	for text, refused := range map[string]bool{
		"set = \"2026-01\"\n": true, "set=\"2026-01\" # now\n": true, "[toolchain]\n": false, "\"set\" = \"2026-01\"\n": false, "# set = \"2026-01\"\n": false,
	} {
		dir := t.TempDir()
		if err := errors.Join(os.Mkdir(filepath.Join(dir, "toolchain"), 0o755), os.WriteFile(filepath.Join(dir, "toolchain/toolchain.toml"), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
		if _, complete := (checkout{root: dir}).sets(); complete != refused {
			t.Errorf("%q: complete is %v", text, complete)
		}
	}
}

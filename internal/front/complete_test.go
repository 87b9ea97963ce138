package front

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCompletion(t *testing.T) {
	f := world(t)
	for line, want := range map[string]string{
		"tool":                             "toolchain:build toolchain:install toolchain:lock toolchain:pack toolchain:pin toolchain:show toolchain:unpack",
		"recipe:ki":                        "recipe:kibi",
		"recipe:l":                         "recipe:list recipe:lock recipe:log",
		"he":                               "help",
		"help k":                           "",
		"help recipe:k":                    "recipe:kibi",
		"help exi":                         "exit",
		"-h ini":                           "initfs initfs:extract initfs:ls initfs:pack initfs:replace initfs:verify",
		"completion ":                      "bash fish zsh",
		"-deb":                             "-debug",
		"-v dem":                           "demo",
		"-t 5m dem":                        "demo",
		"-d imag":                          "images/",
		"recipe:build ":                    "base demo helix initfs ion-host kibi",
		"recipe:build ki":                  "kibi",
		"recipe:build kibi -dr":            "-dryrun",
		"recipe:kibi -j4 -":                "-backend= -dryrun -help -k -offline -remote= -set= -std=",
		"recipe:kibi --dr":                 "--dryrun",
		"initfs -std=":                     "-std=build-std -std=shared",
		"initfs --std=s":                   "--std=shared",
		"initfs -std ":                     "build-std shared",
		"initfs -set=":                     "-set=2026-01 -set=seed",
		"initfs -backend=llvm:ki":          "-backend=llvm:kibi",
		"initfs -backend=llvm:x,cranelift": "-backend=llvm:x,cranelift:* -backend=llvm:x,cranelift:base -backend=llvm:x,cranelift:demo -backend=llvm:x,cranelift:helix -backend=llvm:x,cranelift:initfs -backend=llvm:x,cranelift:ion-host -backend=llvm:x,cranelift:kibi",
		"initfs dem":                       "demo", // the next target
		"boot ":                            "-help",
		"test:boot ":                       "all ion net",
		"image -name=":                     "-name=pure-rust -name=small",
		"why st":                           "std/vendor",
		"why base/":                        "base/programs",
		"recipe:log base -step=":           "-step=programs -step=strip.bin.init",
		"plan he":                          "helix", // "help" comes first or not at all
		"plan -json dem":                   "demo",
		"pkg:publish d -recipes=ki":        "-recipes=kibi",
		"pkg:publish d -recipes=demo,ki":   "-recipes=demo,kibi",
		"pkg:create ki":                    "kibi",
		"image:ls / -img=my":               "-img=my.img",
		"image:ls / -img=images/b":         "-img=images/boot/",
		"purity my":                        "my.img",
		"initfs:ls im":                     "images/",
		"toolchain:build ":                 "-dryrun -help -j= -llvm= -memory= -name= -offline cranelift-1",
		"target:spec -triple=":             "-triple=t-redox",
		"bench -only=clean,one":            "-only=clean,oneline",
		"nonsense ":                        "",
		"initfs -nonsense=":                "",
	} {
		parts := strings.Split(line, " ")
		var got []string
		for _, c := range f.Complete(parts) {
			got = append(got, c.Value)
		}
		if !slices.Equal(got, words(want)) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	for _, c := range f.Complete([]string{"initfs", "-j"}) {
		if c.Value != "-j=" || !strings.Contains(c.Help, "processes at once") {
			t.Errorf("%+v", c)
		}
	}
	if got := f.Complete(nil); len(got) < 50 {
		t.Errorf("%d targets", len(got))
	}
}

func TestCompletionIsForThreeShells(t *testing.T) {
	for _, shell := range Shells() {
		if text, err := Completion(shell); err != nil || !strings.Contains(text, "__complete") {
			t.Errorf("%s: %v", shell, err)
		}
	}
	for _, shell := range []string{"", "bsh", "../mage.bash"} {
		if _, err := Completion(shell); err == nil || !strings.Contains(err.Error(), "completion is for bash, fish, zsh") {
			t.Errorf("%q: %v", shell, err)
		}
	}
}

// When this variable is set the test program stands in for `go`, in the checkout that it names.
const standIn = "REDOX_TEST_FRONT"

func TestMain(m *testing.M) {
	if root := os.Getenv(standIn); root != "" {
		os.Exit(standInForGo(root, os.Args[1:]))
	}
	os.Exit(m.Run())
}

func standInForGo(root string, args []string) int {
	f, err := Read(root)
	if err != nil || len(args) < 3 || strings.Join(args[:3], " ") != "tool mage __complete" {
		return 1
	}
	for _, c := range f.Complete(args[3:]) {
		fmt.Println(c.Value + "\t" + c.Help)
	}
	return 0
}

// lines are what is typed up to the cursor, and what the shell is to put there: in bash behind the last word break.
var lines = []struct{ typed, bash, others string }{
	{"mage recipe:ki", "kibi", "recipe:kibi"},
	{"mage initfs -std=s", "shared", "-std=shared"},
	{"mage initfs --std=s", "shared", "--std=shared"},
	{"mage recipe:build ", "base demo helix initfs ion-host kibi", "base demo helix initfs ion-host kibi"},
	{"go tool mage recipe:build ki", "kibi", "kibi"},
	{"go tool mage initfs -offl", "-offline", "-offline"},
	{"mage initfs -backend=llvm:ki", "kibi", "-backend=llvm:kibi"},
	{"mage zzz", "", ""},
}

// shell runs a script in a shell that has our completion, with the stand-in for go. It is skipped where there is no such shell.
func shell(t *testing.T, name string, args []string, script string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		t.Skip(name + " is not installed")
	}
	text, err := Completion(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "completion")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "go")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, append(args, "-c", fmt.Sprintf(script, file))...)
	cmd.Env = append(os.Environ(), standIn+"="+world(t).checkout.root, "PATH="+dir+":/usr/bin:/bin", "HOME="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestBash(t *testing.T) {
	var script strings.Builder
	script.WriteString("source '%s'\nCOMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'\n")
	for _, line := range lines {
		function := "_redox_clif_mage"
		if strings.HasPrefix(line.typed, "go") {
			function = "_redox_clif_go"
		}
		fmt.Fprintf(&script, "COMP_LINE='%s' COMP_POINT=%d COMP_CWORD=4; COMP_WORDS=(%s); %s; echo \"${COMPREPLY[*]}\"\n",
			line.typed, len(line.typed), line.typed, function)
	}
	// A completion of go's own stays.
	script.WriteString("COMP_WORDS=(go ver); COMP_CWORD=1; unset _redox_clif_go_before; other() { COMPREPLY=(version); }; complete -F other go\n" +
		"source '%[1]s'; _redox_clif_go; echo \"${COMPREPLY[*]}\"; complete -p go\n")
	got := strings.Split(shell(t, "bash", []string{"--norc"}, script.String()), "\n")
	for i, line := range lines {
		if got[i] != line.bash {
			t.Errorf("%s: %q", line.typed, got[i])
		}
	}
	if n := len(lines); got[n] != "version" || !strings.Contains(got[n+1], "_redox_clif_go") {
		t.Errorf("go's own: %q", got[n:])
	}
}

func TestFish(t *testing.T) {
	script := "source '%s'\n"
	for _, line := range lines {
		script += fmt.Sprintf("echo (complete -C '%s' | string split -f 1 \\t | string join ' ')\n", line.typed)
	}
	got := strings.Split(shell(t, "fish", nil, script), "\n")
	for i, line := range lines {
		if got[i] != line.others {
			t.Errorf("%s: %q", line.typed, got[i])
		}
	}
}

// zsh completes only in its line editor; here compadd says what it would be given.
func TestZsh(t *testing.T) {
	script := "compdef() { :; }; typeset -A _comps; source '%s'\ncompadd() { while [[ $1 != -- ]]; do shift; done; shift; found+=(\"$@\"); }\n"
	for _, line := range lines {
		function := "_redox_clif_mage"
		if strings.HasPrefix(line.typed, "go") {
			function = "_redox_clif_go"
		}
		script += fmt.Sprintf("found=(); words=(${(s: :)${:-\"%s\"}}); [[ '%s' == *' ' ]] && words+=(''); CURRENT=$#words; PREFIX=$words[-1]; %s; print -r -- $found\n",
			line.typed, line.typed, function)
	}
	got := strings.Split(shell(t, "zsh", []string{"-f"}, script), "\n")
	for i, line := range lines {
		if got[i] != line.others {
			t.Errorf("%s: %q", line.typed, got[i])
		}
	}
}

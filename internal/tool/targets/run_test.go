//go:build unix

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/front"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/tool/madeof"
	"github.com/pannous/redox-clif/internal/unchanged"
)

// When this variable is set the test program is the tool.
const asTool = "REDOX_TEST_AS_TOOL"

// checkout is one whose targets are compiled: a script that prints what it is called with.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"go.mod":                   "module x\n",
		"go.sum":                   "",
		"internal/x/x.go":          "package x\n",
		"recipes/kibi/recipe.toml": "",
		"recipes/demo/recipe.toml": "",
		"out/mage/mage":            "#!/bin/sh\necho \"ran: $*\"\nexit ${STATUS:-0}\n",
	} {
		file := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(dir, front.Folder), os.DirFS(filepath.Join("../../..", front.Folder))); err != nil {
		t.Fatal(err)
	}
	made, err := madeof.Fingerprint(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile((&tool{bin: filepath.Join(dir, "out/mage/mage")}).mark(), []byte(made), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func wantRun(t *testing.T, cmd *exec.Cmd, want int) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, cmd, want)
}

// call is the tool with arguments in a folder.
func call(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asTool+"=1")
	cmd.Dir = dir
	return cmd
}

func TestCommandLines(t *testing.T) {
	dir := checkout(t)
	for line, want := range map[string]struct {
		status int
		out    string
	}{
		"":                                 {0, "\n  demo  "},
		"-l":                               {0, "\n  demo  "},
		"-l -all":                          {0, "\n  pkg:tree NAMES  "},
		"help":                             {0, "mage [options] TARGET"},
		"-h":                               {0, "mage [options] TARGET"},
		"help initfs":                      {0, "mage initfs [flags]"},
		"-h initfs":                        {0, "mage initfs [flags]"},
		"initfs --help":                    {0, "mage initfs [flags]"},
		"completion bash":                  {0, "complete -F"},
		"__complete recipe:ki":             {0, "recipe:kibi\t"},
		"recipe:kibi -j4":                  {0, "ran: recipe:build kibi -j=4"},
		"-v -t 5m initfs --dryrun demo":    {0, "ran: -v -t 5m0s initfs -dryrun=true demo"},
		"demmo":                            {2, "Error: there is no target \"demmo\"; did you mean demo?\nNothing was run.\n"},
		"recipe:build demo kibi":           {2, "mage recipe:build demo recipe:build kibi"},
		"initfs -dryrnu":                   {2, "did you mean -dryrun?"},
		"-dryrun initfs":                   {2, "mage initfs -dryrun"},
		"help demmo":                       {2, "did you mean demo?"},
		"help initfs demo":                 {2, "help is for one thing: mage help initfs"},
		"-l demo":                          {2, "-l takes no words"},
		"completion basch":                 {2, "did you mean bash?"},
		"-t five demo":                     {2, "invalid value"},
		"initfs -j=four recipe:build zzzz": {2, "want a whole number\nError: recipe:build: there is no recipe \"zzzz\""},
		"-version":                         {0, "Mage Build Tool"},
		"-autocomplete":                    {0, "toolchain:show"},
	} {
		cmd := call(filepath.Join(dir, "recipes", "kibi"), strings.Fields(line)...) // from anywhere in the checkout
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != want.status || !strings.Contains(string(out), want.out) {
			t.Errorf("%s: %d\n%s", line, cmd.ProcessState.ExitCode(), out)
		}
		if strings.Contains(string(out), "ran:") != strings.HasPrefix(want.out, "ran:") {
			t.Errorf("%s: %s", line, out)
		}
	}
}

// A target that found nothing to do is not started again for the same answer; anything else is.
func TestWhatIsUnchangedIsAnswered(t *testing.T) {
	dir := checkout(t)
	looked := filepath.Join(dir, "recipes/kibi/recipe.toml")
	said := func(args ...string) string {
		out, err := call(dir, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	const answer = "nothing to do\n"
	for _, words := range [][]string{{"demo"}, {"demo", "boot"}} {
		c := unchanged.Call{Root: dir, Program: filepath.Join(dir, "out/mage/mage"), Words: words, Environ: call(dir).Environ()}
		seen := &unchanged.Seen{}
		seen.Content(looked)
		if err := c.Keep(unchanged.Run{Began: time.Now().Add(time.Minute), Lock: filepath.Join(dir, "out/.lock"), Said: []byte(answer), Seen: seen}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ line, want string }{
		{"demo", answer},
		{"demo -j=2", "ran: demo -j=2\n"},
		{"-v demo", "ran: -v demo\n"},
		{"demo boot", "ran: demo boot\n"}, // of two targets the record would be that of the first
	} {
		if got := said(strings.Fields(test.line)...); got != test.want {
			t.Errorf("%s: %q, want %q", test.line, got, test.want)
		}
	}
	if err := os.WriteFile(looked, []byte("[source]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := said("demo"); got != "ran: demo\n" {
		t.Errorf("a changed file: %q", got)
	}
}

func TestStatusIsTheTargets(t *testing.T) {
	cmd := call(checkout(t), "demo")
	cmd.Env = append(cmd.Env, "STATUS=3")
	wantRun(t, cmd, 3)
}

// A mistake is told before the targets are compiled, which takes a minute, and even when they cannot be.
func TestMistakesNeedNoCompiler(t *testing.T) {
	dir := checkout(t)
	if err := os.WriteFile(filepath.Join(dir, "internal/x/x.go"), []byte("package nonsense("), 0o644); err != nil {
		t.Fatal(err)
	}
	wantRun(t, call(dir, "demmo"), 2)
	wantRun(t, call(dir, "-l"), 0)
}

func TestKeptTargetsAreReadOnlyWhileTheyAreRight(t *testing.T) {
	dir := checkout(t)
	kept := filepath.Join(dir, "out/mage/mage.targets")
	f := &front.Front{Targets: []*front.Target{{Name: "kept"}}}
	if err := f.Save(kept); err != nil {
		t.Fatal(err)
	}
	wantRun(t, call(dir, "kept"), 0)
	if err := os.WriteFile(kept, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantRun(t, call(dir, "demo"), 0)
	if err := f.Save(kept); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "internal/x/y.go"), []byte("package x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantRun(t, call(dir, "kept"), 2)
}

// The targets run here, whatever the environment has the go command make.
func TestTargetsAreCompiledForThisMachine(t *testing.T) {
	dir := checkout(t)
	made, script := filepath.Join(dir, "made"), filepath.Join(dir, "go.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n[ $1 = build ] || exec go \"$@\"\ngo env GOOS GOARCH GOFLAGS >"+made+"\nexit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := call(dir, "-f", "-gocmd", script, "demo")
	cmd.Env = append(cmd.Env, "GOOS=windows", "GOARCH=arm64", "GOFLAGS=-buildmode=c-shared -trimpath")
	wantRun(t, cmd, 1)
	got, err := os.ReadFile(made)
	if want := runtime.GOOS + "\n" + runtime.GOARCH + "\n-buildmode=c-shared -trimpath -buildmode=exe\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// What waits or compiles ends with the signal's status and takes along what it started.
func TestSignalsBeforeTheTargetsRun(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		dir := checkout(t)
		lock, err := lockfile.Try(filepath.Join(dir, "out/mage/.lock"))
		if err != nil {
			t.Fatal(err)
		}
		wantStopped(t, call(dir, "-f", "demo"), "waiting for it", s)
		lock.Release()
		// -gocmd: a compiler that starts something and waits for it.
		pid := filepath.Join(dir, "pid")
		script := filepath.Join(dir, "go.sh")
		if err := os.WriteFile(script, []byte("#!/bin/sh\n[ $1 = build ] || exec go \"$@\"\nsleep 60 & echo $! >"+pid+"; echo the compiler runs >&2; wait\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		wantStopped(t, call(dir, "-f", "-gocmd", script, "demo"), "the compiler runs", s)
		wantEnded(t, pid)
		if exists(filepath.Join(dir, front.Folder, front.MainFile)) {
			t.Error("Mage's file is left")
		}
	}
}

// wantStopped sends a signal when the tool has printed some words.
func wantStopped(t *testing.T, cmd *exec.Cmd, words string, s syscall.Signal) {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(&seen, lines.Text())
		if strings.Contains(lines.Text(), words) {
			kill(t, cmd.Process.Pid, s)
			break
		}
	}
	wantStatus(t, cmd, 128+int(s))
	if t.Failed() {
		t.Logf("%s", seen.Bytes())
	}
}

// wantEnded waits for a process to end whose number is in a file.
func wantEnded(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); exists("/proc/" + strings.TrimSpace(string(text))); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what the compiler started still runs")
		}
	}
}

// What is kept for the next call is this program, and only when nothing changed since before it was compiled.
func TestTheToolIsKeptForTheNextCall(t *testing.T) {
	dir := checkout(t)
	made, err := madeof.Fingerprint(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		made string
		kept bool
	}{{"of something else", false}, {made, true}} {
		if out, err := call(dir, madeof.Word, test.made, "-l").CombinedOutput(); err != nil || !strings.Contains(string(out), "\n  demo  ") {
			t.Fatalf("%v:\n%s", err, out)
		}
		mark, _ := os.ReadFile(madeof.Mark(dir))
		_, err := os.Stat(madeof.Kept(dir))
		if (string(mark) == made) != test.kept || (err == nil) != test.kept {
			t.Errorf("made of %q: kept %v, mark %q", test.made, err, mark)
		}
	}
}

// The list and help come from the kept targets as they would from the magefiles.
func TestKeptTargetsTellTheSame(t *testing.T) {
	dir := checkout(t)
	made, err := madeof.Fingerprint(dir)
	if err != nil {
		t.Fatal(err)
	}
	tell := func() string {
		var all []string
		for _, line := range []string{"-l -all", "help initfs", "help", "__complete recipe:"} {
			out, err := call(dir, append([]string{madeof.Word, made}, strings.Fields(line)...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v:\n%s", line, err, out)
			}
			all = append(all, string(out))
		}
		return strings.Join(all, "\n")
	}
	read := tell()
	f, err := front.Read(dir)
	if err == nil {
		err = f.Save((&tool{bin: filepath.Join(dir, "out/mage/mage")}).kept())
	}
	if err != nil {
		t.Fatal(err)
	}
	if kept := tell(); kept != read {
		t.Errorf("kept:\n%s\nread:\n%s", kept, read)
	}
}

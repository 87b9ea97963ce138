package execroot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/process"
)

// env is what the test commands get.
var env = map[string]string{"PATH": "/usr/bin:/bin"}

func newRunner(t *testing.T) *Runner {
	t.Helper()
	dir := t.TempDir()
	store, err := cas.Open(filepath.Join(dir, "cas"))
	if err != nil {
		t.Fatal(err)
	}
	return &Runner{Store: store, Dir: filepath.Join(dir, "work"), Expand: map[string]string{"%{sh}": "/bin/sh"}}
}

// inputs stores a flat tree.
func inputs(t *testing.T, r *Runner, files map[string]string) cas.Digest {
	t.Helper()
	tree := cas.NewTree()
	for name, text := range files {
		d, err := r.Store.PutBytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		tree.Entries[name] = cas.Entry{Digest: d}
	}
	d, err := r.Store.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func shell(script string, in cas.Digest) *action.Action {
	return &action.Action{Args: []string{"%{sh}", "-c", script}, Env: env, Outputs: []string{"out/f"}, Inputs: in}
}

// collectOut takes out/f.
func collectOut(r *Runner) Collect {
	return func(ctx context.Context, root string) (*cas.Tree, error) {
		d, err := r.Store.PutFile(ctx, filepath.Join(root, "out", "f"))
		tree := cas.NewTree()
		tree.Entries["f"] = cas.Entry{Digest: d}
		return tree, err
	}
}

func mustRun(t *testing.T, r *Runner, s Spec) string {
	t.Helper()
	if s.Log == nil {
		s.Log = io.Discard
	}
	out, err := r.Run(t.Context(), s, collectOut(r))
	if err != nil {
		t.Fatal(err)
	}
	e, _, err := r.Store.Lookup(out, "f")
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Store.ReadAll(e.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPlaceholdersAndEnvironment(t *testing.T) {
	t.Setenv("LEAK", "yes")
	r := newRunner(t)
	a := shell("echo $WHERE >%{root}/out/f; cat in >>out/f; echo ${LEAK-nothing} >>out/f", inputs(t, r, map[string]string{"in": "input\n"}))
	a.Env = map[string]string{"PATH": env["PATH"], "WHERE": "at %{root}/x"}
	got := mustRun(t, r, Spec{Action: a})
	if !strings.HasPrefix(got, "at "+r.Dir+"/") || !strings.HasSuffix(got, "/x\ninput\nnothing\n") {
		t.Errorf("got %q", got)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(r.Dir); len(left) != 1 || left[0].Name() != ".git" {
		t.Errorf("left behind: %v", left)
	}
}

// A cache in a checkout, or in a home folder under version control: a build script that stamps the commit must not stamp that one.
func TestTheRepositoryAroundIsNotFound(t *testing.T) {
	around := t.TempDir()
	git := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@localhost"}, args...)...)
		cmd.Dir = around
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-m", "one")
	r := newRunner(t)
	r.Dir = filepath.Join(around, "cache", "work")
	a := shell("mkdir -p deep/er && cd deep/er && { git rev-parse HEAD || echo none; } >%{root}/out/f 2>&1", inputs(t, r, nil))
	for _, key := range []string{"", "step/key"} {
		if got := mustRun(t, r, Spec{Action: a, Key: key}); !strings.HasSuffix(got, "\nnone\n") {
			t.Errorf("key %q: found %s", key, got)
		}
	}
	var out bytes.Buffer
	dir, err := r.TempDir("edit")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Tool(t.Context(), dir, env, &out, "/bin/sh", "-c", "git rev-parse HEAD 2>/dev/null || echo none"); err != nil || !strings.HasSuffix(out.String(), "\nnone\n") {
		t.Errorf("a tool: %v\n%s", err, out.String())
	}
	git("status") // the owner of the repository still works with it
}

// What compares where it is with what it was told (cargo does) must find the two equal.
func TestTheRootIsWhereTheCommandFindsItself(t *testing.T) {
	r := newRunner(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(r.Dir, link); err != nil {
		t.Fatal(err)
	}
	r.Dir = link
	for _, key := range []string{"", "step/key"} {
		got := mustRun(t, r, Spec{Action: shell("{ pwd -P; echo %{root}; } >out/f", inputs(t, r, nil)), Key: key})
		if at, said, _ := strings.Cut(strings.TrimSpace(got), "\n"); at != said {
			t.Errorf("key %q: it is in %s and was told %s", key, at, said)
		}
	}
}

func TestLastingFolderKeepsStateAndSyncsInputs(t *testing.T) {
	r := newRunner(t)
	script := "echo x >>state/count; ls >out/f; cat a* >>out/f; wc -l <state/count >>out/f"
	spec := func(files map[string]string) Spec {
		return Spec{Action: shell("mkdir -p state/empty; "+script, inputs(t, r, files)), Key: "step/key", State: []string{"state"}}
	}
	if got := mustRun(t, r, spec(map[string]string{"a": "1\n", "b": "gone\n"})); !strings.HasSuffix(got, "1\n1\n") {
		t.Errorf("first %q", got)
	}
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	kept := filepath.Join(r.Dir, "step/key/a")
	if err := os.Chtimes(kept, old, old); err != nil {
		t.Fatal(err)
	}
	got := mustRun(t, r, spec(map[string]string{"a": "1\n", "a2": "2\n"}))
	if want := "a\na2\nout\nstate\n1\n2\n2\n"; got != want {
		t.Errorf("second %q, want %q", got, want)
	}
	if info, err := os.Stat(kept); err != nil || !info.ModTime().Equal(old) {
		t.Error("an input that did not change was written again")
	}
	if _, err := os.Stat(filepath.Join(r.Dir, "step/key/state/empty")); err != nil {
		t.Error("an empty folder of the tool's was removed")
	}
}

// A failure says where and what, and the script repeats it: also when the folder was a temporary one.
func TestFailureCanBeRepeatedByHand(t *testing.T) {
	for _, key := range []string{"", "step/key"} {
		r := newRunner(t)
		log := filepath.Join(t.TempDir(), "a.b.log")
		a := shell("cat in; echo 'error[E1]: not good'; echo '  --> src/main.rs:3:9'; echo error: second; printf %s \"$WHERE\" >seen; exit 7",
			inputs(t, r, map[string]string{"in": "the input\n"}))
		a.Env = map[string]string{"PATH": env["PATH"], "WHERE": "%{root}/it's"}
		var out bytes.Buffer
		_, err := r.Run(t.Context(), Spec{Action: a, Key: key, Log: &out, LogPath: log}, collectOut(r))
		var failed *CommandError
		if !errors.As(err, &failed) {
			t.Fatalf("got %v", err)
		}
		if want := "src/main.rs:3:9: error[E1]: not good"; failed.First != want {
			t.Errorf("first error %q, want %q", failed.First, want)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := exec.Command("/bin/sh", failed.Script).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 7 || !strings.Contains(string(again), "the input\n") {
			t.Errorf("key %q: by hand: %v\n%s", key, err, again)
		}
		if !strings.Contains(out.String(), "$ ") {
			t.Errorf("the log does not have the command:\n%s", out.String())
		}
	}
}

// All errors of a command come back with the blanks and colours that the tool gave them; the log, which is searched, has no colours, and
// who repeats the command by hand sees what the tool does on that terminal.
func TestFailureHasEveryErrorAsTheToolSaidIt(t *testing.T) {
	r := newRunner(t)
	log := filepath.Join(t.TempDir(), "a.log")
	a := shell("test \"$COLOUR\" = always && printf \"error: in $PWD/in/x\\\\n\\\\n\"; printf '\\033[31merror[E1]\\033[0m: one\\n  --> a.rs:1:2\\n   |   ^\\n\\nwarning: w\\n\\nerror: two\\n'; exit 1", inputs(t, r, nil))
	a.Env = map[string]string{"PATH": env["PATH"], "COLOUR": "never"}
	var out, status bytes.Buffer
	_, err := r.Run(t.Context(), Spec{Action: a, Colours: []string{"COLOUR=always"}, Log: &out, LogPath: log,
		Status: func(line string) { fmt.Fprintln(&status, line) }}, collectOut(r))
	var failed *CommandError
	if !errors.As(err, &failed) {
		t.Fatalf("got %v", err)
	}
	if got := failed.Messages; len(got) != 3 || got[0].Text != "error: in "+failed.Root+"/in/x" || got[1].Text != "\x1b[31merror[E1]\x1b[0m: one\n  --> a.rs:1:2\n   |   ^" || got[2].Text != "error: two" {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(out.String(), "\nerror[E1]: one\n  --> a.rs:1:2\n") || strings.Contains(out.String(), "\x1b[") {
		t.Errorf("the log:\n%q", out.String())
	}
	if !strings.Contains(status.String(), "\x1b[31merror[E1]\x1b[0m: one\n  --> a.rs:1:2\n   |   ^\n\nwarning") {
		t.Errorf("what -v shows:\n%q", status.String())
	}
	script, err := os.ReadFile(failed.Script)
	if err != nil || strings.Contains(string(script), "COLOUR=always") || !strings.Contains(string(script), "COLOUR=never") {
		t.Errorf("%v, the script:\n%s", err, script)
	}
	if _, err := os.Stat(failed.Root); err != nil || strings.Contains(failed.Root, "tmp-") {
		t.Errorf("the folder %s: %v", failed.Root, err)
	}
}

// What fails may be one of the commands before: that one is repeated.
func TestFailureOfACommandBeforeCanBeRepeatedByHand(t *testing.T) {
	r := newRunner(t)
	before := []string{"%{sh}", "-c", "cat %{root}/in; exit 3"}
	_, err := r.Run(t.Context(), Spec{Action: shell("exit 4", inputs(t, r, map[string]string{"in": "the input\n"})), Before: []Command{{Args: []string{"%{sh}", "-c", "exit 0"}}, {Args: before}},
		Log: io.Discard, LogPath: filepath.Join(t.TempDir(), "a.log")}, collectOut(r))
	var failed *CommandError
	if !errors.As(err, &failed) {
		t.Fatalf("got %v", err)
	}
	again, err := exec.Command("/bin/sh", failed.Script).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 || string(again) != "the input\n" {
		t.Errorf("by hand: %v\n%s", err, again)
	}
}

// Old folders are collected by when something last ran in them.
func TestLastingFolderThatIsUsedIsYoung(t *testing.T) {
	r := newRunner(t)
	for range 2 {
		mustRun(t, r, Spec{Action: shell("echo >out/f", inputs(t, r, nil)), Key: "step/key", State: []string{"out"}})
		all, err := r.Folders()
		if err != nil || len(all) != 1 || time.Since(all[0].Used) > time.Minute {
			t.Fatalf("%+v %v", all, err)
		}
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(all[0].Path, old, old); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFirstErrorLine(t *testing.T) {
	for _, c := range []struct{ output, want string }{
		{"   Compiling x\nerror: could not compile `x`\n", "error: could not compile `x`"},
		{"warning: unused\nrust-lld: error: undefined symbol: f", "rust-lld: error: undefined symbol: f"},
		{"thread 'rustc' panicked\nerror: internal compiler error: oops\nnote\nnote\nnote\n --> far/away.rs:1:1\n", "error: internal compiler error: oops"},
		{"error: failed to get `x` as a dependency of package `y`\n\nCaused by:\n  failed to load source\n\nCaused by:\n  failed to read `/x/Cargo.toml`\n\nCaused by:\n  No such file or directory (os error 2)\n",
			"error: failed to get `x` as a dependency of package `y`: failed to read `/x/Cargo.toml`: No such file or directory (os error 2)"},
		{"error: linking failed\nnote: x\nerror: y\n\nCaused by:\n  something else\n", "error: linking failed"},
		{"error[E1]: bad\n --> src/a.rs:1:1\n", "src/a.rs:1:1: error[E1]: bad"},
		{"error[E1]: bad\nnote: why\n --> src/a.rs:1:1\n --> src/b.rs:2:2\n", "src/a.rs:1:1: error[E1]: bad"},
		{"error[E1]: bad\nnote: why\nnote: too far\n --> src/a.rs:1:1\n", "error[E1]: bad"},
		{"all is well\n", ""},
	} {
		w := &watcher{}
		for _, b := range []byte(c.output) { // in the smallest pieces
			_, _ = w.Write([]byte{b})
		}
		w.end()
		if got := w.message(); got != c.want {
			t.Errorf("%q: got %q, want %q", c.output, got, c.want)
		}
	}
}

// What a killed build leaves running keeps its folder: the next command there waits.
func TestSecondRunWaitsForALeftProcess(t *testing.T) {
	r := newRunner(t)
	dir := filepath.Join(r.Dir, "step/key")
	in := inputs(t, r, nil)
	// setsid takes the sleeper out of the command's process group, as if its build had been killed.
	mustRun(t, r, Spec{Action: shell("setsid sleep 100 >/dev/null 2>&1 & echo $! >out/f; sleep 0.2", in), Key: "step/key"})
	pid := mustPid(t, filepath.Join(dir, "out/f"))
	waits := make(chan string, 1)
	r.Notice = func(line string) { waits <- line }
	done := make(chan error, 1)
	go func() {
		_, err := r.Run(t.Context(), Spec{Action: shell("echo >out/f", in), Key: "step/key", Log: io.Discard}, collectOut(r))
		done <- err
	}()
	if line := <-waits; !strings.Contains(line, dir) {
		t.Errorf("said %q", line)
	}
	if removed, err := r.Remove(Lasting{Path: dir}); removed || err != nil {
		t.Errorf("a folder in use was removed: %v", err)
	}
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func mustPid(t *testing.T, file string) int {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestKeepRemovesOldFoldersThatNobodyUses(t *testing.T) {
	r := newRunner(t)
	for i, key := range []string{"oldest", "old", "newer", "newest"} {
		mustRun(t, r, Spec{Action: shell("echo >out/f", inputs(t, r, nil)), Key: "step/" + key})
		when := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(filepath.Join(r.Dir, "step", key), when, when); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	started := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = r.Run(ctx, Spec{Action: shell("echo started; sleep 100", inputs(t, r, nil)), Key: "step/oldest", Log: io.Discard,
			Status: func(string) { close(started) }}, collectOut(r))
	}()
	<-started
	old := time.Now().Add(-20 * time.Hour)
	_ = os.Chtimes(filepath.Join(r.Dir, "step/oldest"), old, old)
	if err := r.Keep("step", 1); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, _ := os.ReadDir(filepath.Join(r.Dir, "step"))
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if got := strings.Join(left, " "); got != "newest oldest" {
		t.Errorf("left are %q, want the newest and the one in use", got)
	}
	cancel()
	<-done
}

// What a killed process left is swept; what a living one uses stays.
func TestSweep(t *testing.T) {
	r := newRunner(t)
	mine, err := r.TempDir("edit")
	if err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(r.Dir, runPrefix+"dead", "tmp-1")
	fresh := filepath.Join(r.Dir, newPrefix+"fresh")
	ancient := filepath.Join(r.Dir, newPrefix+"ancient")
	for _, dir := range []string{dead, fresh, ancient} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * abandoned)
	_ = os.Chtimes(ancient, old, old)
	other := &Runner{Store: r.Store, Dir: r.Dir}
	if err := other.Sweep(time.Now()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{mine: true, fresh: true, filepath.Dir(dead): false, ancient: false} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: there %v, want %v", path, err == nil, want)
		}
	}
}

// Each command holds a token, so that no more run at once than there are, and the tools see the rest.
func TestCommandsHoldATokenOfTheJobserver(t *testing.T) {
	r := newRunner(t)
	jobs, err := process.NewJobserver(2)
	if err != nil {
		t.Fatal(err)
	}
	defer jobs.Close()
	r.Jobs = jobs
	dir := t.TempDir()
	script := "mkdir " + dir + "/$$; ls " + dir + " | wc -l >out/f; echo $MAKEFLAGS >>out/f; sleep 0.1; rmdir " + dir + "/$$"
	var all sync.WaitGroup
	for range 5 {
		all.Add(1)
		go func() {
			defer all.Done()
			got := mustRun(t, r, Spec{Action: shell(script, inputs(t, r, nil))})
			n, flags, _ := strings.Cut(got, "\n")
			if count, _ := strconv.Atoi(strings.TrimSpace(n)); count < 1 || count > 2 {
				t.Errorf("%s at once with 2 tokens", n)
			}
			if !strings.Contains(flags, "--jobserver-auth=4,5") {
				t.Errorf("MAKEFLAGS %q", flags)
			}
		}()
	}
	all.Wait()
}

// A cargo keeps its jobs for as long as it has work for them. What is over in a moment does not wait for that.
func TestLightCommandsTakeNoToken(t *testing.T) {
	r := newRunner(t)
	jobs, err := process.NewJobserver(1)
	if err != nil {
		t.Fatal(err)
	}
	defer jobs.Close()
	r.Jobs = jobs
	if err := jobs.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer jobs.Release()
	if got := mustRun(t, r, Spec{Action: shell("echo done >out/f", inputs(t, r, nil)), Light: true}); got != "done\n" {
		t.Errorf("got %q", got)
	}
}

package e2e

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/test/wants"
)

func TestSecondBuildRunsNothing(t *testing.T) {
	w := setUp(t)
	if out := w.mustRun(t, "recipe:build", "demo"); !strings.Contains(out, "no compiler ran") {
		t.Errorf("it does not say that nothing ran:\n%s", out)
	}
	if out := w.mustRun(t, "plan", "-recipe=demo"); !strings.Contains(out, "nothing would run") {
		t.Errorf("plan:\n%s", out)
	}
	// Touching a file is no change.
	now := time.Now()
	check(t, os.Chtimes(filepath.Join(w.checkout, "recipes/demo/hello/src/main.rs"), now, now))
	if out := w.mustRun(t, "recipe:build", "demo"); !strings.Contains(out, "no compiler ran") {
		t.Errorf("touched:\n%s", out)
	}
}

// A changed comment is compiled and goes no further: early cut-off. A mistake is shown with its place.
func TestOneChangedLine(t *testing.T) {
	w := setUp(t)
	file := filepath.Join(w.checkout, "recipes/demo/hello/src/main.rs")
	before, err := os.ReadFile(file)
	check(t, err)
	edit := func(text string) {
		t.Helper()
		check(t, os.WriteFile(file, append([]byte(text), before...), 0o644))
	}
	defer func() { check(t, os.WriteFile(file, before, 0o644)) }()
	edit("// a comment\n")
	if out := w.mustRun(t, "why", "demo/programs"); !strings.Contains(out, "file src/hello/src/main.rs") {
		t.Errorf("why does not name the file:\n%s", out)
	}
	out := w.mustRun(t, "-v", "recipe:build", "demo") // with a line for each step that ran
	if !strings.Contains(out, "demo/programs: done") {
		t.Errorf("the program's step did not run:\n%s", out)
	}
	reached := regexp.MustCompile(`(std/\S+|demo/programs/link/\S+|demo/strip/\S+|demo/bootstrap|demo/bootstrap-lib|demo/kernel-lib|demo-sysroot/libc|demo-sysroot/crt/demo-crt0|demo/initfs): done`)
	if all := reached.FindAllString(out, -1); len(all) > 0 {
		t.Errorf("a comment reached %q:\n%s", all, out)
	}
	edit("this is no Rust\n")
	out, err = w.run(t, "recipe:build", "demo")
	if err == nil {
		t.Fatal("nonsense was built")
	}
	for _, want := range []string{"demo/programs failed", "hello/src/main.rs:1", "repeat: sh ", "log: "} {
		if !strings.Contains(out, want) {
			t.Errorf("the failure does not have %q:\n%s", want, out)
		}
	}
	check(t, os.WriteFile(file, before, 0o644))
	w.mustAgree(t)
}

func TestKilledAtRandomPoints(t *testing.T) {
	w := setUp(t)
	// What a kill between creating an entry's file and writing it leaves; whether one of the kills below hits
	// that moment is luck.
	half := filepath.Join(w.cache, "actions", "00")
	check(t, os.MkdirAll(half, 0o755))
	check(t, os.WriteFile(filepath.Join(half, ".half"), nil, 0o600))
	kills := envNumber(t, wants.Kills.Name, 50)
	kinds := []struct {
		forget func(*testing.T)
		takes  time.Duration // as the last build that was not killed in time
	}{
		{w.forgetAll, w.timed(t, w.forgetAll)},
		{w.forget, w.timed(t, w.forget)}, {w.forget, 0}, {w.forget, 0},
	}
	kinds[2].takes, kinds[3].takes = kinds[1].takes, kinds[1].takes
	t.Logf("a build takes %v, with cargo's state %v", kinds[0].takes, kinds[1].takes)
	interrupted, started := 0, 0
	for ; interrupted < kills && started < 4*kills; started++ {
		kind := &kinds[started%len(kinds)]
		kind.forget(t)
		if took, killed := w.killAfter(t, time.Duration(rand.Int64N(int64(kind.takes)))); killed {
			interrupted++
		} else {
			kind.takes = took // the machine has less to do than it had
		}
		w.mustAgree(t)
	}
	t.Logf("%d of %d builds were killed before they ended", interrupted, started)
	if interrupted < kills {
		t.Errorf("only %d builds could be killed, want %d", interrupted, kills)
	}
	// What the killed builds left half-made is gone.
	left, err := filepath.Glob(filepath.Join(w.cache, "work", "run-*"))
	check(t, err)
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// timed is how long a build takes after forget.
func (w *world) timed(t *testing.T, forget func(*testing.T)) time.Duration {
	t.Helper()
	forget(t)
	start := time.Now()
	w.mustRun(t, "recipe:build", "demo")
	return time.Since(start)
}

// killAfter starts a build and kills it, and only it: its children are on their own then. killed is false
// when the build was done before, which took so long.
func (w *world) killAfter(t *testing.T, d time.Duration) (took time.Duration, killed bool) {
	t.Helper()
	cmd, _ := w.command(t.Context(), "recipe:build", "demo")
	check(t, cmd.Start())
	start := time.Now()
	kill := time.AfterFunc(d, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Wait()
	return time.Since(start), err != nil
}

func TestInterruptedBuildEndsItsChildren(t *testing.T) {
	w := setUp(t)
	w.forgetAll(t)
	cmd, out := w.command(t.Context(), "recipe:build", "demo")
	check(t, cmd.Start())
	waitFor(t, "cargo to start", func() bool { return len(processesOf(t, w.cache+"/work")) > 0 })
	check(t, cmd.Process.Signal(syscall.SIGINT))
	start := time.Now()
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("it ended with %v", err)
	}
	if d := time.Since(start); d > 6*time.Second {
		t.Errorf("it took %v to end", d)
	}
	if !strings.Contains(out.String(), "the next run goes on from there") {
		t.Errorf("it does not say how to go on:\n%s", out)
	}
	if left := processesOf(t, w.cache+"/work"); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
	w.mustAgree(t)
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for ", what)
		}
	}
}

func TestTwoRunsAtOnce(t *testing.T) {
	w := setUp(t)
	w.forgetAll(t)
	first, out1 := w.command(t.Context(), "recipe:build", "demo")
	second, out2 := w.command(t.Context(), "recipe:build", "demo")
	check(t, first.Start())
	waitFor(t, "cargo to start", func() bool { return len(processesOf(t, w.cache+"/work")) > 0 })
	check(t, second.Start())
	err1, err2 := first.Wait(), second.Wait()
	if err1 != nil || err2 != nil {
		t.Fatalf("first: %v\n%s\nsecond: %v\n%s", err1, out1, err2, out2)
	}
	if !strings.Contains(out2.String(), "works in this checkout; waiting for it to end") {
		t.Errorf("the second does not say that it waits:\n%s", out2)
	}
	if !strings.Contains(out2.String(), "no compiler ran") {
		t.Errorf("the second did the work again:\n%s", out2)
	}
	w.mustAgree(t)
}

// Every blob of the demo's results is flipped in turn, first as a program would do it and then, as a disk
// would, without a trace in the inode.
func TestFlippedByteIsFoundAndRebuilt(t *testing.T) {
	w := setUp(t)
	blobs, err := filepath.Glob(filepath.Join(w.cache, "cas", "sha256", "*", "*"))
	check(t, err)
	for _, hide := range []bool{false, true} {
		for range 5 {
			path := blobs[rand.IntN(len(blobs))]
			flip(t, path, hide)
			out, err := w.run(t, "cache:verify")
			if err == nil || !strings.Contains(out, "dropped") {
				t.Fatalf("a flipped byte in %s was not found: %v\n%s", path, err, out)
			}
			w.forget(t)
			w.mustAgree(t)
		}
	}
	// Without being asked to verify: the image itself, with a trace, and gone from out/.
	image := filepath.Join(w.cache, "cas", "sha256", w.digest[:2], w.digest)
	flip(t, image, false)
	check(t, os.Remove(filepath.Join(w.checkout, "out", target, "initfs.img")))
	w.mustAgree(t)
	// All of the demo's blobs are gone, its results are not.
	check(t, os.Remove(image))
	w.mustAgree(t)
}

func flip(t *testing.T, path string, hide bool) {
	t.Helper()
	info, err := os.Stat(path)
	check(t, err)
	b, err := os.ReadFile(path)
	check(t, err)
	if len(b) == 0 {
		b = []byte{0}
	}
	b[rand.IntN(len(b))] ^= 1 << rand.IntN(8)
	check(t, os.Chmod(path, 0o644))
	check(t, os.WriteFile(path, b, 0o644))
	if hide {
		check(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
	}
}

func TestCollectionKeepsWhatIsInUse(t *testing.T) {
	w := setUp(t)
	w.mustAgree(t)
	out := w.mustRun(t, "cache:gc", "-maxSize=0.001", "-maxAge=1")
	t.Log(out)
	if out := w.mustRun(t, "recipe:build", "demo"); !strings.Contains(out, "no compiler ran") {
		t.Errorf("the collection took what the last build consists of:\n%s", out)
	}
	w.mustAgree(t)
}

// libm has a crate of the registry, which the second build, ten years later, must still find.
func TestReproducible(t *testing.T) {
	w := setUp(t)
	recipes := []string{"libm"}
	if wants.Repro.Given() == "1" {
		recipes = append(recipes, "demo")
	}
	for _, recipe := range recipes {
		if out := w.mustRun(t, "repro", "-recipe="+recipe); !strings.Contains(out, "same bytes") {
			t.Errorf("repro of %s says:\n%s", recipe, out)
		}
	}
}

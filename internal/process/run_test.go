package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestExitStatusAndOutput(t *testing.T) {
	var out bytes.Buffer
	err := Exec(t.Context(), Process{Args: []string{"/bin/sh", "-c", "echo $A; echo err >&2; exit 3"}, Env: []string{"A=given"}, Output: &out})
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Code != 3 {
		t.Errorf("got %v", err)
	}
	if out.String() != "given\nerr\n" {
		t.Errorf("output %q", out.String())
	}
}

func TestNothingIsInherited(t *testing.T) {
	t.Setenv("LEAK", "yes")
	b, err := Output(t.Context(), nil, "/usr/bin/env")
	if err != nil || strings.Contains(string(b), "LEAK") {
		t.Errorf("%s %v", b, err)
	}
}

func TestCancelEndsGrandchildren(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Exec(ctx, Process{Args: []string{"/bin/sh", "-c", "trap '' TERM; sleep 100 & echo $! >" + pidFile + ".new; mv " + pidFile + ".new " + pidFile + "; wait"}, Env: []string{"PATH=/bin:/usr/bin"}})
	}()
	pid := waitForPid(t, pidFile)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for alive(pid) {
		if time.Now().After(deadline) {
			t.Fatal("the grandchild is still running")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// alive also says no for a zombie that nobody has collected yet.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(b), ") Z ")
}

func waitForPid(t *testing.T, file string) int {
	t.Helper()
	for range 500 {
		if b, err := os.ReadFile(file); err == nil {
			pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the program did not start")
	return 0
}

func TestQuoteIsReadBackByTheShell(t *testing.T) {
	args := []string{"plain", "two words", "it's", "$HOME", "", "a;b"}
	out, err := exec.Command("/bin/sh", "-c", `printf '%s\n' `+Quote(args)).Output()
	if err != nil || string(out) != strings.Join(args, "\n")+"\n" {
		t.Errorf("%q %v", out, err)
	}
	got := Quote([]string{"/usr/bin/q", "-drive", "file=a b.img", "", "it's", "x,y=z:1"})
	if want := `/usr/bin/q -drive 'file=a b.img' '' 'it'\''s' x,y=z:1`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestJobserverBoundsItsClients(t *testing.T) {
	j, err := NewJobserver(1)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := j.Acquire(ctx); err == nil {
		t.Fatal("two tokens came out of one")
	}
	j.Release()
	if err := j.Acquire(t.Context()); err != nil {
		t.Errorf("the released token did not come back: %v", err)
	}
}

func TestTokensOfAKilledClientComeBack(t *testing.T) {
	j, err := NewJobserver(2)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	thief := Process{Args: []string{"/bin/sh", "-c", "head -c 1 <&3 >/dev/null; kill -9 $$"}, Files: j.Files(), Env: []string{"PATH=/bin:/usr/bin"}}
	if err := Exec(t.Context(), thief); err == nil {
		t.Fatal("the thief was not killed")
	}
	j.Release()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for range 2 {
		if err := j.Acquire(ctx); err != nil {
			t.Fatalf("a token is lost: %v", err)
		}
	}
}

func TestWhatIsLeftBehindIsEnded(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	err := Exec(t.Context(), Process{Args: []string{"/bin/sh", "-c", "sleep 100 & echo $! >" + pidFile}, Env: []string{"PATH=/bin:/usr/bin"}, Output: &bytes.Buffer{}})
	if err != nil {
		t.Errorf("a success was reported as %v", err)
	}
	pid := waitForPid(t, pidFile)
	deadline := time.Now().Add(5 * time.Second)
	for alive(pid) {
		if time.Now().After(deadline) {
			t.Fatal("it still runs")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestProgramBelievesToBeAnotherUser(t *testing.T) {
	var out bytes.Buffer
	p := Process{Args: []string{"/bin/sh", "-c", "id -u; id -g; cat " + filepath.Join(t.TempDir(), "mine")}, Env: []string{"PATH=/usr/bin:/bin"}, Output: &out, User: &User{UID: 4711, GID: 4712}}
	file := strings.TrimPrefix(p.Args[2], "id -u; id -g; cat ")
	if err := os.WriteFile(file, []byte("readable\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := Exec(t.Context(), p)
	// An emulator of programs passes no namespaces on: EINVAL.
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) || runtime.GOOS != "linux" {
		t.Skip("no user namespaces here: ", err)
	}
	if err != nil || out.String() != "4711\n4712\nreadable\n" {
		t.Errorf("%v: %q", err, out.String())
	}
}

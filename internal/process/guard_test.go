package process

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// When this variable is set the test program is a build that waits to be killed.
const guardedFolder = "REDOX_TEST_GUARDED"

func TestGuardedHelper(t *testing.T) {
	dir := os.Getenv(guardedFolder)
	if dir == "" {
		t.Skip("run by TestGuardedEndsGrandchildren")
	}
	p, done, err := Guarded(Process{Args: []string{"/bin/sh", "-c", "sleep 60 & echo $! >pid.tmp; mv pid.tmp pid; wait"}, Dir: dir, Env: []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	_ = Exec(t.Context(), p)
}

func TestGuardedEndsGrandchildren(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestGuardedHelper$")
	cmd.Env = append(os.Environ(), guardedFolder+"="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	grandchild := waitForPid(t, filepath.Join(dir, "pid"))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if !alive(grandchild) {
			return
		}
		if time.Now().After(end) {
			_ = syscall.Kill(grandchild, syscall.SIGKILL)
			t.Fatal("what the program started is still running")
		}
	}
}

// The guard must not keep a program's end from being noticed, nor its status.
func TestGuardedEndsWithTheProgram(t *testing.T) {
	for script, want := range map[string]int{"echo out; exit 0": 0, "echo out; exit 3": 3} {
		var out bytes.Buffer
		p, done, err := Guarded(Process{Args: []string{"/bin/sh", "-c", script}, Output: &out})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err = Exec(context.Background(), p)
		done()
		var exit *ExitError
		code := 0
		if errors.As(err, &exit) {
			code = exit.Code
		}
		if code != want || out.String() != "out\n" || time.Since(start) > grace {
			t.Errorf("%s: %v, %q, after %s", script, err, out.String(), time.Since(start))
		}
	}
}

// A lock that the program inherits is free when the program has ended: the guard has it too, and is ended a moment later.
func TestGuardedLeavesNothingOpen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	for range 200 {
		locked, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Flock(int(locked.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Fatalf("it is locked still: %v", err)
		}
		p, done, err := Guarded(Process{Args: []string{"/bin/true"}, Files: []*os.File{locked}})
		if err != nil {
			t.Fatal(err)
		}
		err = Exec(t.Context(), p)
		done()
		if err := errors.Join(err, locked.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGuardedThatDoesNotStartIsOver(t *testing.T) {
	p, done, err := Guarded(Process{Args: []string{"/bin/true"}, Dir: filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	if err := Exec(t.Context(), p); err == nil {
		t.Error("it started in a folder that is not there")
	}
	done()
}

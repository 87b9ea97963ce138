package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// When this variable is set the test program stands in for the tool, and a shell for the compiled targets.
const standIn = "REDOX_TEST_TOOL"

// counter counts interrupts for two seconds, ends with their number, and says when it starts and what it gets.
const counter = `n=0; trap 'n=$((n+1))' INT; echo ready; i=0; while [ $i -lt 20 ]; do sleep 0.1; i=$((i+1)); done; exit $n`

func TestMain(m *testing.M) {
	if script := os.Getenv(standIn); script != "" {
		os.Exit(runChild([]string{"/bin/sh", "-c", script}))
	}
	os.Exit(m.Run())
}

// start runs the stand-in in a group of its own, as a terminal's job, up to its first line.
func start(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), standIn+"="+script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
		t.Fatalf("it says %q, %v", line, err)
	}
	return cmd
}

func wantStatus(t *testing.T, cmd *exec.Cmd, want int) {
	t.Helper()
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Errorf("status %d, want %d", got, want)
	}
}

// kill sends a signal; a negative number is a group.
func kill(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

func TestCtrlCOnATerminalIsOneInterrupt(t *testing.T) {
	cmd := start(t, counter)
	kill(t, -cmd.Process.Pid, syscall.SIGINT) // the terminal's, to all
	time.Sleep(100 * time.Millisecond)        // at once they could be one to the kernel
	kill(t, cmd.Process.Pid, syscall.SIGINT)  // go tool's, to its child
	wantStatus(t, cmd, 1)
}

func TestInterruptOfOneProcessIsHandedOn(t *testing.T) {
	cmd := start(t, counter)
	kill(t, cmd.Process.Pid, syscall.SIGINT)
	wantStatus(t, cmd, 1)
}

func TestOtherSignalsAndStatus(t *testing.T) {
	cmd := start(t, "echo ready; exec sleep 60")
	kill(t, cmd.Process.Pid, syscall.SIGTERM)
	wantStatus(t, cmd, 128+int(syscall.SIGTERM))
	wantStatus(t, start(t, "echo ready; exit 7"), 7)
}

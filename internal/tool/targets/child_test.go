//go:build unix

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

// counter counts interrupts for two seconds, ends well if there was one, and says when it starts.
const counter = `n=0; trap 'n=$((n+1))' INT; echo ready; i=0; while [ $i -lt 20 ]; do sleep 0.1; i=$((i+1)); done; [ $n = 1 ]`

func TestMain(m *testing.M) {
	if os.Getenv(asTool) != "" {
		os.Exit(run(os.Args[1:]))
	}
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
	wantStatus(t, cmd, 0)
}

func TestInterruptOfOneProcessIsHandedOn(t *testing.T) {
	cmd := start(t, counter)
	kill(t, cmd.Process.Pid, syscall.SIGINT)
	wantStatus(t, cmd, 0)
}

// stopping ends as Mage's binary does when it is interrupted: after a while, with 1.
const stopping = `trap 'sleep 0.3; exit 1' INT; echo ready; while :; do sleep 0.1; done`

func TestStatusOfAStoppedRunNamesTheSignal(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		for _, script := range []string{stopping, "echo ready; exec sleep 60"} {
			cmd := start(t, script)
			kill(t, cmd.Process.Pid, s)
			wantStatus(t, cmd, 128+int(s))
		}
	}
	cmd := start(t, stopping)
	kill(t, -cmd.Process.Pid, syscall.SIGINT) // the terminal's
	wantStatus(t, cmd, 130)
}

func TestStatusOfARunIsItsOwnOtherwise(t *testing.T) {
	wantStatus(t, start(t, "echo ready; exit 7"), 7)
	// What had done its work when the signal came is done.
	cmd := start(t, "trap 'exit 0' INT; echo ready; while :; do sleep 0.1; done")
	kill(t, cmd.Process.Pid, syscall.SIGINT)
	wantStatus(t, cmd, 0)
}

// Mage knows only interrupts, and a target that is killed by another signal leaves running what its tools have started.
func TestEndingsReachTheTargetAsInterrupts(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		cmd := start(t, "trap 'exit 9' INT; trap 'exit 8' TERM HUP; echo ready; while :; do sleep 0.1; done; ")
		kill(t, cmd.Process.Pid, s)
		wantStatus(t, cmd, 128+int(s))
	}
	sent := make(chan os.Signal, 4)
	signals, ended := make(chan os.Signal, 4), make(chan struct{})
	signals <- syscall.SIGTERM
	last := make(chan os.Signal)
	go func() { last <- forward(signals, ended, time.Minute, func(s os.Signal) { sent <- s }) }()
	select {
	case got := <-sent:
		if got != os.Interrupt {
			t.Errorf("sent %v", got)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("only interrupts wait for a second one")
	}
	close(ended)
	if got := <-last; got != syscall.SIGTERM {
		t.Errorf("ended by %v", got)
	}
}

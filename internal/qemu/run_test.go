package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain turns the test binary into a fake QEMU when its environment asks for
// it: the serial line is standard input and output, as with the real one.
func TestMain(m *testing.M) {
	if mode := os.Getenv("FAKE_QEMU"); mode != "" {
		os.Exit(fake(mode))
	}
	os.Exit(m.Run())
}

func fake(mode string) int {
	boot := "\x1b[2J\x1b[1;32mboot\x1b[0m\r\nbootstrap: hello\r\n"
	switch mode {
	case "success":
		fmt.Print(boot, "canary f128 = 1\r\n", "canary sym = 2\r\ninit: all done\r\n")
	case "panic":
		fmt.Print(boot, "thread 'main' panicked at 'x'\r\ninit: all done\r\n")
		time.Sleep(100 * time.Millisecond)
		fmt.Print("stack backtrace\r\nKERNEL PANIC")
		time.Sleep(time.Minute)
	case "wrong canary and more":
		fmt.Print(boot, "canary f128 = 7\r\n")
		for range 600 {
			fmt.Print("canary f128 = 1\r\n")
			time.Sleep(20 * time.Millisecond)
		}
	case "unfinished panic":
		fmt.Print(boot, "KERNEL PANIC")
		time.Sleep(time.Minute)
	case "died", "died and goes on", "died and passes":
		fmt.Print(boot, strings.Repeat("a driver is up\r\n", 30), "X0: 00\r\nX1: 00\r\nEXCEPTION in driver\r\nEXCEPTION in init\r\n")
		time.Sleep(100 * time.Millisecond)
		fmt.Print("it could not go on\r\n")
		for range 600 {
			if mode == "died and passes" {
				fmt.Print("canary f128 = 1\r\ncanary sym = 2\r\ninit: all done\r\n")
				time.Sleep(2500 * time.Millisecond) // longer than the grace: it flushes a disk
				return 0
			}
			if mode == "died and goes on" {
				fmt.Print(".\r\n")
			}
			time.Sleep(20 * time.Millisecond)
		}
	case "silence":
		fmt.Print(boot)
		time.Sleep(time.Minute)
	case "chatter":
		fmt.Print(boot)
		for range 600 {
			fmt.Print(".\r\n")
			time.Sleep(20 * time.Millisecond)
		}
	case "one endless line":
		for range 600 {
			fmt.Print(strings.Repeat(".", 5000))
			time.Sleep(10 * time.Millisecond)
		}
	case "wrong canary":
		fmt.Print(boot, "canary f128 = 7\r\ncanary sym = 2\r\ninit: all done\r\n")
		time.Sleep(time.Minute)
	case "short":
		fmt.Print(boot, "canary f128 = 1\r\ncanary sym = 2\r\n")
	case "reordered":
		fmt.Print("canary sym = 2\ncanary f128 = 1\n", boot, "init: all done\n")
	case "broken":
		fmt.Fprintln(os.Stderr, "qemu-system-aarch64: -M: unsupported machine type")
		return 1
	case "no power off":
		fmt.Print(boot, "canary f128 = 1\r\ncanary sym = 2\r\ninit: all done\r\n")
		time.Sleep(time.Minute)
	case "login":
		fmt.Print("redox login: ")
		var name string
		if _, err := fmt.Scanln(&name); err != nil {
			return 1
		}
		fmt.Printf("%s\r\nwelcome %s\r\n", name, name)
	case "family":
		child := exec.Command(os.Args[0])
		child.Env, child.Stdout, child.Stderr = []string{"FAKE_QEMU=sleep"}, os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			return 1
		}
		fmt.Printf("child %d\n", child.Process.Pid)
		time.Sleep(time.Minute)
	case "orphan":
		child := exec.Command(os.Args[0])
		child.Env, child.Stdout, child.Stderr = []string{"FAKE_QEMU=sleep"}, os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			return 1
		}
		fmt.Printf("child %d\ninit: all done\n", child.Process.Pid)
	case "sleep":
		time.Sleep(time.Minute)
	case "environment":
		fmt.Println(strings.Join(os.Environ(), " "))
	}
	return 0
}

func re(s string) *regexp.Regexp { return regexp.MustCompile(s) }

func bootScript() Script {
	return Script{
		Steps: []Step{
			{Pattern: re(`^boot$`)},
			{Pattern: re(`^bootstrap: hello$`)},
			{Name: "canary f128", Pattern: re(`^canary f128 = 1$`), Claim: re(`^canary f128 `)},
			{Name: "canary sym", Pattern: re(`^canary sym = 2$`), Claim: re(`^canary sym `)},
			{Name: "the end", Pattern: re(`^init: all done$`)},
		},
		Forbidden: []*regexp.Regexp{re(`panicked|PANIC`), re(`\bFAIL\b`)},
		LastWords: []LastWords{{
			Pattern: re(`^EXCEPTION in (\w+)$`), Meaning: "a program is gone", Final: func(found []string) bool { return found[1] == "init" },
		}},
		Dumps:    []*regexp.Regexp{re(`^X\d+: `)},
		PowerOff: true,
	}
}

func fakeMachine() Machine {
	m := VirtAArch64(os.Args[0])
	m.Binary, _ = os.Executable()
	return m
}

func options(t *testing.T, mode string) Options {
	return Options{
		Limits: Limits{Silence: 5 * time.Second, Total: 10 * time.Second},
		Log:    filepath.Join(t.TempDir(), "serial.log"),
		Env:    []string{"FAKE_QEMU=" + mode},
	}
}

func TestRun(t *testing.T) {
	short := Limits{Silence: 300 * time.Millisecond, Total: 10 * time.Second}
	gracious := Limits{Silence: time.Minute, Total: time.Minute, Grace: 400 * time.Millisecond}
	tests := []struct {
		mode   string
		edit   func(*Script)
		limits Limits
		want   Outcome
		err    []string // parts of the message
	}{
		{mode: "success", want: Passed},
		{mode: "success", edit: func(s *Script) { s.PowerOff = false }, want: Passed},
		{mode: "success", edit: func(s *Script) { s.Unordered = true }, want: Passed},
		{mode: "panic", want: Forbidden, err: []string{"line 3 matches panicked|PANIC: thread 'main' panicked at 'x'", "not seen: canary f128; canary sym; the end",
			"the lines around it:\n  boot\n  bootstrap: hello\n  thread 'main' panicked at 'x'\n  init: all done\n  stack backtrace\n  KERNEL PANIC\nlog: "}},
		{mode: "unfinished panic", limits: short, want: Forbidden, err: []string{"KERNEL PANIC"}},
		// By the default grace: without it the run would last ten times as long.
		{mode: "died", limits: Limits{Silence: time.Minute, Total: time.Minute}, want: Died, err: []string{
			"a program is gone, line 36: EXCEPTION in init\nnot seen: canary f128; canary sym; the end",
			"the lines around it:\n" + strings.Repeat("  a driver is up\n", 9) + "  (2 lines of registers and stack)\n  EXCEPTION in driver\n  EXCEPTION in init\n  it could not go on\nlog: ",
		}},
		{mode: "died and goes on", limits: gracious, want: Died, err: []string{
			"  EXCEPTION in init\n  it could not go on\n" + strings.Repeat("  .\n", 7) + "log: ",
		}},
		{mode: "died and passes", limits: Limits{Silence: time.Minute, Total: time.Minute, Grace: 2 * time.Second}, want: Passed},
		{mode: "silence", limits: short, want: Silence, err: []string{"silence after", "not seen: canary f128", "last lines:\n  boot\n  bootstrap: hello", "log: "}},
		{mode: "chatter", limits: Limits{Silence: 5 * time.Second, Total: 500 * time.Millisecond}, want: TimeLimit, err: []string{"time limit after", "not seen"}},
		// A guest that goes on printing is not silent, however long that takes.
		{mode: "chatter", limits: Limits{Silence: 1500 * time.Millisecond, Total: 2500 * time.Millisecond}, want: TimeLimit},
		{mode: "one endless line", limits: Limits{Silence: 5 * time.Second, Total: 700 * time.Millisecond}, want: TimeLimit},
		{mode: "wrong canary", want: WrongAnswer, err: []string{`line 3 is not what "canary f128" wants: canary f128 = 7`}},
		{mode: "wrong canary and more", limits: gracious, want: WrongAnswer, err: []string{"line 3 is not", "not seen: canary f128;", "  canary f128 = 7\n" + strings.Repeat("  canary f128 = 1\n", 17) + "log: "}},
		{mode: "short", want: Ended, err: []string{"ended too early", "not seen: the end"}},
		{mode: "reordered", want: Ended, err: []string{"not seen: canary f128; canary sym"}},
		{mode: "reordered", edit: func(s *Script) { s.Unordered = true }, want: Passed},
		{mode: "broken", want: QEMUFailed, err: []string{"exit status 1", "qemu says: qemu-system-aarch64: -M: unsupported"}},
		{mode: "no power off", limits: short, want: Silence, err: []string{"everything was seen, but the guest did not power off"}},
		{mode: "no power off", edit: func(s *Script) { s.PowerOff = false }, want: Passed},
		{mode: "login", edit: func(s *Script) {
			s.Steps = []Step{{Pattern: re(`login: $`), Prompt: true, Send: "root\n"}, {Pattern: re(`^welcome root$`)}}
		}, want: Passed},
		{mode: "environment", edit: func(s *Script) { s.Steps = []Step{{Pattern: re(`^FAKE_QEMU=environment$`)}} }, want: Passed},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			script, opts := bootScript(), options(t, tt.mode)
			if tt.edit != nil {
				tt.edit(&script)
			}
			if tt.limits.Total != 0 {
				opts.Limits = tt.limits
			}
			var stream strings.Builder
			opts.Stream = &stream
			r, err := Run(context.Background(), fakeMachine(), script, opts)
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome != tt.want {
				t.Fatalf("outcome %q, want %q\n%+v", r.Outcome, tt.want, r)
			}
			msg := fmt.Sprint(r.Err())
			if (r.Err() == nil) != (tt.want == Passed) {
				t.Errorf("Err() = %v", r.Err())
			}
			for _, w := range tt.err {
				if !strings.Contains(msg, w) {
					t.Errorf("message lacks %q:\n%s", w, msg)
				}
			}
			if tt.want == Passed && (len(r.Steps) != len(script.Steps) || len(r.Missing()) > 0) {
				t.Errorf("passed with %+v", r.Steps)
			}
			if r.Elapsed > 8*time.Second || len(r.Last) > lastLines {
				t.Errorf("took %v, shows %d lines", r.Elapsed, len(r.Last))
			}
			log, err := os.ReadFile(opts.Log)
			if err != nil || string(log) != stream.String() {
				t.Errorf("log %q, stream %q, %v", log, stream.String(), err)
			}
			if tt.mode == "success" && script.PowerOff && (!strings.HasPrefix(string(log), "\x1b[2J") || !strings.HasSuffix(string(log), "done\r\n")) {
				t.Errorf("the log is not the raw output: %q", log)
			}
		})
	}
}

func TestStepsKnowWhenTheyWereSeen(t *testing.T) {
	m := newMatcher(bootScript(), nil)
	m.start = m.start.Add(-5 * time.Second)
	m.feed([]byte("boot\n"))
	if first, second := m.steps[0], m.steps[1]; first.Name != "^boot$" || !first.Seen || first.AtMillis < 5000 || second.Seen || second.AtMillis != 0 {
		t.Errorf("%+v", m.steps)
	}
}

// alive reports whether a process runs; a zombie does not.
func alive(t *testing.T, pid int) bool {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func gone(t *testing.T, pid int) {
	t.Helper()
	for range 100 {
		if !alive(t, pid) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("process %d is left", pid)
}

// childPid waits for the fake to print its child's number.
type childPid struct {
	text strings.Builder
	pid  chan int
}

func (c *childPid) Write(b []byte) (int, error) {
	c.text.Write(b)
	if _, rest, ok := strings.Cut(c.text.String(), "child "); ok && strings.Contains(rest, "\n") && c.pid != nil {
		line, _, _ := strings.Cut(rest, "\n")
		pid, _ := strconv.Atoi(strings.TrimSpace(line))
		c.pid <- pid
		c.pid = nil
	}
	return len(b), nil
}

func TestCancelLeavesNoChild(t *testing.T) {
	opts := options(t, "family")
	pids := make(chan int, 1)
	opts.Stream = &childPid{pid: pids}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	child := 0
	go func() {
		child = <-pids
		pids <- child
		cancel()
	}()
	r, err := Run(ctx, fakeMachine(), bootScript(), opts)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	if r == nil || r.Outcome != Cancelled || r.Elapsed > 8*time.Second {
		t.Errorf("result %+v", r)
	}
	gone(t, <-pids)
}

func TestOrphansAreKilled(t *testing.T) {
	opts := options(t, "orphan")
	pids := make(chan int, 1)
	opts.Stream = &childPid{pid: pids}
	r, err := Run(context.Background(), fakeMachine(), Script{Steps: []Step{{Pattern: re("all done")}}, PowerOff: true}, opts)
	if err != nil || r.Outcome != Passed {
		t.Fatalf("%v %+v", err, r)
	}
	gone(t, <-pids)
}

func TestRunRefuses(t *testing.T) {
	missing := fakeMachine()
	missing.Binary = filepath.Join(t.TempDir(), "qemu-system-aarch64")
	_, err := Run(context.Background(), missing, bootScript(), options(t, "success"))
	var absent *NotInstalledError
	if !errors.As(err, &absent) || absent.Package.Debian != "qemu-system-arm" {
		t.Errorf("error %v, want NotInstalledError", err)
	}
	opts := options(t, "success")
	opts.Limits.Silence = 0
	if _, err := Run(context.Background(), fakeMachine(), bootScript(), opts); err == nil {
		t.Error("ran without a silence limit")
	}
	if _, err := Run(context.Background(), fakeMachine(), Script{}, options(t, "success")); err == nil {
		t.Error("ran an empty script")
	}
	if _, err := Run(context.Background(), fakeMachine(), Script{Steps: []Step{{}}}, options(t, "success")); err == nil {
		t.Error("ran a step without a pattern")
	}
	opts = options(t, "success")
	if err := os.WriteFile(opts.Log, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	opts.Log = filepath.Join(opts.Log, "below a file")
	if _, err := Run(context.Background(), fakeMachine(), bootScript(), opts); err == nil {
		t.Error("ran without its log")
	}
	opts = options(t, "success")
	opts.Stream = brokenWriter{}
	if _, err := Run(context.Background(), fakeMachine(), bootScript(), opts); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("error %v, want the log's", err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// What QEMU says in an endless loop does not fill our memory.
func TestOnlyTheBeginningOfStderrIsKept(t *testing.T) {
	const most = 64 << 10
	l := &limited{}
	for _, part := range []int{1, most - 2, 5, most} {
		if n, err := l.Write(bytes.Repeat([]byte("x"), part)); n != part || err != nil {
			t.Error(n, err)
		}
	}
	if got := len(l.String()); got != most {
		t.Errorf("%d bytes", got)
	}
}

package host

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/test/wants"

	"golang.org/x/sys/unix"
)

// TestIonPrompts types 10,000 lines at a terminal and counts the shell's descriptors before and
// after: not one may be left behind by a prompt, be it a text or a function.
//
// wants.Ion is the shell that recipe:build ion-host stages.
func TestIonPrompts(t *testing.T) {
	shell := wants.Ion.On(t)
	for name, initrc := range map[string]string{
		"text":     "let PROMPT = \"ready> \"\n",
		"function": "fn PROMPT\n    echo -n \"ready> \"\nend\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := startShell(t, shell, initrc)
			s.count(t, 100)
			before := s.descriptors(t)
			s.count(t, 10_000)
			for range 20 {
				s.typed(t, "true | true | true\nno-such-command\n")
				time.Sleep(10 * time.Millisecond)
			}
			s.count(t, 1)
			if after := s.descriptors(t); after != before {
				t.Errorf("%d descriptors before 10,000 prompts, %d after", before, after)
			}
		})
	}
}

// TestIonTerminalFlags leaves the status flags of the terminal alone but for O_NONBLOCK.
func TestIonTerminalFlags(t *testing.T) {
	shell := wants.Ion.On(t)
	s := startShell(t, shell, "")
	set := func(flags int) {
		if _, err := unix.FcntlInt(s.terminal.Fd(), unix.F_SETFL, flags); err != nil {
			t.Fatal(err)
		}
	}
	set(unix.O_RDWR | unix.O_APPEND | unix.O_NONBLOCK)
	s.count(t, 2)
	flags, err := unix.FcntlInt(s.terminal.Fd(), unix.F_GETFL, 0)
	if err != nil {
		t.Fatal(err)
	}
	if flags&unix.O_NONBLOCK != 0 {
		t.Error("the terminal does not block")
	}
	if flags&unix.O_APPEND == 0 {
		t.Error("O_APPEND is gone")
	}
}

// terminalShell is a shell at a pseudo terminal.
type terminalShell struct {
	cmd      *exec.Cmd
	keyboard *os.File // the terminal's other side
	terminal *os.File // the open file that the shell has as its streams
	mu       sync.Mutex
	screen   bytes.Buffer
	// counted is how many lines the shell says it has executed, asked how often it was asked.
	counted, asked int
}

func startShell(t *testing.T, shell, initrc string) *terminalShell {
	t.Helper()
	home := t.TempDir()
	write(t, filepath.Join(home, ".config/ion/initrc"), "let n = 0\n"+initrc)
	keyboard, terminal := openTerminal(t)
	s := &terminalShell{keyboard: keyboard, terminal: terminal, cmd: exec.Command(shell)}
	s.cmd.Env = []string{"HOME=" + home, "PATH=/usr/bin:/bin", "TERM=xterm"}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = terminal, terminal, terminal
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		_ = terminal.Close()
		_ = keyboard.Close()
	})
	go s.watch()
	return s
}

func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skip(err)
	}
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	return keyboard, terminal
}

// watch takes what the shell writes, so that it never waits for the screen.
func (s *terminalShell) watch() {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.keyboard.Read(buf)
		s.mu.Lock()
		if s.screen.Len() > 128<<10 {
			s.screen.Next(s.screen.Len() - 16<<10)
		}
		s.screen.Write(buf[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// pace is what the shell gets for a line. What is typed while it changes the terminal's mode
// runs together with the next line, so the shell counts what it has executed.
const pace = 800 * time.Microsecond

// count types lines until the shell has executed n more of them, each at a prompt of its own.
func (s *terminalShell) count(t *testing.T, n int) {
	t.Helper()
	want := s.counted + n
	for deadline := time.Now().Add(2 * time.Minute); s.counted < want; {
		if time.Now().After(deadline) {
			s.mu.Lock()
			defer s.mu.Unlock()
			t.Fatalf("%d of %d lines were executed; the end of the screen:\n%q", s.counted, want, tail(s.screen.String(), 2000))
		}
		for range min(2000, want-s.counted) {
			s.typed(t, "let n += 1; true\n")
			time.Sleep(pace)
		}
		s.ask(t)
	}
}

// ask has the shell say how far it has counted.
func (s *terminalShell) ask(t *testing.T) {
	t.Helper()
	time.Sleep(100 * time.Millisecond)
	// What is typed is shown as well, so the answer must look otherwise.
	s.asked++
	s.typed(t, fmt.Sprintf("echo counted=$n/$((%d * 1))/\n", s.asked))
	answer := regexp.MustCompile(fmt.Sprintf(`counted=(\d+)/%d/`, s.asked))
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		found := answer.FindSubmatch(s.screen.Bytes())
		s.mu.Unlock()
		if found != nil {
			s.counted, _ = strconv.Atoi(string(found[1]))
			return
		}
	}
}

func (s *terminalShell) typed(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(s.keyboard, text); err != nil {
		t.Fatal(err)
	}
}

func tail(s string, n int) string {
	if len(s) > n {
		return s[len(s)-n:]
	}
	return s
}

func (s *terminalShell) descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

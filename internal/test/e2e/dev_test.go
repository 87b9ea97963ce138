package e2e

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// terminal is a target on a terminal of its own.
type terminal struct {
	cmd   *exec.Cmd
	keys  *os.File // what is typed
	side  *os.File // the target's end
	ended chan error

	mu   sync.Mutex
	said strings.Builder
	news chan struct{}
}

// onTerminal starts a target as a person does: the terminal is its own, and Ctrl-C is a signal.
func (w *world) onTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	t.Cleanup(cancel)
	cmd, _ := w.command(ctx, args...)
	keys, side, err := pty.Open()
	check(t, err)
	check(t, pty.Setsize(keys, &pty.Winsize{Rows: 40, Cols: 120}))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = side, side, side
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	x := &terminal{cmd: cmd, keys: keys, side: side, ended: make(chan error, 1), news: make(chan struct{}, 1)}
	check(t, cmd.Start())
	go x.listen()
	go func() { x.ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = keys.Close(); _ = side.Close() })
	return x
}

func (x *terminal) listen() {
	b := make([]byte, 4096)
	for {
		n, err := x.keys.Read(b)
		x.mu.Lock()
		x.said.Write(b[:n])
		x.mu.Unlock()
		select {
		case x.news <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

func (x *terminal) text() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.said.String()
}

// see waits for texts to appear one after the other, and forgets what was before.
func (x *terminal) see(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		limit := time.After(longest / 2)
		for !strings.Contains(x.text(), text) {
			select {
			case <-x.news:
			case err := <-x.ended:
				t.Fatalf("it ended (%v) without %q:\n%s", err, text, x.text())
			case <-limit:
				t.Fatalf("no %q in\n%s", text, x.text())
			}
		}
		x.mu.Lock()
		_, rest, _ := strings.Cut(x.said.String(), text)
		x.said.Reset()
		x.said.WriteString(rest)
		x.mu.Unlock()
	}
}

func (x *terminal) typed(t *testing.T, keys string) {
	t.Helper()
	_, err := io.WriteString(x.keys, keys)
	check(t, err)
}

// end waits for the end.
func (x *terminal) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-x.ended:
		return err
	case <-time.After(time.Minute):
		t.Fatalf("it does not end:\n%s", x.text())
		return nil
	}
}

// TestASavedFileBootsAgain: the loop builds and boots after each save, shows what does not compile and waits, and Ctrl-C leaves nothing.
func TestASavedFileBootsAgain(t *testing.T) {
	w := setUp(t)
	if _, err := exec.LookPath("qemu-system-aarch64"); err != nil {
		t.Skip("QEMU is not installed")
	}
	file := filepath.Join(w.checkout, "recipes", "demo", "hello", "src", "main.rs")
	text, err := os.ReadFile(file)
	check(t, err)
	t.Cleanup(func() { check(t, os.WriteFile(file, text, 0o644)) })
	save := func(with string) {
		check(t, os.WriteFile(file, []byte(strings.Replace(string(text), "from EL0", with, 1)), 0o644))
	}

	x := w.onTerminal(t, "dev", "demo")
	before, err := term.GetState(int(x.side.Fd()))
	check(t, err)
	x.see(t, "save a file in recipes/demo", "booting; built in", "hello: hello from EL0", "the guest has ended; waiting for a change")
	save("from here")
	x.see(t, "hello/src/main.rs changed", "booting, ", " s after the change; the build took ", "hello: hello from here", "the guest has ended")
	save(`from there" ; "`)
	x.see(t, "changed", "error: ", "recipes/demo/hello/src/main.rs", "failed; waiting for a change")
	save("from afar")
	x.see(t, "changed", "booting, ", "hello: hello from afar", "the guest has ended")
	x.typed(t, "\x03")
	err = x.end(t)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 130) {
		t.Errorf("ended with %v", err)
	}
	if after, err := term.GetState(int(x.side.Fd())); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("the terminal is another one: %v", err)
	}
	if left := processesOf(t, w.checkout+"/out"); len(left) > 0 {
		t.Errorf("left running: %q", left)
	}
	check(t, os.WriteFile(file, text, 0o644))
	w.mustAgree(t)
}

// TestCtrlCIsTheGuests: at a terminal all keys are the guest's but Ctrl-A, one line says so, and the terminal is afterwards as it was. The disk has no
// system, so that the guest is the firmware.
func TestCtrlCIsTheGuests(t *testing.T) {
	w := setUp(t)
	if _, err := exec.LookPath("qemu-system-aarch64"); err != nil {
		t.Skip("QEMU is not installed")
	}
	disk := filepath.Join(t.TempDir(), "empty.img")
	check(t, os.WriteFile(disk, make([]byte, 1<<20), 0o644))
	if out, err := w.run(t, "run", "-img="+disk, "-dryrun"); err != nil && strings.Contains(out, "firmware") {
		t.Skip(out)
	}
	x := w.onTerminal(t, "run", "-img="+disk, "-port=none", "-cpus=2", "-snapshot")
	before, err := term.GetState(int(x.side.Fd()))
	check(t, err)
	x.see(t, "Ctrl-C is the guest's, Ctrl-A X ends it", "2 processors", "UEFI")
	x.typed(t, "\x03\x03")
	x.typed(t, "\x01c")
	x.see(t, "(qemu)")
	x.typed(t, "info status\r")
	x.see(t, "VM status: running")
	x.typed(t, "\x01c\x01x")
	if err := x.end(t); err != nil {
		t.Errorf("ended with %v:\n%s", err, x.text())
	}
	if after, err := term.GetState(int(x.side.Fd())); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("the terminal is another one: %v", err)
	}
}

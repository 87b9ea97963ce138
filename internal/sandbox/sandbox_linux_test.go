package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/process"
)

// Words by which this test program is another: one that opens a socket, and a build that waits to be killed.
const (
	dialer  = "redox-clif-test-dial"
	builder = "redox-clif-test-build"
)

func TestMain(m *testing.M) {
	Main(os.Args)
	if len(os.Args) > 3 && os.Args[1] == dialer {
		c, err := net.DialTimeout(os.Args[2], os.Args[3], time.Second)
		if err != nil {
			fmt.Println("no:", err)
			os.Exit(1)
		}
		_ = c.Close()
		os.Exit(0)
	}
	if len(os.Args) > 4 && os.Args[1] == builder {
		b := New(Settings{Mode: Require, Look: look(os.Args[2]), Reenter: os.Args[2] == "namespaces"})
		fmt.Println(b.Run(context.Background(), sh(os.Args[3], os.Args[4]), Access{ReadWrite: []string{os.Args[3]}}, ""))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// look finds bwrap only for the way that wants it.
func look(way string) func(string) string {
	return func(program string) string {
		path, err := exec.LookPath(program)
		if err != nil || way == "namespaces" {
			return ""
		}
		return path
	}
}

var ways = []string{"bubblewrap", "namespaces"}

// each runs a test by every way that this host gives.
func each(t *testing.T, test func(t *testing.T, way string)) {
	for _, name := range ways {
		t.Run(name, func(t *testing.T) {
			s, err := New(Settings{Look: look(name), Reenter: name == "namespaces"}).Probe(t.Context())
			check(t, err)
			if s.Way != name {
				t.Skip("this host does not give it: ", s.Problem)
			}
			test(t, name)
		})
	}
}

func sandboxOf(way string, hidden ...string) *Sandbox {
	return New(Settings{Mode: Require, Look: look(way), Reenter: way == "namespaces", Hidden: hidden})
}

func sh(dir, script string) process.Process {
	return process.Process{Args: []string{"/bin/sh", "-c", script}, Dir: dir, Env: []string{"PATH=/usr/bin:/bin", "HOME=" + dir}}
}

// run returns what a script prints.
func run(t *testing.T, b *Sandbox, p process.Process, a Access) (string, error) {
	t.Helper()
	var out bytes.Buffer
	p.Output = &out
	temp, err := os.MkdirTemp(t.TempDir(), "temp")
	check(t, err)
	err = b.Run(t.Context(), p, a, temp)
	return out.String(), err
}

func TestAStepSeesWhatItDeclaresAndNothingElse(t *testing.T) {
	each(t, func(t *testing.T, way string) {
		root := tree(t, "step/in", "input\n", "declared/f", "declared\n", "other-step/out", "x", "checkout/recipe.toml", "x", "home/.netrc", "x", "link", "->declared")
		inTmp, err := os.MkdirTemp("/tmp", "redox-clif-test-")
		check(t, err)
		defer os.RemoveAll(inTmp)
		b, step := sandboxOf(way), filepath.Join(root, "step")
		a := Access{ReadWrite: []string{step}, ReadOnly: []string{filepath.Join(root, "declared"), filepath.Join(root, "link")}}
		for script, want := range map[string]string{
			"cat in ../declared/f ../link/f":               "input\ndeclared\ndeclared\n",
			"pwd; echo out >out; cat out":                  step + "\nout\n",
			"cc --version >/dev/null && echo a C compiler": "a C compiler\n",
			"ls ..": "declared\nlink\nstep\n",
			"echo private >/tmp/f && cat /tmp/f && ls /tmp | grep -c f":                    "private\n1\n",
			"cat " + inTmp + "/../f 2>&1 | wc -l; ls -d " + inTmp + " 2>/dev/null | wc -l": "1\n0\n",
			"ls /home /root /var /run /sys /etc/passwd /etc/hostname 2>/dev/null | wc -l":  "0\n",
			"echo x >/dev/null && head -c 1 /dev/zero | wc -c":                             "1\n",
			"ls /proc | grep -c '^[0-9]' | { read n; test $n -lt 10 && echo few; }":        "few\n",
			"ls /dev | grep -E '^(sd|vd|nvme|kvm|mem)' | wc -l":                            "0\n",
		} {
			if got, err := run(t, b, sh(step, script), a); err != nil || got != want {
				t.Errorf("%s: %q %v, want %q", script, got, err, want)
			}
		}
		for _, script := range []string{
			"cat ../other-step/out", "cat ../checkout/recipe.toml", "cat ../home/.netrc",
			"echo x >../declared/f", "echo x >../declared/new", "echo x >/new", "echo x >/usr/new", "mkdir /usr/lib/new",
			"rm ../declared/f", "mv ../declared ../gone", "chmod 777 ../declared/f && echo x >../declared/f",
			"mount -o remount,rw /usr && echo x >/usr/new", "umount /proc", "mknod d c 1 1 && cat d",
			"read x </proc/sys/kernel/core_pattern; echo $x >/proc/sys/kernel/core_pattern", "echo h >/proc/sysrq-trigger",
		} {
			if got, err := run(t, b, sh(step, script), a); err == nil {
				t.Errorf("%s: was let through: %q", script, got)
			}
		}
		if text, err := os.ReadFile(filepath.Join(root, "declared/f")); err != nil || string(text) != "declared\n" {
			t.Errorf("%q %v", text, err)
		}
		if _, err := os.Stat("/tmp/f"); err == nil {
			t.Error("what was written to /tmp is there outside")
		}
	})
}

func TestAStepReachesNoNetworkAndWhatFetchesDoes(t *testing.T) {
	self, err := os.Executable()
	check(t, err)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer tcp.Close()
	abstract, err := net.Listen("unix", fmt.Sprintf("@redox-clif-test-%d", os.Getpid()))
	check(t, err)
	defer abstract.Close()
	each(t, func(t *testing.T, way string) {
		dir := t.TempDir()
		for _, l := range []net.Listener{tcp, abstract} {
			dial := process.Process{Args: []string{self, dialer, l.Addr().Network(), l.Addr().String()}, Dir: dir}
			a := Access{ReadWrite: []string{dir}, ReadOnly: []string{self}}
			if got, err := run(t, sandboxOf(way), dial, a); err == nil || !strings.Contains(got, "no:") {
				t.Errorf("%s was reached: %q %v", l.Addr(), got, err)
			}
			a.Network = true
			if got, err := run(t, sandboxOf(way), dial, a); err != nil {
				t.Errorf("%s was not reached by what fetches: %q %v", l.Addr(), got, err)
			}
		}
	})
}

func TestStatusSignalAndDescriptorsAreTheProgramsOwn(t *testing.T) {
	each(t, func(t *testing.T, way string) {
		dir := t.TempDir()
		a := Access{ReadWrite: []string{dir}}
		for script, want := range map[string]process.ExitError{"exit 3": {Code: 3}, "kill -9 $$": {Code: -1, Signal: "killed"}, "kill -11 $$": {Code: -1, Signal: "segmentation fault"}} {
			_, err := run(t, sandboxOf(way), sh(dir, script), a)
			var exit *process.ExitError
			if !errors.As(err, &exit) || exit.Code != want.Code || exit.Signal != want.Signal || exit.Args[0] != "/bin/sh" {
				t.Errorf("%s: %v", script, err)
			}
		}
		r, w, err := os.Pipe()
		check(t, err)
		defer r.Close()
		p := sh(dir, "echo given >&4; cat <&3")
		in, err := os.Open(filepath.Join(tree(t, "f", "text\n"), "f"))
		check(t, err)
		defer in.Close()
		p.Files = []*os.File{in, w}
		got, err := run(t, sandboxOf(way), p, a)
		check(t, w.Close())
		said := make([]byte, 6)
		if _, readErr := r.Read(said); err != nil || readErr != nil || got != "text\n" || string(said) != "given\n" {
			t.Errorf("%q %q %v %v", got, said, err, readErr)
		}
	})
}

func TestAProgramOfASandboxBelievesToBeAnotherUser(t *testing.T) {
	each(t, func(t *testing.T, way string) {
		dir := t.TempDir()
		p := sh(dir, "id -u")
		p.User = &process.User{UID: 4711, GID: 4712}
		got, err := run(t, sandboxOf(way), p, Access{ReadWrite: []string{dir}})
		if errors.Is(err, syscall.EINVAL) {
			t.Skip("the emulator that runs this test passes no namespaces on: ", err)
		}
		if err != nil || got != "4711\n" {
			t.Errorf("%q %v", got, err)
		}
	})
}

func TestScriptRepeatsInTheSandbox(t *testing.T) {
	each(t, func(t *testing.T, way string) {
		dir := t.TempDir()
		b, a := sandboxOf(way), Access{ReadWrite: []string{dir}}
		args, err := b.Script(t.Context(), dir, []string{"/bin/sh", "-c", "pwd; ls /tmp | wc -l; cat /etc/passwd; exit 4"}, a)
		check(t, err)
		out, err := exec.Command("/bin/sh", "-c", process.Quote(args)).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 4 || !strings.HasPrefix(string(out), dir+"\n") || strings.Contains(string(out), "root:") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// A build script may start what outlives it: in a session of its own, with its outputs closed.
const leaves = `setsid sh -c 'exec sleep %d' </dev/null >/dev/null 2>&1 & sleep 0.2; `

// runs tells whether a sleep of so many seconds runs anywhere on this host.
func runs(seconds int) bool {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		if text, err := os.ReadFile(file); err == nil && string(text) == fmt.Sprintf("sleep\x00%d\x00", seconds) {
			return true
		}
	}
	return false
}

// ended waits until it does not.
func ended(t *testing.T, seconds int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); runs(seconds); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what the program left is still running")
		}
	}
}

// mark is a number of seconds that no other process sleeps.
func mark(way string) int {
	seconds := 100_000_000 + 10*os.Getpid()
	if way == "namespaces" {
		seconds++
	}
	return seconds
}

func TestWhatAStepLeavesRunningEndsWithIt(t *testing.T) {
	each(t, func(t *testing.T, way string) {
		dir, seconds := t.TempDir(), mark(way)
		got, err := run(t, sandboxOf(way), sh(dir, fmt.Sprintf(leaves, seconds)+"echo done"), Access{ReadWrite: []string{dir}})
		if err != nil || got != "done\n" {
			t.Errorf("%q %v", got, err)
		}
		ended(t, seconds)
	})
}

func TestNothingOutlivesABuildThatIsEnded(t *testing.T) {
	each(t, func(t *testing.T, way string) {
		for i, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			dir, seconds := t.TempDir(), mark(way)+2+2*i
			build := exec.Command(os.Args[0], builder, way, dir, fmt.Sprintf(leaves, seconds)+"echo >started; sleep 60")
			check(t, build.Start())
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
				if _, err := os.Stat(filepath.Join(dir, "started")); err == nil {
					break
				}
				if time.Now().After(end) {
					t.Fatal("it did not start")
				}
			}
			if !runs(seconds) {
				t.Fatal("the program left nothing")
			}
			check(t, build.Process.Signal(sig))
			_ = build.Wait()
			ended(t, seconds)
		}
	})
}

func TestCancelEndsTheSandbox(t *testing.T) {
	each(t, func(t *testing.T, way string) {
		dir := t.TempDir()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		err := sandboxOf(way).Run(ctx, sh(dir, "sleep 60"), Access{ReadWrite: []string{dir}}, t.TempDir())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// The first step of a build may be cancelled while the host is tried: those that follow are shut off all the same.
func TestACancelledStepSaysNothingOfTheHost(t *testing.T) {
	each(t, func(t *testing.T, way string) {
		b := sandboxOf(way)
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		dir := t.TempDir()
		if err := b.Run(cancelled, sh(dir, "exit 0"), Access{ReadWrite: []string{dir}}, t.TempDir()); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		check(t, b.Run(t.Context(), sh(dir, "exit 0"), Access{ReadWrite: []string{dir}}, t.TempDir()))
	})
}

func TestMissingSandboxIsSaidOnceOrIsAnError(t *testing.T) {
	dir := t.TempDir()
	nothing := func(string) string { return "" }
	var notices []string
	b := New(Settings{Mode: Auto, Look: nothing, Notice: func(line string) { notices = append(notices, line) }})
	for range 2 {
		if got, err := run(t, b, sh(dir, "echo runs"), Access{}); err != nil || got != "runs\n" {
			t.Errorf("%q %v", got, err)
		}
	}
	if len(notices) != 1 || !strings.Contains(notices[0], "without a sandbox") || !strings.Contains(notices[0], "mage doctor") {
		t.Errorf("%q", notices)
	}
	var missing *NoSandboxError
	if _, err := run(t, New(Settings{Mode: Require, Look: nothing}), sh(dir, "echo runs"), Access{}); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
	if got, err := run(t, New(Settings{Mode: Off, Look: nothing}), sh(dir, "echo runs"), Access{}); err != nil || got != "runs\n" {
		t.Errorf("%q %v", got, err)
	}
}

// What a process costs: against one that begins as it is.
func BenchmarkProcess(b *testing.B) {
	for _, way := range append([]string{"none"}, ways...) {
		b.Run(way, func(b *testing.B) {
			s := New(Settings{Mode: Require, Look: look(way), Reenter: way == "namespaces"})
			if way == "none" {
				s = New(Settings{Mode: Off})
			}
			dir, temp := b.TempDir(), b.TempDir()
			for b.Loop() {
				if err := s.Run(b.Context(), sh(dir, "exit 0"), Access{ReadWrite: []string{dir}}, temp); err != nil {
					b.Skip("this host does not give it: ", err)
				}
			}
		})
	}
}

// What fetches may write to the folders that are named, move files between them, and read and reach what its user does.
func TestWhatFetchesWritesOnlyWhereItMay(t *testing.T) {
	b := New(Settings{Reenter: true, Look: look("namespaces")})
	if !b.fences() {
		t.Skip("this kernel has no Landlock")
	}
	root := tree(t, "store/a/", "/", "home/", "/", "secret", "read", "link", "->secret", "out", "->.", "kept", "kept")
	server, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer server.Close()
	for _, c := range []struct {
		name, script string
		want         string // of its output, "" when it must fail
	}{
		{"its own folder", "echo x >store/f && mkdir store/d && ln -s f store/l && rm store/f && echo fine", "fine"},
		{"a folder that was not there", "echo x >new/f && echo fine", "fine"},
		{"from one folder to another", "echo x >store/g && mv store/g new/g && ln new/g store/h && echo fine", "fine"},
		{"reading", "cat secret", "read"},
		{"the network", os.Args[0] + " " + dialer + " tcp " + server.Addr().String() + " && echo fine", "fine"},
		{"no output", "echo x >/dev/null && echo fine", "fine"},
		{"temporary files", "mktemp >/dev/null && echo fine", "fine"},
		{"another folder", "echo x >home/f", ""},
		{"a new folder", "mkdir home/d", ""},
		{"a file that is there", "echo x >secret", ""},
		{"emptying one", ": >kept", ""},
		{"through a link in its folder", "ln -s ../secret store/away && echo x >store/away", ""},
		{"through a link that was there", "echo x >out/secret", ""},
		{"removing", "rm secret", ""},
		{"moving something in", "mv secret store/stolen", ""},
		{"linking something in", "ln secret store/stolen && echo x >store/stolen", ""},
		{"a child of a child", "sh -c 'sh -c \"echo x >home/f\"'", ""},
		{"the processes of others", "kill -CONT $PPID", ""},
		{"privileges", "grep -q 'NoNewPrivs:.*1' /proc/self/status && echo fine", "fine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := run(t, b, sh(root, c.script), Access{ReadWrite: []string{filepath.Join(root, "store"), filepath.Join(root, "new")}, Network: true})
			if c.want == "" && err == nil || c.want != "" && (err != nil || strings.TrimSpace(out) != c.want) {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
	for file, want := range map[string]string{"secret": "read", "kept": "kept"} {
		if got, err := os.ReadFile(filepath.Join(root, file)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", file, got, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(root, "home")); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// The fence changes nothing of what is known of a program's end.
func TestAFencedProgramEndsAsItDoes(t *testing.T) {
	b := New(Settings{Reenter: true, Look: look("namespaces")})
	for script, want := range map[string]string{"exit 129": "/bin/sh exited with status 129", "kill -KILL $$": "/bin/sh was ended by signal killed", "exit 0": ""} {
		_, err := run(t, b, sh(t.TempDir(), script), Access{Network: true})
		if got := fmt.Sprint(err); got != want && !(want == "" && err == nil) {
			t.Errorf("%s: %s", script, got)
		}
	}
	if got := New(Settings{Mode: Off, Reenter: true}).Fence("/x")([]string{"git"}); len(got) != 1 {
		t.Errorf("off: %q", got)
	}
}

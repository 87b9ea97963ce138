package debug

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/crash"
	"github.com/pannous/redox-clif/internal/debugger"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/smoke"
)

// GDBFlags say what is debugged and how.
type GDBFlags struct {
	Program  string // whose symbols are loaded beside the kernel's; "" for none
	Image    string // disk image; "" is the demo
	Commands string // a file of commands for the debugger, which ends then; "" is for a person
}

// GDB starts a guest that is halted before its first instruction, and a debugger on it with symbols. The guest ends with the debugger.
func GDB(ctx context.Context, s *session.Session, f GDBFlags) error {
	attach, err := attachment(s, f)
	if err != nil {
		return err
	}
	program, err := debugger.Find(attach.Arch, hostArch(), s.Look)
	if err != nil {
		return err
	}
	m, done, err := machine(s, f)
	if err != nil {
		return err
	}
	defer done()
	if attach.Port, err = freePort(); err != nil {
		return err
	}
	m.Extra = append(m.Extra, "-S", "-gdb", fmt.Sprintf("tcp:127.0.0.1:%d", attach.Port))
	if s.Config.DryRun {
		fmt.Fprintln(s.Streams.Out, process.Quote(append([]string{program}, attach.Args(program)...)))
		return nil
	}
	return debug(ctx, s, m, append([]string{program}, attach.Args(program)...))
}

func hostArch() string {
	return map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
}

// attachment finds the files with symbols.
func attachment(s *session.Session, f GDBFlags) (debugger.Attachment, error) {
	arch, _, _ := strings.Cut(s.Config.Target, "-")
	a := debugger.Attachment{Arch: arch, Commands: f.Commands}
	programs := guest.Programs(s)
	kernel := "boot/kernel"
	if f.Image == "" {
		kernel = crash.SmokeKernel
	}
	one, ok := programs.Named(kernel)
	if !ok && f.Image == "" {
		return a, errors.New("nothing to debug: build the demo with `mage demo`, or name a disk image: `mage gdb -img=FILE`")
	}
	var err error
	if ok {
		if a.Kernel, err = programs.WithSymbols(one); err != nil {
			return a, err
		}
	}
	if f.Program == "" {
		return a, nil
	}
	one, ok = programs.Named(f.Program)
	if !ok {
		return a, fmt.Errorf("no program %q was built here; there are %s", f.Program, names(programs))
	}
	file, err := programs.WithSymbols(one)
	a.Programs = []string{file}
	return a, err
}

func names(programs *crash.Programs) string {
	var all []string
	for _, p := range programs.All() {
		all = append(all, p.Name())
	}
	return strings.Join(all, ", ")
}

// machine is the guest's, and what is to be done when it has ended.
func machine(s *session.Session, f GDBFlags) (*qemu.Machine, func(), error) {
	if f.Image == "" {
		m, err := demo(s)
		return m, func() {}, err
	}
	m, err := guest.New(s, qemu.GuestOptions{Image: f.Image, Accel: "tcg"})
	if err != nil {
		return nil, nil, err
	}
	dir, done, err := s.Scratch("gdb", fmt.Sprint(os.Getpid()))
	if err != nil {
		return nil, nil, err
	}
	return m, done, m.UsePrivateVars(dir)
}

// demo is the machine of the demo as it lies in out/.
func demo(s *session.Session) (*qemu.Machine, error) {
	m, err := manifest.ReadIn(s.Config.Out())
	if err != nil || m.Image == nil || m.Recipe != "demo" {
		return nil, errors.Join(errors.New("the image in out/ is not the demo's: `mage demo` builds it, and `mage gdb -img=FILE` debugs a disk image"), err)
	}
	var nonce [8]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	// Who debugs takes longer than the watchdog of a test would allow.
	arguments := strings.Replace(smoke.Arguments(m, hex.EncodeToString(nonce[:])), "watchdog=30", "watchdog=86400", 1)
	return smoke.Machine(s.Look, "", filepath.Join(s.Config.Out(), smoke.KernelName), filepath.Join(s.Config.Out(), builder.ImageName), arguments)
}

// freePort is one of this host that nobody listened on just now.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// debug runs the guest beside the debugger.
func debug(ctx context.Context, s *session.Session, m *qemu.Machine, argv []string) (err error) {
	log := filepath.Join(s.Config.Logs(), "gdb.serial.log")
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return err
	}
	serial, err := os.Create(log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, serial.Close()) }()
	s.Say("the guest is halted; its serial line goes to %s, and it ends with the debugger", s.Relative(log))
	inner, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- qemu.Attach(inner, *m, qemu.Console{Out: serial, Err: s.Streams.Err, Apart: true}, s.ToolEnv())
	}()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, s.Streams.Binary(), s.Streams.Err
	err = process.Foreground(cmd)
	stop()
	if guestErr := <-ended; err == nil {
		err = guestErr
	}
	return err
}

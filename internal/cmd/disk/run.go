package disk

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/crash"
	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
)

// RunFlags say how a guest is started for a person.
type RunFlags struct {
	qemu.GuestOptions
	Port  int    // of the host, leads to the guest's ssh; 0 is defaultPort
	Share string // folder of the host that the guest sees by 9p, in Redox as /scheme/9p.hostshare where there is a driver
	GUI   bool
}

const (
	defaultPort = 2222
	guestSSH    = 22
)

// Run starts a guest with its serial line on the terminal, and returns when it ends.
func Run(ctx context.Context, s *session.Session, f RunFlags) error {
	m, err := machine(s, f)
	if err != nil {
		return err
	}
	if s.Config.DryRun {
		return printCommand(s, m)
	}
	if f.Writable { // keeps other runs of ours away
		e, err := disk.Open(ctx, "", m.Drives[0].File)
		if err != nil {
			return err
		}
		defer e.Close()
	}
	return interactive(ctx, s, m)
}

// machine is the guest's, as the flags say.
func machine(s *session.Session, f RunFlags) (*qemu.Machine, error) {
	if f.Memory < 0 {
		return nil, fmt.Errorf("-memory=%d: want MiB", f.Memory)
	}
	if f.Port == 0 {
		f.Port = defaultPort
	}
	m, err := guest.New(s, f.GuestOptions)
	if err != nil {
		return nil, err
	}
	if err := m.AddNetworkWithPort(f.Port, guestSSH); err != nil {
		return nil, fmt.Errorf("port %d of the host cannot be led to the guest, -port=N takes another: %w", f.Port, err)
	}
	if f.Share != "" {
		if err := m.AddShare(f.Share); err != nil {
			return nil, fmt.Errorf("-share: %w", err)
		}
	}
	if f.GUI {
		m.AddWindow()
	}
	return m, nil
}

// printCommand prints how to start the guest by hand. The firmware writes to its variables, so it is given a copy of them.
func printCommand(s *session.Session, m *qemu.Machine) error {
	vars := m.Firmware.Vars
	m.Firmware = &qemu.Firmware{Code: m.Firmware.Code, Vars: "vars.fd"}
	command, err := commandLine(m)
	if err == nil {
		fmt.Fprintf(s.Streams.Out, "%s\n%s\n", process.Quote([]string{"cp", vars, "vars.fd"}), command)
	}
	return err
}

func commandLine(m *qemu.Machine) (string, error) {
	args, err := m.Args()
	return process.Quote(append([]string{m.Binary}, args...)), err
}

// interactive runs QEMU on the terminal.
func interactive(ctx context.Context, s *session.Session, m *qemu.Machine) error {
	dir, done, err := s.Scratch("run", strconv.Itoa(os.Getpid()))
	if err != nil {
		return err
	}
	defer done()
	if err := m.UsePrivateVars(dir); err != nil {
		return err
	}
	command, err := commandLine(m)
	if err != nil {
		return err
	}
	if s.Config.Verbose {
		s.Say("%s", strings.ReplaceAll(command, " -", " \\\n  -"))
	}
	s.Say("Ctrl-C ends the guest; accelerator %s, %d MiB; %s", m.Accel, m.Memory, fateOfWrites(m.Drives[0].Writable))
	said := &process.Excerpt{}
	console := qemu.Console{In: os.Stdin, Out: io.MultiWriter(s.Streams.Binary(), said), Err: s.Streams.Err}
	err = qemu.Attach(ctx, *m, console, append(s.ToolEnv(), s.Config.DisplayEnv...))
	sayCrashes(s, said.String())
	return err
}

// sayCrashes tells of the crashes in what a guest has said, in functions and lines.
func sayCrashes(s *session.Session, said string) {
	stacks, err := guest.Programs(s).Stacks(strings.NewReader(said), s.SourceFile)
	if err == nil && len(stacks) > 0 {
		s.Say("%s", crash.Text(stacks, "serial line"))
	}
}

func fateOfWrites(kept bool) string {
	if kept {
		return "the guest's writes reach the image"
	}
	return "the guest's writes are forgotten (-write keeps them)"
}

package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
)

// RunFlags say how a guest is started for a person.
type RunFlags struct {
	qemu.GuestOptions
	CPUs int // 0 is the machine's
	// Ports are of the host and lead to the guest, as qemu.ParseForward reads them; none is defaultPort, where that is free, and "none" is none.
	Ports []string
	// Snapshot says that the guest's writes are to be forgotten, as they are without Writable.
	Snapshot bool
	Share    string // folder of the host that the guest sees by 9p, in Redox as /scheme/9p.hostshare where there is a driver
	GUI      bool
}

// defaultPort of the host leads to the guest's ssh.
const defaultPort = "2222"

// Run starts a guest with its serial line on the terminal, and returns when it ends.
func Run(ctx context.Context, s *session.Session, f RunFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.Image == "" {
		var err error
		if f.Image, err = devImage(ctx, s); err != nil {
			return err
		}
	}
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

// check refuses flags that cannot be meant.
func (f RunFlags) check() error {
	switch {
	case f.Memory < 0:
		return fmt.Errorf("-memory=%d: want MiB", f.Memory)
	case f.CPUs < 0:
		return fmt.Errorf("-cpus=%d: want a number of processors", f.CPUs)
	case f.Snapshot && f.Writable:
		return errors.New("-snapshot forgets what the guest writes, and -write keeps it: name one of them")
	}
	return nil
}

// devName is the image that is run when none is named.
const devName = "dev"

// devImage is that image. It is built when it is not there, and left as it is when it is: a guest may have written to it.
func devImage(ctx context.Context, s *session.Session) (string, error) {
	path := s.Config.Image(devName)
	_, err := os.Stat(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	if s.Config.DryRun {
		return "", fmt.Errorf("%s is not there: `mage image -name=%s` builds it, as a run does that is none by -dryrun", s.Relative(path), devName)
	}
	s.Say("%s is not there yet and is built first; -img=IMG runs another image", s.Relative(path))
	return path, diskbuild.Build(ctx, s, diskbuild.Flags{Name: devName}, session.BuildOptions{})
}

// machine is the guest's, as the flags say.
func machine(s *session.Session, f RunFlags) (*qemu.Machine, error) {
	m, err := guest.New(s, f.GuestOptions)
	if err != nil {
		return nil, err
	}
	if f.CPUs > 0 {
		m.CPUs = f.CPUs
	}
	if err := addNetwork(s, m, f.Ports); err != nil {
		return nil, err
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

// addNetwork gives the guest a network with ports that lead to it. Only one that was asked for has to be free.
func addNetwork(s *session.Session, m *qemu.Machine, ports []string) error {
	asked := len(ports) > 0
	if !asked {
		ports = []string{defaultPort}
	}
	if slices.Equal(ports, []string{"none"}) {
		return m.AddNetwork()
	}
	var forwards []qemu.Forward
	for _, text := range ports {
		f, err := qemu.ParseForward(text)
		if err != nil {
			return fmt.Errorf("-port=%w", err)
		}
		forwards = append(forwards, f)
	}
	err := m.AddNetwork(forwards...)
	if taken := (*qemu.TakenError)(nil); !asked && errors.As(err, &taken) {
		s.Say("port %s is taken, so no port of this host leads to the guest; -port=HOST:GUEST takes another", defaultPort)
		return m.AddNetwork()
	}
	if err != nil {
		return fmt.Errorf("-port: %w", err)
	}
	return nil
}

// printCommand prints how to start the guest by hand. The firmware writes to its variables, so it is given a copy of them.
func printCommand(s *session.Session, m *qemu.Machine) error {
	vars := m.Firmware.Vars
	m.Firmware = &qemu.Firmware{Code: m.Firmware.Code, Vars: "vars.fd"}
	command, err := guest.CommandLine(m)
	if err == nil {
		fmt.Fprintf(s.Streams.Out, "%s\n%s\n", process.Quote([]string{"cp", vars, "vars.fd"}), command)
	}
	return err
}

// interactive runs the guest on the terminal.
func interactive(ctx context.Context, s *session.Session, m *qemu.Machine) error {
	how := "Ctrl-C ends the guest"
	if m.Mux = guest.OnTerminal(); m.Mux {
		how = "Ctrl-C is the guest's, Ctrl-A X ends it (Ctrl-A C is QEMU's monitor)"
	}
	s.Say("%s; accelerator %s, %d processors, %d MiB; %s", how, m.Accel, max(m.CPUs, 1), m.Memory, fateOfWrites(m.Drives[0].Writable))
	return guest.Interactive(ctx, s, "run", m, nil)
}

func fateOfWrites(kept bool) string {
	if kept {
		return "the guest's writes reach the image"
	}
	return "the guest's writes are forgotten (-write keeps them)"
}

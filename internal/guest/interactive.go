package guest

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/pannous/redox-clif/internal/crash"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
)

// OnTerminal tells whether somebody types at standard input.
func OnTerminal() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// Interactive runs a guest with its serial line on standard input and output, until it ends by itself or ctx ends it. kind names the folder of its
// scratch files. started, if set, is called when QEMU runs. Afterwards the terminal is as it was, and crashes in what the guest has said are told.
func Interactive(ctx context.Context, s *session.Session, kind string, m *qemu.Machine, started func()) error {
	dir, done, err := s.Scratch(kind, strconv.Itoa(os.Getpid()))
	if err != nil {
		return err
	}
	defer done()
	if err := m.UsePrivateVars(dir); err != nil {
		return err
	}
	if s.Config.Verbose {
		command, err := CommandLine(m)
		if err != nil {
			return err
		}
		s.Say("%s", strings.ReplaceAll(command, " -", " \\\n  -"))
	}
	defer keepTerminal(os.Stdin)()
	said := &process.Excerpt{}
	console := qemu.Console{In: os.Stdin, Out: io.MultiWriter(s.Streams.Binary(), said), Err: s.Streams.Err, Started: started}
	err = qemu.Attach(ctx, *m, console, append(s.ToolEnv(), s.Config.DisplayEnv...))
	sayCrashes(s, said.String())
	return err
}

// CommandLine is how to start a machine by hand.
func CommandLine(m *qemu.Machine) (string, error) {
	args, err := m.Args()
	return process.Quote(append([]string{m.Binary}, args...)), err
}

// keepTerminal returns what sets a terminal as it is now. QEMU does so itself when it may end in its own time; a killed one leaves it without echo, and
// standard input as what nobody waits for.
func keepTerminal(f *os.File) (restore func()) {
	fd := int(f.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return func() {}
	}
	flags, flagsErr := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return func() {
		_ = term.Restore(fd, state) // a terminal that is gone is nobody's
		if flagsErr == nil {
			_, _ = unix.FcntlInt(f.Fd(), unix.F_SETFL, flags)
		}
	}
}

// sayCrashes tells of the crashes in what a guest has said, in functions and lines.
func sayCrashes(s *session.Session, said string) {
	stacks, err := Programs(s).Stacks(strings.NewReader(said), s.SourceFile)
	if err == nil && len(stacks) > 0 {
		s.Say("\n%s", crash.Text(stacks, "serial line"))
	}
}

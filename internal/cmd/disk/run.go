package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pannous/redox-clif/internal/diskbuild"
	"github.com/pannous/redox-clif/internal/qemu"
	"github.com/pannous/redox-clif/internal/session"
)

// Run starts a guest with its serial line on the terminal, and returns when it ends.
func Run(ctx context.Context, s *session.Session, f diskbuild.GuestFlags) error {
	m, err := diskbuild.Guest(s, f)
	if err != nil {
		return err
	}
	if err := m.Network(f); err != nil {
		return err
	}
	if err := m.Share(f.Share); err != nil {
		return err
	}
	if f.GUI {
		m.AddWindow(s.Config.Target)
	}
	if s.Config.DryRun {
		return printRun(s, m)
	}
	release, err := m.Hold(ctx, f.Write)
	if err != nil {
		return err
	}
	defer release()
	return interactive(ctx, s, m)
}

// printRun prints the command. The firmware writes to its variables, so it is given a copy of them.
func printRun(s *session.Session, m *diskbuild.GuestMachine) error {
	vars := m.Firmware.Vars
	m.Firmware = &qemu.Firmware{Code: m.Firmware.Code, Vars: "vars.fd"}
	args, err := m.Args()
	if err == nil {
		fmt.Fprintf(s.Streams.Out, "cp %s vars.fd\n%s\n", quote(vars), commandLine(m.Binary, args))
	}
	return err
}

// interactive runs QEMU on the terminal.
func interactive(ctx context.Context, s *session.Session, m *diskbuild.GuestMachine) error {
	dir, done, err := s.Scratch("run", strconv.Itoa(os.Getpid()))
	if err != nil {
		return err
	}
	defer done()
	firmware, err := m.Firmware.PrivateVars(dir)
	if err != nil {
		return err
	}
	m.Firmware = &firmware
	args, err := m.Args()
	if err != nil {
		return err
	}
	if s.Config.Verbose {
		s.Say("%s", strings.ReplaceAll(commandLine(m.Binary, args), " -", " \\\n  -"))
	}
	s.Say("Ctrl-C ends the guest; accelerator %s, %d MiB%s", m.Accel, m.Memory, forgets(m.Drives[0].Writable))
	cmd := exec.CommandContext(ctx, m.Binary, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, s.Streams.Out, s.Streams.Err
	cmd.Env = append(s.ToolEnv(), s.Config.DisplayEnv...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil // ended by Ctrl-C, as it says above
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("QEMU ended with %w", err)
	}
	return err
}

func forgets(write bool) string {
	if write {
		return "; the guest's writes reach the image"
	}
	return "; the guest's writes are forgotten (-write keeps them)"
}

// commandLine is a command as a shell reads it.
func commandLine(binary string, args []string) string {
	words := []string{quote(binary)}
	for _, a := range args {
		words = append(words, quote(a))
	}
	return strings.Join(words, " ")
}

func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./,:=+@") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

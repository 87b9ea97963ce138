package toolchain

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"

	"github.com/pannous/redox-clif/internal/process"
)

// Lines runs one program and hands on each line it prints while it runs. The
// lines of both outputs come one at a time.
type Lines func(ctx context.Context, line func(string), argv ...string) error

// NotInstallable is rustup's refusal to install the pinned channel.
type NotInstallable struct {
	Channel string
	Command string // to repeat it by hand
	Message string // rustup's first error line
}

// Error names the channel, the reason and the command.
func (n *NotInstallable) Error() string {
	return fmt.Sprintf("rustup cannot install %s: %s\nby hand: %s", n.Channel, n.Message, n.Command)
}

// NoComponent means that the place rustup downloads from does not offer a
// component for this host.
type NoComponent struct {
	Channel   string
	Component string
	Message   string // rustup's line
}

// Error says what is not offered.
func (n *NoComponent) Error() string {
	return fmt.Sprintf("component %s of %s is not offered by the server rustup downloads from: %s", n.Component, n.Channel, n.Message)
}

// Install has rustup install the pinned channel with its components, and the
// optional ones when asked for. progress gets rustup's lines as they come.
//
// The error is a *NoRustup, *NotInstallable or *NoComponent, or the context's.
// A missing optional component leaves the channel itself installed: it is
// asked for in a second step. RUSTUP_AUTO_INSTALL does not matter here, since
// the installation is spelt out.
func Install(ctx context.Context, rustup string, pin *Pin, withOptional bool, lines Lines, progress func(string)) error {
	channel := pin.Toolchain.Channel
	if rustup == "" {
		return &NoRustup{Channel: channel}
	}
	argv := []string{rustup, "toolchain", "install", channel, "--no-self-update"}
	if pin.Toolchain.Profile != "" {
		argv = append(argv, "--profile", pin.Toolchain.Profile)
	}
	for _, component := range pin.Toolchain.Components {
		argv = append(argv, "--component", component)
	}
	if err := runRustup(ctx, channel, lines, progress, argv); err != nil {
		return err
	}
	if !withOptional {
		return nil
	}
	for _, component := range pin.Optional.Components {
		err := runRustup(ctx, channel, lines, progress, []string{rustup, "component", "add", component, "--toolchain", channel})
		if err != nil {
			return err
		}
	}
	return nil
}

func runRustup(ctx context.Context, channel string, lines Lines, progress func(string), argv []string) error {
	message := ""
	err := lines(ctx, func(line string) {
		if reason, found := strings.CutPrefix(line, "error: "); found && message == "" {
			message = reason
		}
		// rustup follows its errors with a stack backtrace when RUST_BACKTRACE
		// is set; nobody needs to see that.
		if message == "" {
			progress(line)
		}
	}, argv...)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return &NoRustup{Channel: channel}
	case message == "":
		message = err.Error()
	}
	if component := unavailable(message); component != "" {
		return &NoComponent{Channel: channel, Component: component, Message: message}
	}
	return &NotInstallable{Channel: channel, Command: strings.Join(argv, " "), Message: message}
}

// unavailable is the component rustup 1.2x speaks of in "component 'X' for
// target 'T' is unavailable for download for channel 'C'", else "".
func unavailable(message string) string {
	rest, found := strings.CutPrefix(message, "component '")
	if !found || !strings.Contains(message, "unavailable") {
		return ""
	}
	name, _, _ := strings.Cut(rest, "'")
	return name
}

// Exec is a Runner that starts programs with exactly the environment env. What a program starts ends with it.
func Exec(env []string) Runner {
	return func(ctx context.Context, argv ...string) (stdout, stderr []byte, err error) {
		var out bytes.Buffer
		var problems process.Excerpt
		err = process.Exec(ctx, process.Process{Args: argv, Env: env, Output: &out, Errors: &problems})
		return out.Bytes(), []byte(problems.String()), err
	}
}

// ExecLines is a Lines that starts programs with exactly the environment env.
func ExecLines(env []string) Lines {
	return func(ctx context.Context, line func(string), argv ...string) error {
		reader, writer := io.Pipe()
		var reading sync.WaitGroup
		reading.Go(func() {
			scanner := bufio.NewScanner(reader)
			scanner.Split(splitLines)
			for scanner.Scan() {
				if text := scanner.Text(); text != "" {
					line(text)
				}
			}
			// An overlong line ends the scanner; the program must not block on it.
			_, _ = io.Copy(io.Discard, reader)
		})
		err := process.Exec(ctx, process.Process{Args: argv, Env: env, Output: writer})
		_ = writer.Close() // a pipe's close never fails
		reading.Wait()
		return err
	}
}

// splitLines ends lines at line feeds and at carriage returns, which progress
// displays use.
func splitLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	for i, char := range data {
		if char == '\n' || char == '\r' {
			return i + 1, data[:i], nil
		}
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

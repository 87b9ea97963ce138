// Package debugger finds a debugger and words what it has to do to be attached to a guest.
//
// It owns the command lines and commands of gdb and lldb. It must not know where programs lie, which machine is debugged, nor run anything.
//
// The commands are those of gdb's manual ("Connecting to a Remote Target", "Commands to Specify Files") and of lldb's (gdb-remote, target
// modules load).
package debugger

import (
	"errors"
	"fmt"
	"strings"
)

// Attachment is what a debugger is attached to.
type Attachment struct {
	Arch     string // "aarch64"
	Port     int    // of this host, where QEMU's stub listens
	Kernel   string // ELF file with symbols; "" for none
	Programs []string
	// Commands is a file of commands in the debugger's own language that it runs, to end then; "" is for a person at a terminal.
	Commands string
}

// ErrNone says that there is no debugger.
var ErrNone = errors.New("no debugger that knows the target is installed: `apt install gdb-multiarch` (or lldb) and try again")

// names are the programs that are looked for, the best first. A plain gdb knows its own machine alone.
func names(arch, host string) []string {
	all := []string{"gdb-multiarch", arch + "-linux-gnu-gdb", arch + "-elf-gdb", "lldb"}
	if arch == host {
		all = append([]string{"gdb"}, all...)
	}
	return all
}

// Find looks a debugger up. host is the architecture of this machine, look finds programs as exec.LookPath does.
func Find(arch, host string, look func(string) (string, error)) (string, error) {
	for _, name := range names(arch, host) {
		if path, err := look(name); err == nil {
			return path, nil
		}
	}
	return "", ErrNone
}

// Args are the arguments that attach a debugger; program is its path.
func (a Attachment) Args(program string) []string {
	if strings.HasSuffix(program, "lldb") {
		return a.lldb()
	}
	args := []string{"-q", "-nx"}
	if a.Commands != "" {
		args = append(args, "-batch")
	}
	for _, c := range a.gdb() {
		args = append(args, "-ex", c)
	}
	if a.Commands != "" {
		args = append(args, "-x", a.Commands)
	}
	return args
}

// gdb are the commands in gdb's language. Breakpoints are hardware ones: a program's code is not in memory yet when its first is set.
func (a Attachment) gdb() []string {
	commands := []string{"set confirm off", "set pagination off", "set architecture " + a.Arch, "set breakpoint auto-hw on"}
	if a.Kernel != "" {
		commands = append(commands, "file "+quoted(a.Kernel))
	}
	for _, p := range a.Programs {
		commands = append(commands, "add-symbol-file "+quoted(p))
	}
	return append(commands, fmt.Sprintf("target remote 127.0.0.1:%d", a.Port))
}

func (a Attachment) lldb() []string {
	var args []string
	if a.Commands != "" {
		args = append(args, "--batch")
	}
	do := func(format string, v ...any) { args = append(args, "-o", fmt.Sprintf(format, v...)) }
	do("settings set target.default-arch %s", a.Arch)
	if a.Kernel != "" {
		do("target create %s", quoted(a.Kernel))
	}
	for _, p := range a.Programs {
		do("target modules add %s", quoted(p))
	}
	do("gdb-remote 127.0.0.1:%d", a.Port)
	for _, p := range append([]string{}, a.all()...) {
		do("target modules load --file %s --slide 0", quoted(p))
	}
	if a.Commands != "" {
		args = append(args, "-s", a.Commands)
	}
	return args
}

func (a Attachment) all() []string {
	if a.Kernel == "" {
		return a.Programs
	}
	return append([]string{a.Kernel}, a.Programs...)
}

// quoted is a path as both debuggers read one, blanks included.
func quoted(path string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
}

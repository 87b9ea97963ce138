// Command launch is what a worker starts in place of a step's command.
//
// It owns what only the worker can do: to put the folder that the work is in, which no action can know, in place of the words that stand for
// it, to say that folder's name in what the command prints by the word again, and to pick out of what cargo leaves what a program is linked
// of. It must not know which step it is part of, and it needs nothing of the machine: it is linked statically.
//
//	launch [-program PATH]... [-given FOLDER]... [-collect FOLDER] -- COMMAND ARGUMENT...
//
// runs a command and then collects the recordings of the linker's arguments at the programs' places. FOLDERs are those of the working
// folder that will be there as well when the programs are linked.
//
//	launch -cc
//
// ends well where a C compiler can link a program. Started by the name of package linkline's recorder, it is that.
//
// The exit code is the command's, 128 and the signal's number when it was ended by one, and 125 when the launcher could not do its part.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/pannous/redox-clif/internal/linkline"
	"github.com/pannous/redox-clif/internal/worker/protocol"
)

func main() {
	// The command is to end with the thread that started it, see start.
	runtime.LockOSThread()
	code, err := run(os.Args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "launch:", err)
	}
	os.Exit(code)
}

// run returns the exit code, and what the launcher itself could not do.
func run(args []string) (int, error) {
	if filepath.Base(args[0]) == linkline.RecorderName {
		if err := linkline.Record(args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return 1, nil
		}
		return 0, nil
	}
	o, err := parse(args[1:])
	if err != nil {
		return protocol.LauncherFailed, err
	}
	here, err := newPlace()
	if err != nil {
		return protocol.LauncherFailed, err
	}
	if o.cc {
		return here.tryCC()
	}
	code, err := here.start(o.command)
	if err != nil || code != 0 {
		return code, err
	}
	if err := here.collect(o); err != nil {
		return protocol.LauncherFailed, err
	}
	return 0, nil
}

// options are the command line.
type options struct {
	programs, given list
	folder          string
	cc              bool
	command         []string
}

// list is a flag that may be given several times.
type list []string

// String implements flag.Value.
func (l *list) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("launch", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Var(&o.programs, "program", "")
	flags.Var(&o.given, "given", "")
	flags.StringVar(&o.folder, "collect", "", "")
	flags.BoolVar(&o.cc, "cc", false, "")
	err := flags.Parse(args)
	o.command = flags.Args()
	if err == nil && len(o.command) == 0 && !o.cc {
		err = errors.New("there is no command")
	}
	return o, err
}

// place is where the work is.
type place struct {
	root string // the working folder
	base string // the folder above, which has the tools
	env  []string
}

func newPlace() (*place, error) {
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	p := &place{root: root, base: filepath.Dir(root)}
	for _, e := range os.Environ() {
		p.env = append(p.env, p.expand(e))
	}
	if info, err := os.Stat("/tmp"); err != nil || !info.IsDir() {
		temp := filepath.Join(p.base, "tmp")
		if err := os.MkdirAll(temp, 0o755); err != nil {
			return nil, err
		}
		p.env = append(p.env, "TMPDIR="+temp)
	}
	return p, nil
}

// expand puts paths of this machine in place of the words that stand for them.
func (p *place) expand(s string) string {
	return strings.NewReplacer(linkline.Root, p.root, protocol.Base, strings.TrimSuffix(p.base, "/")).Replace(s)
}

// start runs the command to its end.
func (p *place) start(command []string) (int, error) {
	var args []string
	for _, a := range command {
		args = append(args, p.expand(a))
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = p.env
	cmd.SysProcAttr = ended()
	out, errs := newRenamer(os.Stdout, p.root), newRenamer(os.Stderr, p.root)
	cmd.Stdout, cmd.Stderr = out, errs
	err := cmd.Run()
	if flushErr := errors.Join(out.flush(), errs.flush()); err == nil && flushErr != nil {
		return protocol.LauncherFailed, flushErr
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return protocol.LauncherFailed, err // it cannot be started here
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

// collect reads the recordings and lays what they name into the folder, each program's below its name.
func (p *place) collect(o options) error {
	for _, program := range o.programs {
		name := filepath.Base(program)
		line, err := linkline.Read(filepath.Join(p.root, program), linkline.Place{Root: p.root, Given: o.given, Output: name})
		if err != nil {
			return err
		}
		to := filepath.Join(p.root, o.folder, name)
		if err := os.MkdirAll(filepath.Join(to, linkline.InFolder), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, linkline.LineName), line.Encode(), 0o644); err != nil {
			return err
		}
		for at, file := range line.Files {
			if err := link(file, filepath.Join(to, linkline.InFolder, at)); err != nil {
				return err
			}
		}
	}
	return nil
}

// link gives a file another name, or copies it where it cannot have one.
func link(file, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if os.Link(file, to) == nil {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, info.Mode().Perm())
}

// tryCC has the C compiler link a program.
func (p *place) tryCC() (int, error) {
	dir, err := os.MkdirTemp("", "cc")
	if err != nil {
		return protocol.LauncherFailed, err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "t.c")
	if err := os.WriteFile(source, []byte("int main(void) { return 0; }\n"), 0o644); err != nil {
		return protocol.LauncherFailed, err
	}
	cc := look("cc", p.env)
	if cc == "" {
		fmt.Fprintln(os.Stderr, "there is no cc")
		return 1, nil
	}
	cmd := exec.Command(cc, source, "-o", filepath.Join(dir, "t"))
	cmd.Env = p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n%s", cc, err, out)
		return 1, nil
	}
	return 0, nil
}

// look finds a program in the PATH of an environment, "" if it is not there.
func look(name string, env []string) string {
	i := slices.IndexFunc(env, func(e string) bool { return strings.HasPrefix(e, "PATH=") })
	if i < 0 {
		return ""
	}
	for _, dir := range filepath.SplitList(strings.TrimPrefix(env[i], "PATH=")) {
		if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil && filepath.IsAbs(found) {
			return found
		}
	}
	return ""
}

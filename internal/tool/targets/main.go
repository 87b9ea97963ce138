//go:build unix

// Command targets is Mage with what this project needs of it; `go tool mage` starts it.
//
//   - The command line is checked before anything runs, and help, the list and completion are ours: package front.
//   - Several runs in one checkout: Mage writes, compiles and removes magefiles/mage_output_file.go at every
//     call, and two calls at once break each other. Here that happens under a lock.
//   - Signals: a Ctrl-C reaches the targets once, and ends this with 130, see runChild.
//   - Quick starts and subfolders: targets are compiled only when a file they are made of has changed,
//     and the checkout is looked for upwards.
//
// It owns how the targets are compiled and started. It must not know any target. Mage's own commands (-compile, -install, …) and other folders (-d, -w) are left to Mage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/magefile/mage/mage"
	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/front"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/terminal"
	"github.com/pannous/redox-clif/internal/tool/madeof"
	"github.com/pannous/redox-clif/internal/unchanged"
)

func main() { os.Exit(run(os.Args[1:])) }

// Exit codes besides those of targets.
const (
	failed    = 1
	wrongLine = 2 // the command line: nothing was run
)

// mageItself is the first word of a call of ours to ourselves: the rest is for Mage as it is.
const mageItself = "__mage"

func run(args []string) int {
	if len(args) > 0 && args[0] == mageItself {
		return mage.ParseAndRun(os.Stdout, os.Stderr, os.Stdin, args[1:])
	}
	root, err := findRoot(".")
	if err != nil {
		return mage.ParseAndRun(os.Stdout, os.Stderr, os.Stdin, args)
	}
	made := ""
	if len(args) > 1 && args[0] == madeof.Word {
		made, args = args[1], args[2:]
		keepSelf(root, made)
	}
	options, words, err := front.Split(args)
	if err != nil {
		return fail(err)
	}
	if options.Elsewhere {
		return mage.ParseAndRun(os.Stdout, os.Stderr, os.Stdin, args)
	}
	folder, err := folderBelow(root)
	if err != nil {
		return fail(err)
	}
	if err := os.Chdir(root); err != nil {
		return fail(err)
	}
	t := &tool{root: root, folder: folder, bin: filepath.Join(root, "out", "mage", "mage"), options: options, made: made}
	if options.Command {
		return t.underLock(func(ctx context.Context) int { return asMage(ctx, args) })
	}
	return t.run(words)
}

// tool is one call in a checkout.
type tool struct {
	root, bin string // bin is the binary of all targets
	folder    string // where it was called, relative to root
	options   front.Options
	made      string // the fingerprint of the checkout, when the caller knows it
}

// run does what is asked for without a target, or runs targets.
func (t *tool) run(words []string) int {
	first := ""
	if len(words) > 0 {
		first = words[0]
	}
	switch {
	case t.options.Help:
		return t.help(words)
	case t.options.List || first == "":
		if first != "" {
			return fail(front.Wrong("-l takes no words; mage help %s", first))
		}
		return t.show(func(f *front.Front, width int) error {
			return f.List(terminal.NewWriter(os.Stdout), t.options.All, width)
		})
	case first == "help":
		return t.help(words[1:])
	case first == "completion":
		return completion(words[1:])
	case first == "__complete":
		return t.show(func(f *front.Front, _ int) error { return printCandidates(f.Complete(words[1:])) })
	}
	return t.runTargets(words)
}

// show reads the targets and tells something of them.
func (t *tool) show(tell func(f *front.Front, width int) error) int {
	f, err := t.read()
	if err == nil {
		f.From(t.folder)
		err = tell(f, terminalWidth())
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

// read has the targets from what was kept of them, which is quicker, or from their sources.
func (t *tool) read() (*front.Front, error) {
	if t.made != "" {
		if f, _ := t.compiled(t.made); f != nil {
			return f, nil
		}
	}
	return front.Read(t.root)
}

func (t *tool) help(words []string) int {
	if len(words) > 1 {
		return fail(front.Wrong("help is for one thing: mage help %s", words[0]))
	}
	about := ""
	if len(words) > 0 {
		about = words[0]
	}
	return t.show(func(f *front.Front, width int) error { return f.Help(terminal.NewWriter(os.Stdout), about, width) })
}

func completion(words []string) int {
	shell := ""
	if len(words) > 0 {
		shell = words[0]
	}
	script, err := front.Completion(shell)
	if err != nil {
		return fail(err)
	}
	fmt.Print(script)
	return 0
}

func printCandidates(all []front.Candidate) error {
	for _, c := range all {
		if _, err := fmt.Println(c.Value + "\t" + c.Help); err != nil {
			return err
		}
	}
	return nil
}

// terminalWidth is 0 when standard output is no terminal.
func terminalWidth() int {
	size, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}

// runTargets checks the whole command line, compiles the targets if they have changed, and runs them; a target that would find nothing to do, as the
// last one like it did, is answered by what that one said.
func (t *tool) runTargets(words []string) int {
	inv, _, err := mage.Parse(io.Discard, io.Discard, t.options.Mage)
	if err != nil {
		return fail(front.Wrong("%v", err))
	}
	if t.made == "" {
		if t.made, err = madeof.Fingerprint(t.root); err != nil {
			return fail(err)
		}
	}
	f, fresh := t.compiled(t.made)
	if f == nil {
		if f, err = front.Read(t.root); err != nil {
			return fail(err)
		}
	}
	f.From(t.folder)
	line, err := f.Check(words)
	if err != nil {
		return fail(err)
	}
	if line.Help != "" {
		return t.help([]string{line.Help})
	}
	if !fresh || inv.Force {
		if code := t.underLock(func(ctx context.Context) int { return t.compile(ctx, inv.Force) }); code != 0 {
			return code
		}
	}
	argv := []string{t.bin}
	if inv.Verbose {
		argv = append(argv, "-v")
	}
	if inv.Timeout > 0 {
		argv = append(argv, "-t", inv.Timeout.String())
	}
	argv = append(argv, line.Args...)
	if fresh && !inv.Force && line.Targets == 1 {
		call := unchanged.Call{Root: t.root, Program: t.bin, Words: argv[1:], Environ: os.Environ()}
		if said, ok := call.Repeat(time.Now()); ok {
			_, _ = os.Stderr.Write(said) // who cannot read it has the result all the same
			return 0
		}
	}
	return runChild(argv)
}

// mark says what the binary was made of, kept has its targets.
func (t *tool) mark() string { return t.bin + ".made-of" }
func (t *tool) kept() string { return t.bin + ".targets" }

// compiled are the targets of the binary when it is made of what is there now.
func (t *tool) compiled(made string) (f *front.Front, fresh bool) {
	mark, err := os.ReadFile(t.mark())
	if err != nil || string(mark) != made || !exists(t.bin) {
		return nil, false
	}
	f, err = front.Load(t.kept(), t.root)
	if err != nil {
		return nil, true
	}
	return f, true
}

// compile makes the binary of all targets, unless another run has done so just now.
func (t *tool) compile(ctx context.Context, force bool) int {
	made, err := madeof.Fingerprint(t.root)
	if err != nil {
		return fail(err)
	}
	if _, fresh := t.compiled(made); fresh && !force {
		return 0
	}
	_ = os.Remove(t.mark())
	if code := asMage(ctx, append(t.options.Mage, "-compile", t.bin)); code != 0 {
		return code
	}
	f, err := front.Read(t.root)
	if err == nil {
		err = f.Save(t.kept())
	}
	if err == nil {
		err = os.WriteFile(t.mark(), []byte(made), 0o644)
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

// asMage has Mage do something of its own in a process that a signal ends with all that it started.
func asMage(ctx context.Context, args []string) int {
	self, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	err = process.Exec(ctx, process.Process{
		Args: append([]string{self, mageItself}, args...), Env: forThisMachine(os.Environ()), Output: os.Stdout, Errors: os.Stderr,
	})
	var exit *process.ExitError
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil: // what Mage would have removed
		_ = os.Remove(filepath.Join(front.Folder, front.MainFile))
		return stopped(signalOf(ctx))
	case errors.As(err, &exit) && exit.Code > 0:
		return exit.Code
	}
	return fail(err)
}

// forThisMachine is an environment in which the go command makes programs that run here, whatever its caller makes. (Mage itself sees to GOOS and
// GOARCH.) The last of several flags counts for go.
func forThisMachine(environ []string) []string {
	return append(slices.Clone(environ), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -buildmode=exe"))
}

// fail says what went wrong, and gives the exit code for it.
func fail(err error) int {
	var usage *front.UsageError
	if !errors.As(err, &usage) {
		fmt.Fprintln(os.Stderr, "Error:", terminal.Error(err))
		return failed
	}
	for _, problem := range usage.Problems {
		fmt.Fprintln(os.Stderr, "Error:", terminal.Clean(problem.Text))
	}
	fmt.Fprintln(os.Stderr, "Nothing was run.")
	return wrongLine
}

// findRoot walks up to the folder that has go.mod and magefiles.
func findRoot(dir string) (string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for ; ; at = filepath.Dir(at) {
		if exists(filepath.Join(at, "go.mod")) && exists(filepath.Join(at, front.Folder)) {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", errors.New("no go.mod and magefiles above this folder")
		}
	}
}

// folderBelow is the working directory as seen from root.
func folderBelow(root string) (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return filepath.Rel(root, at)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// underLock lets one call at a time write Mage's main file. The context ends with a signal.
func (t *tool) underLock(f func(ctx context.Context) int) int {
	ctx, stop := untilSignal()
	defer stop()
	lock, err := lockfile.Wait(ctx, filepath.Join(filepath.Dir(t.bin), ".lock"), func() {
		fmt.Fprintln(os.Stderr, "another run compiles the targets; waiting for it")
	})
	if ctx.Err() != nil {
		return stopped(signalOf(ctx))
	}
	if err != nil {
		return fail(writable(err))
	}
	defer lock.Release()
	return f(ctx)
}

// writable says what to do where the checkout is not ours or read-only.
func writable(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w\n  hint:   the targets are compiled in out/ of the checkout, which you may not write; out/ may be a link to where you may", err)
	}
	return err
}

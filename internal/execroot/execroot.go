// Package execroot runs the command of an action in a private folder that holds its input
// tree and nothing else.
//
// It owns the folders below the cache's work/, the expansion of %{…} placeholders, the
// locks that keep two runs (or what a killed run left behind) out of one folder, and
// the script beside each log that repeats the command by hand. It must not know recipes or
// what the command does.
//
// There are two kinds of folder. A temporary one is made for one command and removed (when the
// command fails it is kept in failed/, so that the script can repeat it). A lasting one is kept from
// build to build under a key, for tools with incremental state of their own (cargo): its inputs are
// brought up to date file by file and the state paths are left alone.
package execroot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/diagnostic"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/sandbox"
	"github.com/pannous/redox-clif/internal/secretkey"
	"github.com/pannous/redox-clif/internal/terminal"
)

// Runner makes and uses exec roots.
type Runner struct {
	Store *cas.Store
	// Dir is the folder of all exec roots.
	Dir string
	// Expand gives the values of placeholders other than %{root}: "%{rustc}" -> path.
	Expand map[string]string
	// Jobs, when set, is passed to the commands.
	Jobs *process.Jobserver
	// User, when set, is who the commands believe they run as; ExtraEnv is added to the environment of
	// those of actions. Neither may change what they make: that is what `mage repro` uses them to find out.
	User     *process.User
	ExtraEnv []string
	// Sandbox is what every process of an action begins in; nil is none. What fetches may write to the folders Fetched besides its own.
	Sandbox *sandbox.Sandbox
	Fetched []string
	// Install, when it is set, makes the tools be there. It is called before each command.
	Install func(context.Context) error
	// Notice receives lines about waiting.
	Notice func(string)
	// Shell, when set, is called in place of the command of an action, with everything laid out for it and what is run before it done. Nothing
	// is collected then: Run returns ErrNotRun, or Shell's error.
	Shell func(context.Context, Prepared) error

	mu   sync.Mutex
	temp *tempFolder // made by the first use
}

// Spec says how one command is run.
type Spec struct {
	Action *action.Action
	// Key, when not empty, asks for a lasting folder of that name ("base.programs/3f2a…").
	Key string
	// State are the top-level names in a lasting folder that belong to the tool.
	State []string
	// Shared are the top-level folders of the inputs that the command only reads: in place of a
	// copy the exec root has a link to one that is there for all.
	Shared []string
	// Dir is the working directory relative to the root.
	Dir string
	// ExtraEnv is added to the action's environment and is not part of its digest: it may
	// only hold what cannot change the output.
	ExtraEnv []string
	// Colours is added to the environment so that the commands colour what they say, though nobody but us reads it. The log has it without,
	// and the script leaves it out.
	Colours []string
	// ReadOnly are files and folders that the command reads and that are not its inputs, as absolute paths. They may only hold what
	// the action's digest stands for.
	ReadOnly []string
	// Instead are files below them that it sees as others: the path of each, and that of the file whose content it has.
	Instead map[string]string
	// Before are commands run first, only for their effect on State or on what is ReadOnly.
	Before []Command
	// Log takes the commands and all their output; LogPath is its file.
	Log     io.Writer
	LogPath string
	// Status is told the last line of output now and then.
	Status func(string)
	// Waits, when set, is told what the command waits for before it begins; the function that it returns is called when it goes on.
	Waits func(what string) (until func())
	// Ran says where the command ran when it was not here, for the log and the script.
	Ran string
	// Light commands are over in a moment, or wait for disks and servers. They take no job: beside a cargo that keeps all jobs for
	// minutes they would wait for those.
	Light bool
}

// Command is one that is run before that of the action, in the same environment.
type Command struct {
	Args []string
	// ExtraEnv is what it has in place of the Spec's.
	ExtraEnv []string
	// Network is for a command that fetches, see [sandbox.Access]. Private is the user's settings for that, as NAME=value, which no script
	// gets to hold.
	Network bool
	Private []string
}

// CommandError is a command that failed, with what a person needs to go on.
type CommandError struct {
	Args   []string
	First  string // the first line that looks like an error, "" if none does
	Script string // repeats the command by hand
	Root   string // the exec root that the script works in
	// Messages are all errors of the command; More is how many there were besides.
	Messages []diagnostic.Message
	More     int
	Err      error
}

func (e *CommandError) Error() string {
	if e.First != "" {
		return fmt.Sprintf("%s: %v", e.First, e.Err)
	}
	return e.Err.Error()
}

// moved says that the exec root is in another place.
func (e *CommandError) moved(args []string, from, to string) {
	e.Args, e.Root = args, to
	for i := range e.Messages {
		e.Messages[i].Text = strings.ReplaceAll(e.Messages[i].Text, from+string(filepath.Separator), to+string(filepath.Separator))
	}
}

func (e *CommandError) Unwrap() error { return e.Err }

// Collect picks the outputs out of an exec root when the command has succeeded.
type Collect func(ctx context.Context, root string) (*cas.Tree, error)

// Run lays out the inputs, runs the command and stores what collect picks. It returns the root
// of the output tree.
func (r *Runner) Run(ctx context.Context, s Spec, collect Collect) (cas.Digest, error) {
	if r.Shell != nil { // whatever happens there must not get into what later commands find
		s.Key, s.State = "", nil
	}
	root, done, err := r.open(ctx, s)
	if err != nil {
		return cas.Digest{}, err
	}
	defer done()
	if s.Key != "" {
		resealed, err := r.openState(ctx, s, root.dir)
		if err != nil {
			return cas.Digest{}, err
		}
		defer resealed()
	}
	err = r.perform(ctx, s, &root)
	var failed *CommandError
	if s.Key == "" && errors.As(err, &failed) {
		r.keepFailed(ctx, s, root, failed)
	}
	if err != nil {
		return cas.Digest{}, err
	}
	tree, err := collect(ctx, root.dir)
	if err != nil {
		return cas.Digest{}, err
	}
	return r.Store.PutTree(tree)
}

// ErrNotRun says that a command was not run, for somebody else had its folder.
var ErrNotRun = errors.New("the step's command was not run")

// Prepared is a command that is ready to be run.
type Prepared struct {
	Dir  string
	Env  []string
	Args []string
	// Confined is the command line for another command in its place, which begins in the same sandbox, with a /tmp of its own.
	Confined func(args ...string) ([]string, error)
}

// shell hands a command that is ready to Shell.
func (r *Runner) shell(ctx context.Context, s Spec, root folder) error {
	if err := r.NeedTools(ctx); err != nil {
		return err
	}
	c := r.expandCommand(s, root, Command{Args: s.Action.Args, ExtraEnv: s.ExtraEnv})
	err := r.Shell(ctx, Prepared{c.dir, c.env, c.args, func(args ...string) ([]string, error) { return r.Sandbox.Script(ctx, c.dir, args, c.access) }})
	if err == nil {
		err = ErrNotRun
	}
	return err
}

// perform lays the folder out and runs the commands in it.
func (r *Runner) perform(ctx context.Context, s Spec, root *folder) error {
	linked, err := r.layOut(ctx, s, root.dir)
	if err != nil {
		return err
	}
	defer releaseAll(linked)
	for _, l := range linked {
		root.locks = append(root.locks, l.lock.File())
		root.shared = append(root.shared, l.tree)
	}
	if err := makeOutputDirs(root.dir, s.Action.Outputs); err != nil {
		return err
	}
	commands := s.commands()
	if r.Shell != nil {
		commands = s.Before
	}
	for _, c := range commands {
		if err := r.command(ctx, s, *root, c); err != nil {
			return err
		}
	}
	if r.Shell != nil {
		return r.shell(ctx, s, *root)
	}
	return nil
}

// commands are all that are run, in order.
func (s Spec) commands() []Command {
	return append(slices.Clone(s.Before), Command{Args: s.Action.Args, ExtraEnv: s.ExtraEnv})
}

// openState makes sure that the state in a lasting folder is what the last command left. What it returns notes, in the end, what it is then: of a run
// that was stopped nothing is, for time is short.
func (r *Runner) openState(ctx context.Context, s Spec, dir string) (reseal func(), err error) {
	known, altered, err := unseal(ctx, dir, s.State)
	if err != nil {
		return nil, err
	}
	if altered != "" {
		line := fmt.Sprintf("%s has changed since the last command there ended; %s is made anew", filepath.Join(dir, filepath.FromSlash(altered)), strings.Join(s.State, ", "))
		fmt.Fprintln(s.Log, line)
		if r.Notice != nil {
			r.Notice(line)
		}
	}
	return func() {
		if err := sealState(ctx, dir, s.State, known); err != nil {
			_ = os.Remove(filepath.Join(dir, sealName)) // without one the state is believed
		}
	}, nil
}

// makeOutputDirs makes the folders of the outputs, as remote execution does for its workers.
func makeOutputDirs(root string, outputs []string) error {
	for _, out := range outputs {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(filepath.FromSlash(out))), 0o755); err != nil {
			return err
		}
	}
	return nil
}

type folder struct {
	dir   string
	locks []*os.File // inherited by every process of the command, so that the locks outlive a killed build
	// shared are the trees that it has links to.
	shared []string
}

func (r *Runner) open(ctx context.Context, s Spec) (folder, func(), error) {
	if s.Key == "" {
		temp, err := r.temporary()
		if err != nil {
			return folder{}, nil, err
		}
		dir, err := os.MkdirTemp(temp.dir, "tmp-*")
		return folder{dir: dir, locks: []*os.File{temp.lock.File()}}, func() { _ = os.RemoveAll(dir) }, err
	}
	key := filepath.FromSlash(s.Key)
	if err := cachefile.MakeFolder(r.Dir, key); err != nil {
		return folder{}, nil, err
	}
	dir := filepath.Join(r.Dir, key)
	var lock *lockfile.Lock
	err := s.waiting("its folder", func() (err error) {
		lock, err = lockfile.Wait(ctx, filepath.Join(dir, lockName), func() { r.noticeWaiting(dir) })
		return err
	})
	if err != nil {
		return folder{}, nil, err
	}
	now := time.Now()
	_ = os.Chtimes(dir, now, now) // when it was last used, for the collection of old ones
	if dir, err = r.real(dir); err != nil {
		lock.Release()
		return folder{}, nil, err
	}
	return folder{dir: dir, locks: []*os.File{lock.File()}}, lock.Release, nil
}

// noticeWaiting says who works in a folder.
func (r *Runner) noticeWaiting(dir string) {
	if r.Notice != nil {
		r.Notice(fmt.Sprintf("waiting for %s, which works in %s", lockfile.Holder(filepath.Join(dir, lockName)), dir))
	}
}

// real is the path of a folder without links on the way: what a tool is told must be what it finds when it asks where it
// is. No repository around the exec roots is found from there.
func (r *Runner) real(dir string) (string, error) {
	if err := git.Bound(r.Dir); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// Names in a lasting folder that are this package's own.
const (
	lockName  = ".lock"
	statsName = ".stats" // of the inputs
	madeName  = ".made"  // of the outputs, see Made
)

// Made is what is known of the files that the command left in a lasting folder, for a Collect that need not look
// again at what has not changed. It is as old as the folder, so that a file in it was made and collected by the
// rules in the folder's key. The Collect saves it.
func Made(root string) *cas.StatCache { return cas.OpenStatCache(filepath.Join(root, madeName)) }

// ForgetMade drops what Made knows.
func ForgetMade(root string) error {
	err := os.Remove(filepath.Join(root, madeName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// layOut makes the folder hold the action's inputs, and returns what is only linked there.
func (r *Runner) layOut(ctx context.Context, s Spec, dir string) ([]shared, error) {
	inputs, locks, err := r.linkShared(ctx, s, dir)
	if err != nil {
		return nil, err
	}
	if err := r.layOutOwn(ctx, s, inputs, dir); err != nil {
		releaseAll(locks)
		return nil, err
	}
	return locks, nil
}

// layOutOwn makes the folder hold what it has for itself.
func (r *Runner) layOutOwn(ctx context.Context, s Spec, inputs cas.Digest, dir string) error {
	kept := map[string]bool{lockName: true, statsName: true, madeName: true, sealName: true}
	for _, name := range slices.Concat(s.State, s.Shared) {
		kept[name] = true
	}
	keep := func(p string) bool { return kept[p] }
	if s.Key == "" {
		return r.Store.Materialise(ctx, inputs, dir, nil, keep)
	}
	stats := cas.OpenStatCache(filepath.Join(dir, statsName))
	if err := r.Store.Materialise(ctx, inputs, dir, stats, keep); err != nil {
		return err
	}
	return stats.Save()
}

func (r *Runner) expand(s, root string) string {
	if !strings.Contains(s, "%{") {
		return s
	}
	s = strings.ReplaceAll(s, action.Root, root)
	for name, value := range r.Expand {
		s = strings.ReplaceAll(s, name, value)
	}
	return s
}

func (r *Runner) environment(s Spec, root string, extra []string) []string {
	var env []string
	for name, value := range s.Action.Env {
		env = append(env, name+"="+r.expand(value, root))
	}
	sort.Strings(env)
	return slices.Concat(env, extra, r.ExtraEnv)
}

// Fetch runs a program that fetches, see [sandbox.Access], in a folder of the caller's, with its placeholders expanded for that
// folder. It takes no job: such programs hardly compute.
func (r *Runner) Fetch(ctx context.Context, dir string, env map[string]string, extra []string, log io.Writer, args ...string) error {
	return r.light(ctx, dir, env, log, Command{Args: args, Network: true, Private: extra})
}

// Tool is the same for one that fetches nothing.
func (r *Runner) Tool(ctx context.Context, dir string, env map[string]string, log io.Writer, args ...string) error {
	return r.light(ctx, dir, env, log, Command{Args: args})
}

func (r *Runner) light(ctx context.Context, dir string, env map[string]string, log io.Writer, c Command) error {
	temp, err := r.temporary()
	if err != nil {
		return err
	}
	s := Spec{Action: &action.Action{Args: c.Args, Env: env}, Log: log, Light: true}
	return r.command(ctx, s, folder{dir: dir, locks: []*os.File{temp.lock.File()}}, c)
}

// Plain runs a tool that sees one folder of the caller's and may write it. Its standard error goes to warnings.
func (r *Runner) Plain(ctx context.Context, dir string, args []string, out, warnings io.Writer) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if err := r.NeedTools(ctx); err != nil {
		return err
	}
	p := process.Process{Args: args, Env: append([]string{"LC_ALL=C"}, r.ExtraEnv...), Dir: dir, User: r.User, Output: out, Errors: warnings}
	return r.begin(ctx, p, sandbox.Access{ReadWrite: []string{dir}})
}

// begin is where every process of a step begins.
func (r *Runner) begin(ctx context.Context, p process.Process, a sandbox.Access) error {
	temp, err := r.TempDir("tmp")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	return r.Sandbox.Run(ctx, p, a, temp)
}

// NeedTools makes sure that the tools are there, for what runs or reads them itself.
func (r *Runner) NeedTools(ctx context.Context) error {
	if r.Install == nil {
		return nil
	}
	return r.Install(ctx)
}

// waiting does what may last because of others.
func (s *Spec) waiting(what string, f func() error) error {
	if s.Waits != nil {
		defer s.Waits(what)()
	}
	return f()
}

// command runs one command. It holds one token of the jobserver meanwhile: the job that every client
// of a jobserver owns from the start.
func (r *Runner) command(ctx context.Context, s Spec, root folder, todo Command) error {
	if err := r.NeedTools(ctx); err != nil {
		return err
	}
	c := r.expandCommand(s, root, todo)
	script, err := r.writeScript(ctx, c, s.LogPath, s.Ran)
	if err != nil {
		return err
	}
	if r.Jobs != nil && !s.Light {
		if err := s.waiting("a free job", func() error { return r.Jobs.Acquire(ctx) }); err != nil {
			return err
		}
		defer r.Jobs.Release()
	}
	fmt.Fprintf(s.Log, "$ cd %s\n$ %s\n", process.Quote([]string{c.dir}), process.Quote(c.args))
	watch, log := &watcher{status: s.Status}, terminal.NewUncoloured(s.Log)
	shown := secretkey.Redact(watch) // a terminal is looked at by more than one, and what it shows is kept by CI
	p := process.Process{Args: c.args, Env: slices.Concat(c.env, c.private, s.Colours), Dir: c.dir, Output: io.MultiWriter(log, shown), Files: slices.Clone(root.locks), User: r.User}
	if r.Jobs != nil {
		p.Env = append(p.Env, r.Jobs.Env(3+len(p.Files))...)
		p.Files = append(p.Files, r.Jobs.Files()...)
	}
	err = r.begin(ctx, p, c.access)
	if flushErr := log.Flush(); err == nil {
		err = flushErr
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	_ = shown.Close()
	failed := &CommandError{Args: c.args, First: watch.message(), Script: script, Root: root.dir, Err: err}
	failed.Messages, failed.More = watch.errors.Messages()
	return failed
}

// expanded is a command with all its placeholders filled in for one folder.
type expanded struct {
	dir  string
	env  []string
	args []string
	// private is the part of the environment that no script holds.
	private []string
	access  sandbox.Access
}

func (r *Runner) expandCommand(s Spec, root folder, todo Command) expanded {
	c := expanded{dir: filepath.Join(root.dir, s.Dir), env: r.environment(s, root.dir, todo.ExtraEnv), private: todo.Private}
	c.access = sandbox.Access{ReadWrite: []string{root.dir}, ReadOnly: slices.Concat(root.shared, s.ReadOnly), Instead: s.Instead, Network: todo.Network}
	if todo.Network {
		c.access.ReadWrite = append(c.access.ReadWrite, r.Fetched...)
	}
	for _, a := range todo.Args {
		c.args = append(c.args, r.expand(a, root.dir))
	}
	return c
}

// keepFailed moves a temporary folder to where it is not removed and has the script work there.
// That it cannot is no failure of the build's.
func (r *Runner) keepFailed(ctx context.Context, s Spec, root folder, failed *CommandError) {
	if s.LogPath == "" {
		return
	}
	kept := root
	kept.dir = filepath.Join(r.Dir, failedName, strings.TrimSuffix(filepath.Base(s.LogPath), ".log"))
	if os.RemoveAll(kept.dir) != nil || os.MkdirAll(filepath.Dir(kept.dir), 0o755) != nil || os.Rename(root.dir, kept.dir) != nil {
		return
	}
	if real, err := filepath.EvalSymlinks(kept.dir); err == nil {
		kept.dir = real
	}
	for _, todo := range s.commands() {
		if c := r.expandCommand(s, root, todo); slices.Equal(c.args, failed.Args) {
			c = r.expandCommand(s, kept, todo)
			failed.moved(c.args, root.dir, kept.dir)
			_, _ = r.writeScript(ctx, c, s.LogPath, s.Ran)
			return
		}
	}
}

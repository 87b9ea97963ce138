// Package execroot runs the command of an action in a private folder that holds its input
// tree and nothing else.
//
// It owns the folders below the cache's work/, the expansion of %{…} placeholders, the
// locks that keep two runs (or what a killed run left behind) out of one folder, and
// the script beside each log that repeats the command by hand. It must not know recipes or
// what the command does.
//
// There are two kinds of folder. A temporary one is made for one command and removed. A lasting
// one is kept from build to build under a key, for tools with incremental state of their own
// (cargo): its inputs are brought up to date file by file and the state paths are left alone.
package execroot

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/run"
)

// Runner makes and uses exec roots.
type Runner struct {
	Store *cas.Store
	// Dir is the folder of all exec roots.
	Dir string
	// Expand gives the values of placeholders other than %{root}: "%{rustc}" -> path.
	Expand map[string]string
	// Jobs, when set, is passed to the commands.
	Jobs *run.Jobserver
	// Notice receives lines about waiting.
	Notice func(string)
}

// Spec says how one command is run.
type Spec struct {
	Action *action.Action
	// Key, when not empty, asks for a lasting folder of that name ("base.programs/3f2a…").
	Key string
	// State are the top-level names in a lasting folder that belong to the tool.
	State []string
	// Dir is the working directory relative to the root; "/" is the file system's root.
	Dir string
	// ExtraEnv is added to the action's environment and is not part of its digest: it may
	// only hold what cannot change the output (proxies for a download).
	ExtraEnv []string
	// Before are commands run first, in the same environment, only for their effect on State.
	Before [][]string
	// Log takes the commands and all their output; LogPath is its file.
	Log     io.Writer
	LogPath string
	// Status is told the last line of output now and then.
	Status func(string)
}

// CommandError is a command that failed, with what a person needs to go on.
type CommandError struct {
	Args   []string
	First  string // the first line that looks like an error, "" if none does
	Script string // repeats the command by hand
	Err    error
}

func (e *CommandError) Error() string {
	if e.First != "" {
		return fmt.Sprintf("%s: %v", e.First, e.Err)
	}
	return e.Err.Error()
}

func (e *CommandError) Unwrap() error { return e.Err }

// Collect picks the outputs out of an exec root when the command has succeeded.
type Collect func(ctx context.Context, root string) (*cas.Tree, error)

// Run lays out the inputs, runs the command and stores what collect picks. It returns the root
// of the output tree.
func (r *Runner) Run(ctx context.Context, s Spec, collect Collect) (cas.Digest, error) {
	root, unlock, err := r.open(ctx, s)
	if err != nil {
		return cas.Digest{}, err
	}
	defer unlock()
	if err := r.layOut(ctx, s, root.dir); err != nil {
		return cas.Digest{}, err
	}
	if err := makeOutputDirs(root.dir, s.Action.Outputs); err != nil {
		return cas.Digest{}, err
	}
	for _, args := range s.Before {
		if err := r.command(ctx, s, root, args); err != nil {
			return cas.Digest{}, err
		}
	}
	if err := r.command(ctx, s, root, s.Action.Args); err != nil {
		return cas.Digest{}, err
	}
	tree, err := collect(ctx, root.dir)
	if err != nil {
		return cas.Digest{}, err
	}
	return r.Store.PutTree(tree)
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
	dir  string
	lock *os.File // inherited by every process of the command, so that the lock outlives a killed build
}

func (r *Runner) open(ctx context.Context, s Spec) (folder, func(), error) {
	if s.Key == "" {
		if err := os.MkdirAll(r.Dir, 0o755); err != nil {
			return folder{}, nil, err
		}
		dir, err := os.MkdirTemp(r.Dir, "tmp-*")
		return folder{dir: dir}, func() { os.RemoveAll(dir) }, err
	}
	dir := filepath.Join(r.Dir, filepath.FromSlash(s.Key))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return folder{}, nil, err
	}
	lock, err := waitLock(ctx, filepath.Join(dir, lockName), func() {
		if r.Notice != nil {
			r.Notice(fmt.Sprintf("waiting for %s: another build, or a process that a killed build left behind, works there", dir))
		}
	})
	if err != nil {
		return folder{}, nil, err
	}
	now := time.Now()
	_ = os.Chtimes(dir, now, now) // when it was last used, for the collection of old ones
	return folder{dir, lock}, func() { lock.Close() }, nil
}

// Names in a lasting folder that are this package's own.
const (
	lockName  = ".lock"
	statsName = ".stats"
)

// layOut makes the folder hold the action's inputs.
func (r *Runner) layOut(ctx context.Context, s Spec, dir string) error {
	if s.Key == "" {
		return r.Store.Materialise(ctx, s.Action.Inputs, dir, nil, nil)
	}
	state := map[string]bool{lockName: true, statsName: true}
	for _, name := range s.State {
		state[name] = true
	}
	stats := cas.OpenStatCache(filepath.Join(dir, statsName))
	keep := func(p string) bool { return state[p] }
	if err := r.Store.Materialise(ctx, s.Action.Inputs, dir, stats, keep); err != nil {
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

func (r *Runner) environment(s Spec, root string) []string {
	var env []string
	for name, value := range s.Action.Env {
		env = append(env, name+"="+r.expand(value, root))
	}
	sort.Strings(env)
	return append(env, s.ExtraEnv...)
}

// Tool runs a program in a folder of the caller's, with its placeholders expanded for that folder.
func (r *Runner) Tool(ctx context.Context, dir string, env map[string]string, extra []string, log io.Writer, args ...string) error {
	s := Spec{Action: &action.Action{Args: args, Env: env}, ExtraEnv: extra, Log: log, Dir: "/"}
	return r.command(ctx, s, folder{dir: dir}, args)
}

func (r *Runner) command(ctx context.Context, s Spec, root folder, args []string) error {
	expanded := make([]string, len(args))
	for i, a := range args {
		expanded[i] = r.expand(a, root.dir)
	}
	dir := filepath.Join(root.dir, s.Dir)
	if s.Dir == "/" {
		dir = "/"
	}
	env := r.environment(s, root.dir)
	script, err := writeScript(s.LogPath, dir, env, expanded)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Log, "$ cd %s\n$ %s\n", run.Quote([]string{dir}), run.Quote(expanded))
	watch := &watcher{status: s.Status}
	p := run.Process{Args: expanded, Env: env, Dir: dir, Output: io.MultiWriter(s.Log, watch)}
	if root.lock != nil {
		p.Files = append(p.Files, root.lock)
	}
	if r.Jobs != nil {
		p.Env = append(p.Env, r.Jobs.Env(3+len(p.Files))...)
		p.Files = append(p.Files, r.Jobs.Files()...)
	}
	err = run.Exec(ctx, p)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &CommandError{Args: expanded, First: watch.first, Script: script, Err: err}
}

// writeScript keeps the command as a shell script beside the log.
func writeScript(logPath, dir string, env, args []string) (string, error) {
	if logPath == "" {
		return "", nil
	}
	path := strings.TrimSuffix(logPath, ".log") + ".sh"
	var b bytes.Buffer
	fmt.Fprintf(&b, "#!/bin/sh\n# Repeats the command of %s with the same environment.\n", filepath.Base(logPath))
	fmt.Fprintf(&b, "cd %s &&\nexec env -i \\\n", run.Quote([]string{dir}))
	for _, e := range env {
		fmt.Fprintf(&b, "  %s \\\n", run.Quote([]string{e}))
	}
	fmt.Fprintf(&b, "  %s\n", run.Quote(args))
	return path, os.WriteFile(path, b.Bytes(), 0o755)
}

// watcher looks at output as it goes by: the newest line for the status, the first error line
// for the failure.
type watcher struct {
	status func(string)
	rest   []byte
	first  string
}

func (w *watcher) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		i := bytes.IndexByte(w.rest, '\n')
		if i < 0 {
			return len(p), nil
		}
		w.line(strings.TrimSpace(string(w.rest[:i])))
		w.rest = w.rest[i+1:]
	}
}

func (w *watcher) line(line string) {
	if line == "" {
		return
	}
	if w.first == "" && isError(line) {
		w.first = line
	}
	if w.status != nil {
		w.status(line)
	}
}

// isError knows the first words of rustc, cargo, lld and the LLVM tools.
func isError(line string) bool {
	return strings.HasPrefix(line, "error") || strings.HasPrefix(line, "rust-lld: error") ||
		strings.HasPrefix(line, "ld.lld: error") || strings.HasPrefix(line, "fatal error") ||
		strings.Contains(line, "internal compiler error") || strings.HasPrefix(line, "llvm-") && strings.Contains(line, "error:")
}

// FirstError returns the first error line of a log, "" when none looks like one.
func FirstError(r io.Reader) string {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); isError(line) {
			return line
		}
	}
	return ""
}

// Keep removes all but the newest n lasting folders with the given first part of the
// key, leaving alone those in use.
func (r *Runner) Keep(prefix string, n int) error {
	dir := filepath.Join(r.Dir, filepath.FromSlash(prefix))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	type aged struct {
		path string
		used time.Time
	}
	var all []aged
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() {
			all = append(all, aged{filepath.Join(dir, e.Name()), info.ModTime()})
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].used.After(all[j].used) })
	for _, old := range all[min(n, len(all)):] {
		if err := removeUnused(old.path); err != nil {
			return err
		}
	}
	return nil
}

// removeUnused removes a lasting folder unless somebody holds its lock.
func removeUnused(dir string) error {
	lock, err := tryLock(filepath.Join(dir, lockName))
	if lock == nil {
		return err
	}
	defer lock.Close()
	return os.RemoveAll(dir)
}

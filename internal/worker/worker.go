// Package worker has actions of this machine done on others.
//
// An action that runs here finds much on this machine that is not in its input tree: the toolchain, the system's shared libraries, the path
// of the folder that it works in. A worker has nothing of that. So another action is derived from it, with the inputs in a folder w/, the
// toolchain beside them, and a launcher (see launch/) that puts the path of the folder in. The result is that of the action it is derived
// from: by which key it is kept is not this package's concern.
//
// It owns the derived action and what a worker is given. It must not know what a step is for, nor how a server is spoken to (package remote).
package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/linkline"
	"github.com/pannous/redox-clif/internal/remote"
	"github.com/pannous/redox-clif/internal/toolenv"
	"github.com/pannous/redox-clif/internal/worker/protocol"
)

// Settings are what a Farm works with.
type Settings struct {
	Client *remote.Client
	Store  *cas.Store
	// Words are the paths of this machine that the words of package toolenv stand for. Dir is the toolchain's folder.
	Words map[string]string
	Dir   string
	// Toolchain lists the files of the toolchain by their paths in its folder, with where each is.
	Toolchain func(context.Context) (map[string]string, error)
	// Launcher makes the program that a worker starts, and returns its path.
	Launcher func(context.Context) (string, error)
	// Stats is the file in which the digests of the toolchain's files are kept.
	Stats string
	// NoFallback makes it an error that no worker runs a command, where it is run here otherwise.
	NoFallback bool
	// Notice is told what a user has to know, each thing once.
	Notice func(string)
}

// Farm is the workers of a build.
type Farm struct {
	Settings
	kit func() (*kit, error) // made by the first use
	cc  func() (bool, error)

	mu   sync.Mutex
	said map[string]bool
}

// New prepares the use of workers. Nothing is looked at or sent before a command is to be run.
func New(ctx context.Context, s Settings) *Farm {
	f := &Farm{Settings: s, said: map[string]bool{}}
	f.kit = sync.OnceValues(func() (*kit, error) { return makeKit(ctx, f.Settings) })
	f.cc = sync.OnceValues(func() (bool, error) { return f.tryCC(ctx) })
	return f
}

// How says how an action is run by a worker.
type How struct {
	// Name is what the server shows of it.
	Name string
	// Programs are places at which the command leaves recordings of package linkline. In place of the action's outputs come
	// the collected lines then, in a folder for each program; Given are the folders that are there as well when they are linked.
	Programs, Given []string
	// NeedsCC tells whether the command has a C compiler link programs that it runs itself; nil is no.
	NeedsCC func() (bool, error)
	// Env are variables over the action's, which cannot change what comes out.
	Env map[string]string
	// Status is told what becomes of it.
	Status func(string)
}

// collected is the folder of what the launcher collects.
const collected = "collected"

// Run has a worker run an action. Its outputs are relative to the action's folder. What is said has [action.Root] for the name that this
// folder had. The error is a [remote.UnavailableError] when it is to be run here.
func (f *Farm) Run(ctx context.Context, a *action.Action, how How) (*remote.Done, error) {
	done, err := f.run(ctx, a, how)
	var unavailable *remote.UnavailableError
	if !errors.As(err, &unavailable) {
		return done, err
	}
	if f.NoFallback {
		return nil, fmt.Errorf("no worker runs it: %s; REDOX_REMOTE_LOCAL_FALLBACK=1 has it run here then", unavailable.Why)
	}
	f.sayOnce("steps run here and not on a worker: " + unavailable.Why)
	return nil, err
}

func (f *Farm) run(ctx context.Context, a *action.Action, how How) (*remote.Done, error) {
	k, err := f.kit()
	if err != nil {
		return nil, err
	}
	if err := f.checkCC(how); err != nil {
		return nil, err
	}
	work, err := f.derive(k, a, how)
	if err != nil {
		return nil, err
	}
	done, err := f.Client.Execute(ctx, work)
	if err != nil {
		return nil, err
	}
	if why := faultOf(done); why != "" {
		return nil, &remote.UnavailableError{Why: why}
	}
	if len(how.Programs) > 0 {
		done.Outputs = done.Outputs.Sub(collected)
	}
	return done, nil
}

// Codes by which a command ends that did not fail itself, in the words of shells: it cannot be started, it is not there, or it was
// killed, as systems do that have no memory left.
const cannotStart, notThere, killed = 126, 127, 128 + 9

// faultOf says why a worker and not the command is to blame; "" when it is not.
func faultOf(done *remote.Done) string {
	switch done.ExitCode {
	case protocol.LauncherFailed, cannotStart, notThere, killed:
	default:
		return ""
	}
	where := "a worker"
	if done.Worker != "" {
		where = "the worker " + done.Worker
	}
	return fmt.Sprintf("%s could not run a command (exit code %d): %s", where, done.ExitCode, lastLine(done.Stderr))
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// checkCC refuses what needs a C compiler where the workers have none.
func (f *Farm) checkCC(how How) error {
	if how.NeedsCC == nil {
		return nil
	}
	has, err := f.cc()
	if err != nil || has {
		return err
	}
	needed, err := how.NeedsCC()
	if err == nil && needed {
		err = &remote.UnavailableError{Why: "crates have build scripts or macros, and the workers have no C compiler to link them (cc)"}
	}
	return err
}

// tryCC asks a worker whether it has a C compiler.
func (f *Farm) tryCC(ctx context.Context) (bool, error) {
	k, err := f.kit()
	if err != nil {
		return false, err
	}
	empty, err := f.Store.PutTree(cas.NewTree())
	if err != nil {
		return false, err
	}
	root, err := f.root(k, empty)
	if err != nil {
		return false, err
	}
	done, err := f.Client.Execute(ctx, remote.Work{
		Name: "a C compiler", Args: []string{"../" + launcherName, "-cc"}, Env: map[string]string{"PATH": toolenv.ForTools()["PATH"]},
		Dir: workFolder, Inputs: root, Files: k.paths,
	})
	if err != nil {
		return false, err
	}
	if why := faultOf(done); why != "" {
		return false, &remote.UnavailableError{Why: why}
	}
	return done.ExitCode == 0, nil
}

// derive makes of an action what a worker can do.
func (f *Farm) derive(k *kit, a *action.Action, how How) (remote.Work, error) {
	inputs, err := f.withRecorder(k, a.Inputs)
	if err != nil {
		return remote.Work{}, err
	}
	w := remote.Work{
		Name: how.Name, Args: []string{"../" + launcherName}, Env: map[string]string{}, Dir: workFolder, Outputs: a.Outputs,
		Files: k.paths, Status: how.Status,
	}
	if w.Inputs, err = f.root(k, inputs); err != nil {
		return w, err
	}
	for _, p := range how.Programs {
		w.Args = append(w.Args, "-program="+p)
	}
	for _, g := range how.Given {
		w.Args = append(w.Args, "-given="+g)
	}
	if len(how.Programs) > 0 {
		w.Args = append(w.Args, "-collect="+collected)
		w.Outputs = []string{collected}
	}
	w.Args = append(w.Args, "--")
	for _, arg := range a.Args {
		there, err := f.there(k, arg)
		if err != nil {
			return w, err
		}
		w.Args = append(w.Args, there)
	}
	env := maps.Clone(a.Env)
	maps.Copy(env, how.Env)
	for name, value := range env {
		if w.Env[name], err = f.there(k, value); err != nil {
			return w, fmt.Errorf("%s: %w", name, err)
		}
	}
	return w, nil
}

// root is the folder that a worker is given.
func (f *Farm) root(k *kit, inputs cas.Digest) (cas.Digest, error) {
	dirs := maps.Clone(k.dirs)
	dirs[workFolder] = inputs
	return f.Store.Compose(dirs, k.files)
}

// withRecorder puts the launcher in place of the script that records a linker's arguments: it needs no shell.
func (f *Farm) withRecorder(k *kit, inputs cas.Digest) (cas.Digest, error) {
	if inputs.IsZero() {
		return f.Store.PutTree(cas.NewTree())
	}
	e, ok, err := f.Store.Lookup(inputs, linkline.RecorderFolder)
	if err != nil || !ok || !e.Dir {
		return inputs, err
	}
	folder, err := f.Store.Compose(nil, map[string]cas.Entry{linkline.RecorderName: k.launcher})
	if err != nil {
		return cas.Digest{}, err
	}
	return f.Store.Graft(inputs, linkline.RecorderFolder, folder)
}

var word = regexp.MustCompile(`%\{[a-z-]+\}`)

// there puts into a text, in place of the words for what is on this machine, where a worker has it.
func (f *Farm) there(k *kit, text string) (string, error) {
	var failed error
	text = word.ReplaceAllStringFunc(text, func(w string) string {
		if w == action.Root {
			return w
		}
		at, err := filepath.Rel(f.Dir, f.Words[w])
		if f.Words[w] == "" || err != nil || !k.tools[filepath.ToSlash(at)] {
			failed = &remote.UnavailableError{Why: fmt.Sprintf("a worker does not have %s", w)}
			return w
		}
		return protocol.Base + "/" + toolchainFolder + "/" + filepath.ToSlash(at)
	})
	return text, failed
}

// sayOnce says something to the user, the same thing once.
func (f *Farm) sayOnce(line string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.said[line] {
		f.said[line] = true
		f.Notice(line)
	}
}

package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pannous/redox-clif/internal/process"
)

// Settings are what a host and its user give.
type Settings struct {
	Mode Mode
	// Look finds a program, "" when it is not there.
	Look func(program string) string
	// Reenter says that this program begins with [Main], so that it can be the first process of a sandbox.
	Reenter bool
	// ReadOnly is what every process sees: the toolchain.
	ReadOnly []string
	// Hidden are folders that no process sees but for what is named in its Access: the checkout, the cache, the home folder.
	// They are hidden anyway unless they lie in a folder of the system.
	Hidden []string
	// Notice receives one line when there is no sandbox.
	Notice func(string)
}

// Sandbox is the sandbox of a build. How it is enforced is tried when its first process begins.
type Sandbox struct {
	s    Settings
	once sync.Once
	way  way
	err  error
	base layout // of every process
}

// New returns the sandbox that the settings describe. It tries nothing yet.
func New(s Settings) *Sandbox { return &Sandbox{s: s} }

// way is how a sandbox is enforced.
type way interface {
	name() string
	// confine has a process begin inside.
	confine(p process.Process, v view) (process.Process, error)
	// script is the command line that a shell script has for the same.
	script(v view, args []string) []string
}

// view is what one process gets.
type view struct {
	places []place
	dir    string // where it begins
	temp   string // the folder that is its /tmp, "" for one that is gone with it
}

// Run runs a process to its end inside of the sandbox. temp is an empty folder that it has for its temporary files; who
// made it removes it.
func (b *Sandbox) Run(ctx context.Context, p process.Process, a Access, temp string) error {
	w, err := b.use(ctx)
	if err != nil {
		return err
	}
	if a.Network && b != nil && b.s.Mode != Off {
		return b.runFenced(ctx, p, append(slices.Clone(a.ReadWrite), temp))
	}
	if w == nil {
		return process.Exec(ctx, p)
	}
	v, err := b.view(a, p.Dir, temp)
	if err != nil {
		return err
	}
	confined, err := w.confine(p, v)
	if err != nil {
		return err
	}
	return asItWas(p, process.Exec(ctx, confined))
}

// runFenced runs a process that fetches. The last of the folders is for its temporary files.
func (b *Sandbox) runFenced(ctx context.Context, p process.Process, writable []string) error {
	fenced := p
	fenced.Args = b.Fence(writable...)(p.Args)
	fenced.Env = append(slices.Clone(p.Env), "TMPDIR="+writable[len(writable)-1])
	err := process.Exec(ctx, fenced)
	var exit *process.ExitError
	if errors.As(err, &exit) {
		return &process.ExitError{Args: p.Args, Code: exit.Code, Signal: exit.Signal}
	}
	return err
}

// asItWas says of an error that it is the program's own. The first process of a sandbox tells by its status which signal
// ended the program, as a shell does.
func asItWas(p process.Process, err error) error {
	var exit *process.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	own := *exit
	own.Args = p.Args
	if signal := syscall.Signal(exit.Code - endedBySignal); exit.Code > endedBySignal && signal <= lastSignal {
		own.Code, own.Signal = -1, signal.String()
	}
	return &own
}

const (
	endedBySignal = 128
	lastSignal    = syscall.Signal(64)
)

// Script is a command line that does the same by hand, and a remark when it does not: inside of the sandbox, with a /tmp of its
// own that is gone afterwards.
func (b *Sandbox) Script(ctx context.Context, dir string, args []string, a Access) ([]string, error) {
	w, err := b.use(ctx)
	if err != nil || w == nil || a.Network {
		return args, err
	}
	v, err := b.view(a, dir, "")
	if err != nil {
		return nil, err
	}
	return w.script(v, args), nil
}

// view lays out what a process sees.
func (b *Sandbox) view(a Access, dir, temp string) (view, error) {
	v := view{dir: dir, temp: temp}
	if runtime.GOOS == "darwin" {
		a.ReadOnly = slices.Concat(b.s.ReadOnly, a.ReadOnly)
		if temp != "" {
			a.ReadWrite = append(slices.Clone(a.ReadWrite), temp)
		}
		var err error
		v.places, err = macPlaces(a, b.s.Hidden)
		return v, err
	}
	l := maps.Clone(b.base)
	l[tmp] = place{Kind: empty, At: tmp}
	if temp != "" {
		l[tmp] = place{Kind: readWrite, At: tmp, From: temp}
	}
	for _, one := range []struct {
		kind  kind
		paths []string
	}{{readWrite, a.ReadWrite}, {readOnly, b.s.ReadOnly}, {readOnly, a.ReadOnly}} {
		for _, path := range one.paths {
			if err := l.add(one.kind, path); err != nil {
				return view{}, fmt.Errorf("the sandbox cannot show %s: %w", path, err)
			}
		}
	}
	for at, from := range a.Instead {
		real, err := filepath.EvalSymlinks(at)
		if err != nil {
			return view{}, fmt.Errorf("the sandbox cannot show %s: %w", at, err)
		}
		l[real] = place{Kind: readOnly, At: real, From: from}
	}
	v.places = l.places()
	return v, nil
}

// longestTrial is for a program that does nothing, on a machine that is busy with other things.
const longestTrial = 30 * time.Second

// use finds the way on first use; nil is none. It says once that there is none.
func (b *Sandbox) use(ctx context.Context) (way, error) {
	if b == nil || b.s.Mode == Off {
		return nil, nil
	}
	b.once.Do(func() {
		if b.base, b.err = newLayout(systemFolders, b.s.Hidden); b.err != nil {
			return
		}
		// The answer is for every step of the build: that this one is cancelled says nothing of the host.
		trial, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestTrial)
		defer cancel()
		found, problem := b.find(trial)
		switch b.way = found; {
		case found != nil:
		case b.s.Mode == Require:
			b.err = problem
		case b.s.Notice != nil:
			b.s.Notice("steps run without a sandbox: " + problem.short())
		}
	})
	return b.way, b.err
}

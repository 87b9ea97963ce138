package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/linkline"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// linkRun has rust-lld link one file: a link step's, of the inputs that its recipe lists, or a program of a cargo step,
// of what rustc left of it.
type linkRun struct {
	t    *step
	line linkLine
}

// linkLine is what a linker is given.
type linkLine interface {
	// check finds the nodes of what is linked.
	check() (needs, error)
	// plan is the linker's arguments and the input tree that they are about.
	plan(in graph.Outputs) (args []string, inputs cas.Digest, err error)
}

func (l *linkRun) check() (needs, error) {
	n, err := l.line.check()
	n.elsewhere = true
	return n, err
}

func (l *linkRun) plan(in graph.Outputs) (*action.Action, error) {
	args, inputs, err := l.line.plan(in)
	if err != nil {
		return nil, err
	}
	return l.t.actionOn(inputs, append([]string{toolenv.LLD}, args...)...), nil
}

func (l *linkRun) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	said := &head{}
	out, err := l.t.runTool(ctx, said.beside(job), execroot.Spec{Light: true}, true)
	var failed *execroot.CommandError
	if errors.As(err, &failed) {
		if undefined := linkline.Undefined(said.String()); len(undefined) > 0 {
			failed.First = fmt.Sprintf("error: linking %s failed: %s", l.t.s.Output, linkline.Describe(undefined))
		}
	}
	return out, err
}

// head keeps the first part of what a tool says.
type head struct{ bytes.Buffer }

// headSize bounds it, in bytes.
const headSize = 1 << 20

func (h *head) Write(p []byte) (int, error) {
	h.Buffer.Write(p[:min(len(p), max(headSize-h.Len(), 0))])
	return len(p), nil
}

// beside is the job with its log kept here as well.
func (h *head) beside(job *graph.Job) *graph.Job {
	both := *job
	both.Log = io.MultiWriter(job.Log, h)
	return &both
}

// listedLine is the line of a link step.
type listedLine struct{ t *step }

func (l listedLine) check() (needs, error) {
	refs := l.t.s.Inputs
	if l.t.s.Script != "" {
		refs = append([]string{l.t.s.Script}, refs...)
	}
	return l.t.bind(refs...)
}

func (l listedLine) plan(in graph.Outputs) ([]string, cas.Digest, error) {
	tree, files, err := l.t.lay(in)
	if err != nil {
		return nil, cas.Digest{}, err
	}
	args := []string{"-flavor", "gnu", "-o", l.t.out()}
	if l.t.s.Script != "" {
		args = append(args, "-T", files[0])
		files = files[1:]
	}
	inputs, err := l.t.b.store.PutTree(tree)
	return append(append(args, l.t.s.Args...), files...), inputs, err
}

// recordedLine is the line of one program of a cargo step.
type recordedLine struct {
	t       *step
	compile *graph.Node
	run     *cargoRun   // that compile does
	sysroot *graph.Node // the C libraries, nil without any
	script  []resolved  // linker script, nil without one
}

func (l *recordedLine) check() (n needs, err error) {
	b, s := l.t.b, l.t.s
	if err := checkLinkLine(l.run.spec, s); err != nil {
		return needs{}, err
	}
	n = needs{nodes: []*graph.Node{l.compile}, memory: linkMemory, provenance: b.provenance[l.compile]}
	if l.run.sharesStd() {
		n.nodes = append(n.nodes, l.run.std)
	}
	if s.Sysroot != "" {
		if l.sysroot, err = b.sysroot(s.Sysroot, libraries); err != nil {
			return needs{}, err
		}
		n.nodes = append(n.nodes, l.sysroot)
	}
	if s.Script != "" {
		if l.script, err = b.resolve(l.t.r, s.Script); err != nil {
			return needs{}, err
		}
		n.nodes = append(n.nodes, nodesOf(l.script)...)
	}
	return n, nil
}

// linkMemory is enough to link a program that has everything of std in it, in bytes.
const linkMemory = 512 << 20

func (l *recordedLine) plan(in graph.Outputs) ([]string, cas.Digest, error) {
	b := l.t.b
	recorded, err := b.subdir(in[l.compile], l.t.s.Output)
	if err != nil {
		return nil, cas.Digest{}, err
	}
	args, err := l.args(in, recorded)
	if err != nil {
		return nil, cas.Digest{}, err
	}
	dirs := map[string]cas.Digest{}
	if dirs[linkline.InFolder], err = b.subdir(recorded, linkline.InFolder); err != nil {
		return nil, cas.Digest{}, err
	}
	if l.run.sharesStd() {
		dirs["std"] = in[l.run.std]
	}
	if l.sysroot != nil {
		if dirs["sysroot"], err = b.subdir(in[l.sysroot], "root"); err != nil {
			return nil, cas.Digest{}, err
		}
	}
	if l.script != nil {
		if dirs["script"], err = l.scriptFolder(in); err != nil {
			return nil, cas.Digest{}, err
		}
	}
	inputs, err := b.store.Compose(dirs, nil)
	return args, inputs, err
}

// args are the recorded arguments with those of the step among them. The CRT objects, which rustc did not see when it
// compiled, are the sysroot's.
func (l *recordedLine) args(in graph.Outputs, recorded cas.Digest) ([]string, error) {
	e, ok, err := l.t.b.store.Lookup(recorded, linkline.LineName)
	if err != nil || !ok {
		return nil, errors.Join(err, fmt.Errorf("there is no line for %s", l.t.s.Output))
	}
	text, err := l.t.b.store.ReadAll(e.Digest)
	if err != nil {
		return nil, err
	}
	args, err := linkline.DecodeArgs(text, l.stepArgs())
	if err != nil || l.sysroot == nil {
		return args, err
	}
	for i, arg := range args {
		if path.Ext(arg) != ".o" || path.Base(arg) != arg {
			continue
		}
		at := path.Join("lib", arg)
		if _, ok, err := l.t.b.store.Lookup(in[l.sysroot], path.Join("root", at)); err != nil {
			return nil, err
		} else if ok {
			args[i] = "%{root}/sysroot/" + at
		}
	}
	return args, nil
}

// stepArgs are the arguments that no compile depends on, in the order in which rustc would be given them.
func (l *recordedLine) stepArgs() []string {
	_, args := linkline.SplitFlags(l.run.codegenFlags())
	if l.t.s.Script != "" {
		args = append(args, "-T", "%{root}/script/"+path.Base(l.t.s.Script))
	}
	if l.t.s.Target == recipe.TargetUEFI {
		args = append(args, noPDB)
	}
	_, own := linkline.SplitFlags(l.t.s.RustFlags)
	return append(args, own...)
}

// noPDB takes back rustc's /DEBUG. Nobody keeps the PDB, but its name is in the image, and so is a hash of it, which has the
// folder that was linked in.
const noPDB = "/DEBUG:NONE"

func (l *recordedLine) scriptFolder(in graph.Outputs) (cas.Digest, error) {
	script := l.t.s.Script
	e, err := l.t.file(in, input{script, l.script})
	if err != nil {
		return cas.Digest{}, err
	}
	return l.t.b.store.Compose(nil, map[string]cas.Entry{path.Base(script): {Digest: e.Digest}})
}

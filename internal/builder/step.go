package builder

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// stepRun is one run of what a step runs: a node. A kind of step is a file that has its stepRun.
type stepRun interface {
	// check refuses what cannot be built here, before anything is built, and says what the run needs.
	check() (needs, error)
	// plan is the action, given the outputs of the nodes that are needed.
	plan(in graph.Outputs) (*action.Action, error)
	// run performs the action and returns its output.
	run(ctx context.Context, job *graph.Job) (cas.Digest, error)
}

// needs is what a run takes.
type needs struct {
	nodes  []*graph.Node
	memory int64 // bytes, at its peak
	// elsewhere: a worker may do it.
	elsewhere bool
	// local results hold what this machine's linker and libraries put into them.
	local bool
	// typical is how long a run of the kind takes; 0 is a moment.
	typical time.Duration
	// provenance is what is known of all that it makes.
	provenance provenance
}

// toolMemory is enough for a run of one tool of the toolchain, in bytes.
const toolMemory = 256 << 20

// runNode is the node of a run.
func (b *Builder) runNode(id string, run stepRun) (*graph.Node, error) {
	return b.nodes.Once(id, func(n *graph.Node) error {
		needed, err := run.check()
		if err != nil {
			return err
		}
		n.Deps = graph.Unique(needed.nodes)
		n.Memory, n.Typical, n.Local, n.Elsewhere = needed.memory, needed.typical, needed.local, needed.elsewhere
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) { return run.plan(in) }
		n.Run = run.run
		b.provenance[n] = needed.provenance
		return nil
	})
}

// step is a step of a recipe as its runs have it, with what the runs of single tools have in common.
type step struct {
	b      *Builder
	r      *recipe.Recipe
	s      *recipe.Step
	triple string
	inputs []input // once they are bound
}

// input is a reference bound to the nodes that may have it.
type input struct {
	ref    string
	places []resolved
}

func newStep(b *Builder, r *recipe.Recipe, s *recipe.Step) *step {
	return &step{b: b, r: r, s: s, triple: b.Triple(s.Target)}
}

func (t *step) id() string { return t.r.Name + "/" + t.s.Name }

// bind finds the nodes of the files that the step gives to its tool. What comes out has the provenance of what
// goes in.
func (t *step) bind(refs ...string) (needs, error) {
	n := needs{memory: toolMemory, provenance: provenance{recipe: t.r}}
	for _, ref := range refs {
		places, err := t.b.resolve(t.r, ref)
		if err != nil {
			return needs{}, err
		}
		t.inputs = append(t.inputs, input{ref, places})
		n.nodes = append(n.nodes, nodesOf(places)...)
	}
	for _, node := range n.nodes {
		if from := t.b.provenance[node]; from.backend != "" {
			n.provenance = provenance{backend: from.backend, recipe: t.r, step: from.step}
			break
		}
	}
	return n, nil
}

// file is one of the inputs.
func (t *step) file(in graph.Outputs, of input) (cas.Entry, error) {
	e, _, err := t.b.find(in, of.places, of.ref)
	if err == nil && e.Dir {
		err = fmt.Errorf("%q is a folder; step %s wants a file", of.ref, t.s.Name)
	}
	return e, err
}

// lay places the inputs at in/0, in/1, … under their own names. args are their paths for a command line.
func (t *step) lay(in graph.Outputs) (tree *cas.Tree, args []string, err error) {
	tree = cas.NewTree()
	for i, of := range t.inputs {
		e, err := t.file(in, of)
		if err != nil {
			return nil, nil, err
		}
		at := path.Join("in", fmt.Sprint(i), path.Base(of.ref))
		tree.Entries[at] = e
		args = append(args, "%{root}/"+at)
	}
	return tree, args, nil
}

// out is the step's output on a command line.
func (t *step) out() string { return "%{root}/out/" + t.s.Output }

// toolAction is a command that makes the step's output of a tree.
func (t *step) toolAction(tree *cas.Tree, args ...string) (*action.Action, error) {
	inputs, err := t.b.store.PutTree(tree)
	if err != nil {
		return nil, err
	}
	return t.actionOn(inputs, args...), nil
}

// actionOn is toolAction for a tree that is stored.
func (t *step) actionOn(inputs cas.Digest, args ...string) *action.Action {
	return &action.Action{
		Args: args, Env: toolenv.ForTools(), Inputs: inputs, Salt: t.b.checkedSalt(t.s), Outputs: []string{"out/" + t.s.Output},
	}
}

// runTool runs the command of an action that makes one file, in the way of how. executable says what the file is to be.
func (t *step) runTool(ctx context.Context, job *graph.Job, how execroot.Spec, executable bool) (cas.Digest, error) {
	how.Shared = readOnly
	return t.b.run(ctx, job, how, func(ctx context.Context, root string) (*cas.Tree, error) {
		file := filepath.Join(root, "out", t.s.Output)
		d, err := t.b.store.PutFile(ctx, file)
		if err != nil {
			return nil, fmt.Errorf("the tool ended well but did not make %s: %w", t.s.Output, err)
		}
		if err := t.b.checkLinked(file, t.s); err != nil {
			return nil, err
		}
		tree := cas.NewTree()
		tree.Entries[t.s.Output] = cas.Entry{Digest: d, Executable: executable}
		return tree, nil
	}, t.b.oneFile("out/"+t.s.Output, t.s.Output, executable, func(file string) error { return t.b.checkLinked(file, t.s) }))
}

// inPlainFolder has f make the step's output in out, with the inputs in dir, in a folder that is gone afterwards.
func (t *step) inPlainFolder(ctx context.Context, job *graph.Job, f func(dir, out string) error) (cas.Digest, error) {
	dir, err := t.b.roots.TempDir(string(t.s.Kind))
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	if err := t.b.store.Materialise(ctx, job.Action.Inputs, dir, nil, nil); err != nil {
		return cas.Digest{}, err
	}
	made := filepath.Join(dir, "out")
	if err := f(dir, filepath.Join(made, t.s.Output)); err != nil {
		return cas.Digest{}, err
	}
	tree, err := t.b.store.Capture(ctx, made, cas.CaptureOptions{Store: true, Volatile: true})
	if err != nil {
		return cas.Digest{}, err
	}
	return t.b.store.PutTree(tree)
}

// toolRunner runs a tool to its end and returns what it wrote to standard output. argv[0] is the tool. Its error has what the tool
// complained about.
type toolRunner func(ctx context.Context, argv []string) ([]byte, error)

// runner runs tools that see one plain folder, and logs what they are given.
func (b *Builder) runner(job *graph.Job, dir string) toolRunner {
	return func(ctx context.Context, argv []string) ([]byte, error) {
		fmt.Fprintf(job.Log, "$ %s\n", process.Quote(argv))
		// Warnings must not be read as symbols.
		var out bytes.Buffer
		var warnings process.Excerpt
		err := b.roots.Plain(ctx, dir, argv, &out, io.MultiWriter(job.Log, &warnings))
		if err != nil {
			return out.Bytes(), fmt.Errorf("%w: %s", err, strings.TrimSpace(warnings.String()))
		}
		return out.Bytes(), nil
	}
}

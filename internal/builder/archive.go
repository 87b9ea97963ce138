package builder

import (
	"context"
	"fmt"
	"path"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/staticlib"
)

// archiveVersion is raised when package staticlib writes other archives of the same members.
const archiveVersion = 1

// archiveRun puts the step's inputs into a static library.
type archiveRun struct{ t *step }

func (a archiveRun) check() (needs, error) {
	n, err := a.t.bind(a.t.s.Inputs...)
	n.elsewhere = true
	return n, err
}

func (a archiveRun) plan(in graph.Outputs) (*action.Action, error) {
	return a.t.builtinOnInputs(in, "archive", archiveVersion)
}

func (a archiveRun) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	members, err := a.t.inputFiles(job)
	if err != nil {
		return cas.Digest{}, err
	}
	archive, err := staticlib.Write(members)
	if err != nil {
		return cas.Digest{}, err
	}
	return a.t.putOutput(ctx, archive)
}

// builtinOnInputs is the action of a step that this program does itself, on the files that the step lists.
func (t *step) builtinOnInputs(in graph.Outputs, name string, version int) (*action.Action, error) {
	tree, files, err := t.lay(in)
	if err != nil {
		return nil, err
	}
	a := action.Builtin(name, version, files...)
	a.Outputs = []string{"out/" + t.s.Output}
	a.Inputs, err = t.b.store.PutTree(tree)
	return a, err
}

// inputFiles are the step's files, as [step.lay] placed them.
func (t *step) inputFiles(job *graph.Job) ([]staticlib.Member, error) {
	tree, err := t.b.store.LoadTree(job.Action.Inputs)
	if err != nil {
		return nil, err
	}
	var files []staticlib.Member
	for i := range t.inputs {
		at := path.Join("in", fmt.Sprint(i), path.Base(t.inputs[i].ref))
		data, err := t.b.store.ReadAll(tree.Entries[at].Digest)
		if err != nil {
			return nil, err
		}
		files = append(files, staticlib.Member{Name: path.Base(at), Data: data})
	}
	return files, nil
}

// putOutput stores what the step has made.
func (t *step) putOutput(ctx context.Context, data []byte) (cas.Digest, error) {
	d, err := t.b.putMade(ctx, data)
	if err != nil {
		return cas.Digest{}, err
	}
	tree := cas.NewTree()
	tree.Entries[t.s.Output] = cas.Entry{Digest: d}
	return t.b.store.PutTree(tree)
}

package builder

import (
	"context"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// linkRun has rust-lld link the step's inputs, by its script if it has one.
type linkRun struct{ t *step }

func (l linkRun) check() (needs, error) {
	refs := l.t.s.Inputs
	if l.t.s.Script != "" {
		refs = append([]string{l.t.s.Script}, refs...)
	}
	return l.t.bind(refs...)
}

func (l linkRun) plan(in graph.Outputs) (*action.Action, error) {
	tree, files, err := l.t.lay(in)
	if err != nil {
		return nil, err
	}
	args := []string{toolenv.LLD, "-flavor", "gnu", "-o", l.t.out()}
	if l.t.s.Script != "" {
		args = append(args, "-T", files[0])
		files = files[1:]
	}
	args = append(args, l.t.s.Args...)
	return l.t.toolAction(tree, append(args, files...)...)
}

func (l linkRun) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	return l.t.runTool(ctx, job, true)
}

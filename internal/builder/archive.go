package builder

import (
	"context"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/staticlib"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// archiveRun puts the step's inputs into a static library.
type archiveRun struct{ t *step }

func (a archiveRun) check() (needs, error) {
	n, err := a.t.bind(a.t.s.Inputs...)
	n.elsewhere = true
	return n, err
}

func (a archiveRun) plan(in graph.Outputs) (*action.Action, error) {
	tree, files, err := a.t.lay(in)
	if err != nil {
		return nil, err
	}
	return a.t.toolAction(tree, staticlib.CreateArgs(toolenv.Ar, a.t.out(), files)...)
}

func (a archiveRun) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	return a.t.runTool(ctx, job, execroot.Spec{Light: true}, false)
}

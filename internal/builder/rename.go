package builder

import (
	"context"
	"fmt"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/staticlib"
)

// renameVersion is raised when package staticlib renames other symbols or otherwise.
const renameVersion = 3

// renameRun keeps relibc's own core and alloc out of the way of a program's.
type renameRun struct{ t *step }

func (r renameRun) check() (needs, error) {
	if n := len(r.t.s.Inputs); n != 1 {
		return needs{}, fmt.Errorf("rename-symbols takes one archive, not %d", n)
	}
	return r.t.bind(r.t.s.Inputs...)
}

func (r renameRun) plan(in graph.Outputs) (*action.Action, error) {
	return r.t.builtinOnInputs(in, "rename-symbols", renameVersion)
}

func (r renameRun) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	archives, err := r.t.inputFiles(job)
	if err != nil {
		return cas.Digest{}, err
	}
	renamed, summary, err := staticlib.Relibc(archives[0].Data)
	if err != nil {
		return cas.Digest{}, fmt.Errorf("%s: %w", archives[0].Name, err)
	}
	fmt.Fprintf(job.Log, "%+v\n", summary)
	return r.t.putOutput(ctx, renamed)
}

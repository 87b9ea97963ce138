package build

import (
	"context"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
)

const renameVersion = 1

func (t *toolRun) renameSymbols(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	return cas.Digest{}, nil
}

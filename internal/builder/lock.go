package builder

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// LockName is the file in a recipe's folder that [cargo] lock names.
const LockName = "Cargo.lock"

// Patched is the node of a recipe's patched source.
func (b *Builder) Patched(name string) (*graph.Node, error) { return b.patched(name) }

// Lock has cargo resolve the workspace of a source that brings no Cargo.lock and returns the file it
// writes. Versions are those of today: the file is to be committed beside the recipe.
func (b *Builder) Lock(ctx context.Context, r *recipe.Recipe, patched cas.Digest, log io.Writer) ([]byte, error) {
	if b.Offline {
		return nil, errors.New("a Cargo.lock is made from the registry's index: it cannot be made with -offline")
	}
	dir, err := b.tempDir("lock")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	src := filepath.Join(dir, "src")
	if err := b.Store.Materialise(ctx, patched, src, nil, nil); err != nil {
		return nil, err
	}
	workspace := filepath.Join(src, filepath.FromSlash(r.Cargo.Dir))
	err = b.Roots.Tool(ctx, dir, cargoEnv(), b.extraCargoEnv(), log, cargoPath, "generate-lockfile", "--manifest-path", filepath.Join(workspace, "Cargo.toml"))
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(workspace, "Cargo.lock"))
}

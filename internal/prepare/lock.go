package prepare

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/recipe"
)

// LockName is the file in a recipe's folder that [cargo] lock names.
const LockName = "Cargo.lock"

// Lock has cargo resolve the workspace of a source that brings no Cargo.lock and returns the file it
// writes. Versions are those of today: the file is to be committed beside the recipe.
func (s *Sources) Lock(ctx context.Context, r *recipe.Recipe, patched cas.Digest, log io.Writer) ([]byte, error) {
	if s.o.Offline {
		return nil, errors.New("a Cargo.lock is made from the registry's index: it cannot be made with -offline")
	}
	dir, err := s.o.Roots.TempDir("lock")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	src := filepath.Join(dir, "src")
	if err := s.o.Store.Materialise(ctx, patched, src, nil, nil); err != nil {
		return nil, err
	}
	workspace := filepath.Join(src, filepath.FromSlash(r.Cargo.Dir))
	err = s.cargo(ctx, log, dir, "generate-lockfile", "--manifest-path", filepath.Join(workspace, "Cargo.toml"))
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(workspace, "Cargo.lock"))
}

package prepare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/cargoedit"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// This is for a source that nobody has described yet.

// LookedAt is a copy of a source that cargo can be asked about. Close removes it.
type LookedAt struct {
	// Dir is the copy.
	Dir string

	s    *Sources
	work string
}

// LookAt makes the copy.
func (s *Sources) LookAt(ctx context.Context, tree cas.Digest) (*LookedAt, error) {
	work, err := s.o.Roots.TempDir("look")
	if err != nil {
		return nil, err
	}
	l := &LookedAt{filepath.Join(work, "src"), s, work}
	if err := s.o.Store.Materialise(ctx, tree, l.Dir, nil, nil); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close removes the copy.
func (l *LookedAt) Close() error { return os.RemoveAll(l.work) }

// Metadata is what `cargo metadata --no-deps` says of the workspace in a folder of the source, in JSON.
func (l *LookedAt) Metadata(ctx context.Context, dir string) ([]byte, error) {
	log, err := l.cargo(ctx, dir, "metadata", "--quiet", "--no-deps", "--format-version", "1")
	if err != nil {
		return nil, err
	}
	// In front of it the log has the command.
	if i := bytes.Index(log, []byte("\n{")); i >= 0 {
		return log[i+1:], nil
	}
	return nil, fmt.Errorf("cargo metadata printed no JSON:\n%s", log)
}

// Lock is a Cargo.lock by which the workspace in a folder can be built with --locked: the source's own where that will do, mended where
// it does not fit the manifests, made where there is none. brought tells that it is the source's own.
func (l *LookedAt) Lock(ctx context.Context, dir string) (text []byte, brought bool, err error) {
	file := filepath.Join(l.Dir, filepath.FromSlash(dir), LockName)
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, false, err
	}
	command := []string{"update", "--workspace"} // it keeps every version that it can
	if _, problem := cargoedit.ParseLock(before); err != nil || problem != nil {
		command = []string{"generate-lockfile"}
		if err := os.RemoveAll(file); err != nil {
			return nil, false, err
		}
	}
	if _, err := l.cargo(ctx, dir, command...); err != nil {
		return nil, false, err
	}
	text, err = os.ReadFile(file)
	return text, bytes.Equal(text, before), err
}

// cargo returns what it printed, which is in the error as well. It takes crates that the compiler in use is new enough for.
func (l *LookedAt) cargo(ctx context.Context, dir string, args ...string) ([]byte, error) {
	var log bytes.Buffer
	manifest := filepath.Join(l.Dir, filepath.FromSlash(dir), "Cargo.toml")
	env := toolenv.ForCargo()
	env["CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS"] = "fallback"
	args = append(append([]string{toolenv.Cargo}, args...), "--manifest-path", manifest)
	err := l.s.fetcher(ctx, &log, l.work, env, args...)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w\n%s", err, bytes.TrimSpace(log.Bytes()))
	}
	return log.Bytes(), err
}

// Submodules are those of a source of git that the recipe does not list and whose folders are empty in its tree, as the recipe would
// list them.
func (s *Sources) Submodules(ctx context.Context, r *recipe.Recipe, tree cas.Digest) (map[string]recipe.Submodule, error) {
	res, err := s.Resolved(r)
	if err != nil {
		return nil, err
	}
	if _, ok := res.Source.(source.Git); !ok {
		return nil, nil
	}
	missing, err := s.unlisted(ctx, res, tree, res.Submodules)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	found := map[string]recipe.Submodule{}
	for _, m := range missing {
		found[m.path] = recipe.Submodule{Git: m.url, Commit: m.commit}
	}
	return found, nil
}

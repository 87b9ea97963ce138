package builder

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/staticlib"
)

// renameVersion is raised when package staticlib renames other symbols or otherwise.
const renameVersion = 2

// renameRun keeps relibc's own core and alloc out of the way of a program's.
type renameRun struct{ t *step }

func (r renameRun) check() (needs, error) { return r.t.bind(r.t.s.Inputs...) }

func (r renameRun) plan(in graph.Outputs) (*action.Action, error) {
	tree, files, err := r.t.lay(in)
	if err != nil {
		return nil, err
	}
	return r.t.toolAction(tree, action.Builtin("rename-symbols", renameVersion, files...).Args...)
}

func (r renameRun) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	b := r.t.b
	dir, err := b.roots.TempDir("rename")
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	if err := b.store.Materialise(ctx, job.Action.Inputs, dir, nil, nil); err != nil {
		return cas.Digest{}, err
	}
	// Not by filepath.Glob: the cache may lie in a folder with brackets in its name.
	found, err := os.ReadDir(filepath.Join(dir, "in", "0"))
	if err != nil {
		return cas.Digest{}, err
	}
	if len(found) != 1 {
		return cas.Digest{}, fmt.Errorf("rename-symbols takes one archive, not %d", len(found))
	}
	out := filepath.Join(dir, r.t.s.Output)
	tools := staticlib.Tools{NM: b.o.Tools.NM, Objcopy: b.o.Tools.Objcopy, Ar: b.o.Tools.Archive, Run: b.runner(job, dir)}
	if err := os.Mkdir(filepath.Join(dir, "scratch"), 0o755); err != nil {
		return cas.Digest{}, err
	}
	summary, err := tools.Relibc(ctx, filepath.Join(dir, "in", "0", found[0].Name()), out, filepath.Join(dir, "scratch"))
	if err != nil {
		return cas.Digest{}, err
	}
	fmt.Fprintf(job.Log, "%+v\n", summary)
	d, err := b.store.PutFile(ctx, out)
	if err != nil {
		return cas.Digest{}, err
	}
	tree := cas.NewTree()
	tree.Entries[r.t.s.Output] = cas.Entry{Digest: d}
	return b.store.PutTree(tree)
}

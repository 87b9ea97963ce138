package builder

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/staticlib"
)

// renameVersion is raised when package staticlib renames other symbols or otherwise.
const renameVersion = 2

// renameSymbols keeps relibc's own core and alloc out of the way of a program's.
func (t *toolRun) renameSymbols(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	dir, err := t.tempDir("rename")
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	if err := t.Store.Materialise(ctx, job.Action.Inputs, dir, nil, nil); err != nil {
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
	out := filepath.Join(dir, t.s.Output)
	tools := staticlib.Tools{NM: t.Tools.NM, Objcopy: t.Tools.Objcopy, Ar: t.Tools.Archive, Run: t.runner(job)}
	if err := os.Mkdir(filepath.Join(dir, "scratch"), 0o755); err != nil {
		return cas.Digest{}, err
	}
	summary, err := tools.Relibc(ctx, filepath.Join(dir, "in", "0", found[0].Name()), out, filepath.Join(dir, "scratch"))
	if err != nil {
		return cas.Digest{}, err
	}
	fmt.Fprintf(job.Log, "%+v\n", summary)
	d, err := t.Store.PutFile(ctx, out)
	if err != nil {
		return cas.Digest{}, err
	}
	tree := cas.NewTree()
	tree.Entries[t.s.Output] = cas.Entry{Digest: d}
	return t.Store.PutTree(tree)
}

// runner runs the archive tools with the environment of every tool and logs what they are given.
func (t *toolRun) runner(job *graph.Job) staticlib.Runner {
	return func(ctx context.Context, argv []string) ([]byte, error) {
		fmt.Fprintf(job.Log, "$ %s\n", process.Quote(argv))
		// Warnings must not be read as symbols.
		var out, warnings bytes.Buffer
		err := process.Exec(ctx, process.Process{Args: argv, Env: append([]string{"LC_ALL=C"}, t.Roots.ExtraEnv...), User: t.Roots.User, Output: &out, Errors: &warnings})
		job.Log.Write(warnings.Bytes())
		if err != nil {
			return out.Bytes(), fmt.Errorf("%w: %s", err, bytes.TrimSpace(warnings.Bytes()))
		}
		return out.Bytes(), nil
	}
}

package builder

import (
	"context"
	"fmt"
	"os"
	"path"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/elfedit"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// stripVersion is raised when package elfedit makes other files.
const stripVersion = 1

// stripMemory is for a large program beside what is left of it, in bytes.
const stripMemory = 256 << 20

// stripNode takes symbols out of one file. It is an action of its own, so that one changed program
// costs one strip.
func (s *staging) stripNode(f recipe.File, places []resolved) (*graph.Node, error) {
	return s.b.nodes.Once(s.r.Name+"/strip/"+f.To, func(n *graph.Node) error {
		n.Deps = graph.Unique(nodesOf(places))
		n.Memory = stripMemory
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			e, from, err := s.b.find(in, places, f.From)
			if err != nil {
				return nil, err
			}
			if e.Dir || e.Link != "" {
				return nil, fmt.Errorf("%q is no file to strip", f.From)
			}
			files := map[string]cas.Entry{"in": e}
			note, err := s.note(in, from, places[0].ref)
			if err != nil {
				return nil, err
			}
			if note != nil {
				d, err := s.b.store.PutBytes(note)
				if err != nil {
					return nil, err
				}
				files["note"] = cas.Entry{Digest: d}
			}
			a := action.Builtin("strip", stripVersion, string(f.Strip))
			a.Inputs, err = s.b.store.Compose(nil, files)
			return a, err
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return s.b.strip(ctx, elfedit.What(f.Strip), job.Action.Inputs)
		}
		return nil
	})
}

// strip makes the tree with the stripped file of one with a file and perhaps a note.
func (b *Builder) strip(ctx context.Context, what elfedit.What, inputs cas.Digest) (cas.Digest, error) {
	// .comment stays: it names the compilers of everything that was linked in.
	o := elfedit.Options{What: what, Keep: []string{".comment"}}
	files, err := b.store.LoadTree(inputs)
	if err != nil {
		return cas.Digest{}, err
	}
	if e, ok := files.Entries["note"]; ok {
		note, err := b.store.ReadAll(e.Digest)
		if err != nil {
			return cas.Digest{}, err
		}
		o.Add = []elfedit.Section{{Name: elfcheck.NoteSection, Data: note}}
	}
	program, err := b.store.ReadAll(files.Entries["in"].Digest)
	if err != nil {
		return cas.Digest{}, err
	}
	stripped, err := elfedit.Strip(program, o)
	if err != nil {
		return cas.Digest{}, err
	}
	d, err := b.putMade(ctx, stripped)
	if err != nil {
		return cas.Digest{}, err
	}
	t := cas.NewTree()
	t.Entries["stripped"] = cas.Entry{Digest: d, Executable: true}
	return b.store.PutTree(t)
}

// putMade stores what can be made again: it does not wait for the disk.
func (b *Builder) putMade(ctx context.Context, data []byte) (cas.Digest, error) {
	dir, err := b.roots.TempDir("made")
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	file := path.Join(dir, "file")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return cas.Digest{}, err
	}
	return b.store.PutFile(ctx, file)
}

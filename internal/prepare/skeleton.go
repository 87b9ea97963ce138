package prepare

import (
	"context"
	"path"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
)

// skeletonVersion is raised when the skeleton of the same source changes. The action is named outline, as the node is:
// another name would be another key.
const skeletonVersion = 1

// skeleton is the node of a source's skeleton: the same tree, in which only the manifests and lock files of
// Cargo have their content. In place of every other file there is one that says which it is. Fitting a
// workspace looks at manifests and at which files there are; done on skeletons, it is done again when
// one of these changes, and not with every line of code.
func (s *Sources) skeleton(src *graph.Node) (*graph.Node, error) {
	return s.nodes.Once(src.ID+"/outline", func(n *graph.Node) error {
		n.Deps = []*graph.Node{src}
		n.Memory = 64 << 20
		n.Light = true
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			a := action.Builtin("outline", skeletonVersion, src.ID)
			a.Inputs = in[src]
			return a, nil
		}
		n.Run = func(_ context.Context, job *graph.Job) (cas.Digest, error) {
			tree, err := s.o.Store.LoadTree(job.Action.Inputs)
			if err != nil {
				return cas.Digest{}, err
			}
			for p, e := range tree.Entries {
				if e.Dir || e.Link != "" || isManifest(p) {
					continue
				}
				if e.Digest, err = s.o.Store.PutBytes(placeholder(src, p)); err != nil {
					return cas.Digest{}, err
				}
				tree.Entries[p] = e
			}
			return s.o.Store.PutTree(tree)
		}
		return nil
	})
}

// isManifest knows the files whose content decides how a workspace is fitted.
func isManifest(p string) bool {
	switch path.Base(p) {
	case "Cargo.toml", "Cargo.lock":
		return true
	}
	return false
}

// placeholder is what a skeleton has in place of a file.
func placeholder(src *graph.Node, p string) []byte { return []byte(src.ID + ": " + p + "\n") }

// fleshOut puts the files of sources into a tree made of their skeletons: what a skeleton says is a file
// of a source becomes that file, wherever it has been moved or copied to.
func (s *Sources) fleshOut(fitted cas.Digest, sources []*graph.Node, in graph.Outputs) (*cas.Tree, error) {
	real := map[cas.Digest]cas.Digest{}
	for _, src := range sources {
		full, err := s.o.Store.LoadTree(in[src])
		if err != nil {
			return nil, err
		}
		for p, e := range full.Entries {
			if !e.Dir && e.Link == "" && !isManifest(p) {
				real[cas.DigestBytes(placeholder(src, p))] = e.Digest
			}
		}
	}
	tree, err := s.o.Store.LoadTree(fitted)
	if err != nil {
		return nil, err
	}
	for p, e := range tree.Entries {
		if d, ok := real[e.Digest]; ok {
			e.Digest = d
			tree.Entries[p] = e
		}
	}
	return tree, nil
}

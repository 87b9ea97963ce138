package build

import (
	"context"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
)

// workspace is the node of a recipe's source as cargo sees it: src/ is the patched source, deps/
// the sources that take the place of git dependencies.
func (b *Builder) workspace(name string) (*graph.Node, error) {
	src, err := b.patched(name)
	if err != nil {
		return nil, err
	}
	return b.once(name+"/workspace", func(n *graph.Node) error {
		n.Deps = []*graph.Node{src}
		n.Resolve = func(_ context.Context, in graph.Outputs) (cas.Digest, error) {
			return b.inputRoot(map[string]cas.Digest{"src": in[src]}, nil)
		}
		return nil
	})
}

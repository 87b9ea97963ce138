package builder

import (
	"fmt"

	"github.com/pannous/redox-clif/internal/graph"
)

// SourceNode is the node of a recipe's source as upstream has it, or as an override says, for those who
// look at sources without building anything. A source that is another recipe's has no node of its own.
func (b *Builder) SourceNode(name string) (*graph.Node, error) {
	r, err := b.recipe(name)
	if err != nil {
		return nil, err
	}
	if r.Source.SameAs != "" {
		return nil, fmt.Errorf("%s: the source is that of %s", r.Path, r.Source.SameAs)
	}
	return b.source(r)
}

package builder

import (
	"fmt"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// kinds is the table of the kinds of step: what makes the nodes of such a step. A kind has its other row, with what a
// recipe has to say of it, in package recipe (kindTexts); a test holds the two tables to the same kinds.
func kinds() map[recipe.Kind]func(*step) ([]*graph.Node, error) {
	return map[recipe.Kind]func(*step) ([]*graph.Node, error){
		recipe.KindCargo:         cargoNodes,
		recipe.KindRustc:         oneRun(func(t *step) stepRun { return &rustcRun{t: t} }),
		recipe.KindLink:          oneRun(func(t *step) stepRun { return linkRun{t} }),
		recipe.KindArchive:       oneRun(func(t *step) stepRun { return archiveRun{t} }),
		recipe.KindRenameSymbols: oneRun(func(t *step) stepRun { return renameRun{t} }),
		recipe.KindCHeaders:      oneRun(func(t *step) stepRun { return &headersRun{t: t} }),
		recipe.KindCPrograms:     oneRun(func(t *step) stepRun { return &programsRun{t: t} }),
	}
}

// oneRun is for a kind whose step is one node.
func oneRun(make func(*step) stepRun) func(*step) ([]*graph.Node, error) {
	return func(t *step) ([]*graph.Node, error) {
		n, err := t.b.runNode(t.id(), make(t))
		return []*graph.Node{n}, err
	}
}

// stepNodes are the nodes of a step.
func (b *Builder) stepNodes(r *recipe.Recipe, s *recipe.Step) ([]*graph.Node, error) {
	nodes, ok := kinds()[s.Kind]
	if !ok {
		return nil, fmt.Errorf("step kind %q is not known", s.Kind)
	}
	return nodes(newStep(b, r, s))
}

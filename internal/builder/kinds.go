package builder

import (
	"fmt"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// kinds is the table of the kinds of step: what makes the nodes of such a step. A kind has its other row, with what a
// recipe has to say of it, in package recipe (kindTexts); a test holds the two tables to the same kinds.
func kinds() map[recipe.Kind]func(*step) ([]product, error) {
	return map[recipe.Kind]func(*step) ([]product, error){
		recipe.KindCargo:         cargoProducts,
		recipe.KindRustc:         oneRun(func(t *step) stepRun { return &rustcRun{t: t} }),
		recipe.KindLink:          oneRun(func(t *step) stepRun { return &linkRun{t, listedLine{t}} }),
		recipe.KindArchive:       oneRun(func(t *step) stepRun { return archiveRun{t} }),
		recipe.KindRenameSymbols: oneRun(func(t *step) stepRun { return renameRun{t} }),
		recipe.KindCHeaders:      oneRun(func(t *step) stepRun { return &headersRun{t: t} }),
		recipe.KindCPrograms:     oneRun(func(t *step) stepRun { return &programsRun{t: t} }),
	}
}

// oneRun is for a kind whose step is one node.
func oneRun(make func(*step) stepRun) func(*step) ([]product, error) {
	return func(t *step) ([]product, error) {
		n, err := t.b.runNode(t.id(), make(t))
		return []product{{node: n}}, err
	}
}

// product is a node whose output has what a step makes: the one file that is named, or several that are known when
// they are there.
type product struct {
	node *graph.Node
	file string // "" for several
}

// products are what a step makes.
func (b *Builder) products(r *recipe.Recipe, s *recipe.Step) ([]product, error) {
	of, ok := kinds()[s.Kind]
	if !ok {
		return nil, fmt.Errorf("step kind %q is not known", s.Kind)
	}
	return of(newStep(b, r, s))
}

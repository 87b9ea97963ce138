package recipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Plan prints what a build of a recipe would run and why, with the times of the last builds.
func Plan(ctx context.Context, s *session.Session, name string, asJSON bool) error {
	verdicts, err := s.Judge(ctx, name)
	if err != nil {
		return err
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "plan", graph.Summarise(verdicts))
	}
	return ui.WritePlan(s.Streams.Out, graph.Summarise(verdicts))
}

// explained is the answer to `mage why`.
type explained struct {
	Steps []graph.Explanation `json:"steps"`
	// Recipe is set when a whole recipe was asked for: then Total counts its steps and Depends those that run if outputs of Steps
	// change.
	Recipe  string `json:"recipe,omitempty"`
	Total   int    `json:"total,omitempty"`
	Depends int    `json:"depends,omitempty"`
}

// Why explains a step, or all steps of a recipe that would run: field by field what differs between the
// action of the last build and the one that would run now.
func Why(ctx context.Context, s *session.Session, id string, asJSON bool) error {
	e, err := explain(ctx, s, id)
	if err != nil {
		return err
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "why", e)
	}
	printExplained(s.Streams.Out, e)
	return nil
}

func explain(ctx context.Context, s *session.Session, id string) (*explained, error) {
	var all []string
	var failed error
	recipes, err := s.Recipes()
	if err != nil {
		return nil, err
	}
	for _, name := range recipesFor(recipes, id) {
		verdicts, err := s.Judge(ctx, name)
		if err != nil {
			// The step may be in the graph of another recipe.
			failed = errors.Join(failed, err)
			continue
		}
		if id == name {
			return explainRecipe(s, name, verdicts), nil
		}
		for _, v := range verdicts {
			if v.Node.ID == id {
				return explainStep(s, v, verdicts), nil
			}
			all = append(all, v.Node.ID)
		}
	}
	if failed != nil {
		return nil, failed
	}
	slices.Sort(all)
	return nil, graph.NoStepError(id, slices.Compact(all))
}

// recipesFor are the recipes in whose graph a step can be, the likeliest first.
func recipesFor(recipes recipe.Set, id string) []string {
	name, _, _ := strings.Cut(id, "/")
	if recipes[name] != nil {
		return []string{name}
	}
	return []string{"demo", "initfs"}
}

func explainRecipe(s *session.Session, name string, verdicts []graph.Verdict) *explained {
	e := &explained{Recipe: name, Total: len(verdicts)}
	for _, v := range verdicts {
		switch v.State {
		case "run":
			e.Steps = append(e.Steps, graph.Explain(s.Store, s.History, v))
		case "depends":
			e.Depends++
		}
	}
	return e
}

// explainStep explains one step, and when that depends on outputs that are not known yet, what they wait for.
func explainStep(s *session.Session, v graph.Verdict, all []graph.Verdict) *explained {
	e := &explained{Steps: []graph.Explanation{graph.Explain(s.Store, s.History, v)}}
	if v.State == "depends" {
		for _, cause := range graph.Causes(v.Node, all) {
			e.Steps = append(e.Steps, graph.Explain(s.Store, s.History, cause))
		}
	}
	return e
}

func printExplained(out io.Writer, e *explained) {
	for _, step := range e.Steps {
		printExplanation(out, step)
	}
	switch {
	case e.Recipe == "":
	case len(e.Steps)+e.Depends == 0:
		fmt.Fprintf(out, "%s: all %d steps are up to date; `mage why STEP` tells why one ran the last time\n", e.Recipe, e.Total)
	case e.Depends > 0:
		fmt.Fprintf(out, "%d more steps run if outputs of these change: `mage plan -recipe=%s` lists them\n", e.Depends, e.Recipe)
	}
}

func printExplanation(out io.Writer, e graph.Explanation) {
	line := e.ID + ": " + e.State
	if e.Reason != "" {
		line += ": " + e.Reason
	}
	fmt.Fprintln(out, line)
	if e.Last == nil {
		return
	}
	fmt.Fprintf(out, "  last built %s: action %s, output %s\n", e.Last.When.Local().Format("2006-01-02 15:04:05"), e.Last.Action.Short(), e.Last.Output.Short())
	if e.OfLastBuild {
		fmt.Fprintln(out, "  nothing differs now; what was new in that build:")
	}
	for _, change := range graph.Changes(e.Differences) {
		fmt.Fprintf(out, "    %s\n", change)
	}
}

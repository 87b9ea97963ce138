package recipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/session"
)

// Plan prints what a build of a recipe would run and why, with the times of the last builds.
func Plan(ctx context.Context, s *session.Session, name string) error {
	verdicts, err := s.Judge(ctx, name)
	if err != nil {
		return err
	}
	return s.WritePlan(verdicts)
}

// Why explains a step, or all steps of a recipe that would run: field by field what differs between the
// action of the last build and the one that would run now.
func Why(ctx context.Context, s *session.Session, id string) error {
	var all []string
	var failed error
	for _, name := range recipesFor(s, id) {
		verdicts, err := s.Judge(ctx, name)
		if err != nil {
			// The step may be in the graph of another recipe.
			failed = errors.Join(failed, err)
			continue
		}
		if id == name {
			return whyRecipe(s, name, verdicts)
		}
		for _, v := range verdicts {
			if v.Node.ID == id {
				whyStep(s, v, verdicts)
				return nil
			}
			all = append(all, v.Node.ID)
		}
	}
	if failed != nil {
		return failed
	}
	slices.Sort(all)
	return noStep(id, slices.Compact(all))
}

// noStep names the steps that have most to do with a word; a real system has too many to list.
func noStep(id string, all []string) error {
	var alike []string
	for _, step := range all {
		if strings.Contains(step, id) || slices.Contains(strings.Split(step, "/"), filepath.Base(id)) {
			alike = append(alike, step)
		}
	}
	if len(alike) == 0 {
		var first []string
		for _, step := range all {
			top, _, _ := strings.Cut(step, "/")
			first = append(first, top)
		}
		return fmt.Errorf("there is no step %q; steps begin with %s, and `mage graph` lists them", id, strings.Join(slices.Compact(first), ", "))
	}
	return fmt.Errorf("there is no step %q; did you mean %s? `mage graph` lists all", id, strings.Join(alike, ", "))
}

// recipesFor are the recipes in whose graph a step can be, the likeliest first.
func recipesFor(s *session.Session, id string) []string {
	name, _, _ := strings.Cut(id, "/")
	if s.Recipes[name] != nil {
		return []string{name}
	}
	return []string{"demo", "initfs"}
}

func whyRecipe(s *session.Session, name string, verdicts []graph.Verdict) error {
	run, perhaps := 0, 0
	for _, v := range verdicts {
		switch v.State {
		case "run":
			why(s, s.Streams.Out, v)
			run++
		case "depends":
			perhaps++
		}
	}
	if run+perhaps == 0 {
		fmt.Fprintf(s.Streams.Out, "%s: all %d steps are up to date; `mage why STEP` tells why one ran the last time\n", name, len(verdicts))
	} else if perhaps > 0 {
		fmt.Fprintf(s.Streams.Out, "%d more steps run if outputs of these change: `mage plan -recipe=%s` lists them\n", perhaps, name)
	}
	return nil
}

// whyStep explains one step, and when that depends on outputs that are not known yet, what they wait for.
func whyStep(s *session.Session, v graph.Verdict, all []graph.Verdict) {
	why(s, s.Streams.Out, v)
	if v.State != "depends" {
		return
	}
	below := map[*graph.Node]bool{}
	var collect func(n *graph.Node)
	collect = func(n *graph.Node) {
		for _, d := range n.Deps {
			if !below[d] {
				below[d] = true
				collect(d)
			}
		}
	}
	collect(v.Node)
	for _, other := range all {
		if below[other.Node] && other.State == "run" {
			why(s, s.Streams.Out, other)
		}
	}
}

func why(s *session.Session, out io.Writer, v graph.Verdict) {
	line := v.Node.ID + ": " + v.State
	if v.Reason != "" {
		line += ": " + v.Reason
	}
	fmt.Fprintln(out, line)
	last := s.History.Get(v.Node.ID)
	if last == nil {
		return
	}
	fmt.Fprintf(out, "  last built %s: action %s, output %s\n", last.When.Local().Format("2006-01-02 15:04:05"), last.Action.Digest().Short(), last.Output.Short())
	if v.Action == nil {
		return
	}
	differs := action.Differences(s.Store, last.Action, v.Action)
	if len(differs) == 0 && last.Previous != nil {
		fmt.Fprintln(out, "  nothing differs now; what was new in that build:")
		differs = action.Differences(s.Store, last.Previous, last.Action)
	}
	for _, d := range differs {
		fmt.Fprintf(out, "    %s\n", d)
	}
}

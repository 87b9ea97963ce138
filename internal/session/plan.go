package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/ui"
)

// wantRecipe is what a recipe gives: its image when it has one (with the kernel that boots it), else its staged tree.
func (s *Session) wantRecipe(name string) (want Want, o BuildOptions, err error) {
	r, err := s.recipe(name)
	if err != nil {
		return nil, o, err
	}
	want = func(b *builder.Builder) ([]*graph.Node, error) {
		if r.Initfs == nil {
			n, err := b.Stage(name)
			return []*graph.Node{n}, err
		}
		image, err := b.Initfs(name)
		if err != nil || r.Boot == nil {
			return []*graph.Node{image}, err
		}
		kernel, _, err := b.Kernel(name)
		return []*graph.Node{image, kernel}, err
	}
	return want, BuildOptions{FallBack: isDemo(r)}, nil
}

// judged is the graph of a recipe with what a build would do with each step.
func (s *Session) judged(ctx context.Context, name string) ([]graph.Verdict, error) {
	want, o, err := s.wantRecipe(name)
	if err != nil {
		return nil, err
	}
	// To judge writes nothing: it works in a checkout that is not the user's.
	cfg := *s.Config
	cfg.DryRun = true
	dry := *s
	dry.Config = &cfg
	tools, err := dry.tools(ctx)
	if err != nil {
		return nil, err
	}
	builder, err := dry.builder(tools, nil, o)
	if err != nil {
		return nil, err
	}
	defer builder.Roots.Close()
	roots, err := want(builder)
	if err != nil {
		return nil, err
	}
	return s.engine(quiet{}).DryRun(ctx, roots)
}

// Plan prints what a build of a recipe would run and why, with the times of the last builds.
func (s *Session) Plan(ctx context.Context, name string) error {
	verdicts, err := s.judged(ctx, name)
	if err != nil {
		return err
	}
	return s.writePlan(verdicts)
}

// printPlan says what a build would do.
func (s *Session) printPlan(ctx context.Context, roots []*graph.Node) error {
	verdicts, err := s.engine(quiet{}).DryRun(ctx, roots)
	if err != nil {
		return err
	}
	return s.writePlan(verdicts)
}

func (s *Session) writePlan(verdicts []graph.Verdict) error {
	rows := [][]string{{"STEP", "STATE", "LAST TIME", "REASON"}}
	var run, perhaps int
	var certain, possible time.Duration
	for _, v := range verdicts {
		if v.State == "up to date" && v.Reason == "" {
			continue // `mage graph` has them
		}
		last := ""
		if v.Estimate > 0 {
			last = ui.Seconds(v.Estimate)
		}
		switch v.State {
		case "run":
			run++
			certain += v.Estimate
		case "depends":
			perhaps++
			possible += v.Estimate
		}
		rows = append(rows, []string{v.Node.ID, v.State, last, v.Reason})
	}
	if len(rows) > 1 {
		if err := ui.Table(s.Streams.Out, rows); err != nil {
			return err
		}
	}
	out := s.Streams.Out
	if run+perhaps == 0 {
		fmt.Fprintf(out, "nothing would run: all %d steps are up to date\n", len(verdicts))
		return nil
	}
	fmt.Fprintf(out, "%d of %d steps would run%s", run, len(verdicts), took(certain))
	if perhaps > 0 {
		fmt.Fprintf(out, ", and up to %d more%s if outputs change", perhaps, took(possible))
	}
	fmt.Fprintln(out)
	return nil
}

func took(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s of work the last time)", ui.Seconds(d))
}

// Why explains a step, or all steps of a recipe that would run: field by field what differs between the
// action of the last build and the one that would run now.
func (s *Session) Why(ctx context.Context, id string) error {
	var all []string
	var failed error
	for _, name := range s.recipesFor(id) {
		verdicts, err := s.judged(ctx, name)
		if err != nil {
			// The step may be in the graph of another recipe.
			failed = errors.Join(failed, err)
			continue
		}
		if id == name {
			return s.whyRecipe(name, verdicts)
		}
		for _, v := range verdicts {
			if v.Node.ID == id {
				s.whyStep(v, verdicts)
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
func (s *Session) recipesFor(id string) []string {
	name, _, _ := strings.Cut(id, "/")
	if s.Recipes[name] != nil {
		return []string{name}
	}
	return []string{"demo", "initfs"}
}

func (s *Session) whyRecipe(name string, verdicts []graph.Verdict) error {
	run, perhaps := 0, 0
	for _, v := range verdicts {
		switch v.State {
		case "run":
			s.why(s.Streams.Out, v)
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
func (s *Session) whyStep(v graph.Verdict, all []graph.Verdict) {
	s.why(s.Streams.Out, v)
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
			s.why(s.Streams.Out, other)
		}
	}
}

func (s *Session) why(out io.Writer, v graph.Verdict) {
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

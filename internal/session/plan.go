package session

import (
	"context"
	"fmt"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/ui"
)

// printPlan says what a build would do.
func (s *Session) printPlan(ctx context.Context, roots []*graph.Node) error {
	verdicts, err := s.engine(nil).DryRun(ctx, roots)
	if err != nil {
		return err
	}
	rows := [][]string{{"STEP", "STATE", "LAST TIME", "REASON"}}
	run := 0
	for _, v := range verdicts {
		last := ""
		if v.Estimate > 0 {
			last = ui.Seconds(v.Estimate)
		}
		if v.State != "up to date" {
			run++
		}
		rows = append(rows, []string{v.Node.ID, v.State, last, v.Reason})
	}
	if err := ui.Table(s.Streams.Out, rows); err != nil {
		return err
	}
	fmt.Fprintf(s.Streams.Out, "%d of %d steps would run\n", run, len(verdicts))
	return nil
}

// Why explains the last difference of a step: field by field between the action of the last build
// and the one that would run now.
func (s *Session) Why(ctx context.Context, id string, want Want) error {
	tools, err := s.tools(ctx)
	if err != nil {
		return err
	}
	builder, err := s.builder(tools, nil, true)
	if err != nil {
		return err
	}
	roots, err := want(builder)
	if err != nil {
		return err
	}
	verdicts, err := s.engine(nil).DryRun(ctx, roots)
	if err != nil {
		return err
	}
	var ids []string
	for _, v := range verdicts {
		if v.Node.ID == id {
			return s.why(ctx, v)
		}
		ids = append(ids, v.Node.ID)
	}
	return fmt.Errorf("there is no step %q; steps are %s", id, strings.Join(ids, ", "))
}

func (s *Session) why(ctx context.Context, v graph.Verdict) error {
	out := s.Streams.Out
	fmt.Fprintf(out, "%s: %s %s\n", v.Node.ID, v.State, v.Reason)
	last := s.History.Get(v.Node.ID)
	if last == nil {
		return nil
	}
	fmt.Fprintf(out, "last built %s: action %s, output %s\n", last.When.Local().Format("2006-01-02 15:04:05"), last.Action.Digest().Short(), last.Output.Short())
	if v.Action == nil {
		return nil
	}
	for _, d := range action.Differences(s.Store, last.Action, v.Action) {
		fmt.Fprintf(out, "  %s\n", d)
	}
	return nil
}

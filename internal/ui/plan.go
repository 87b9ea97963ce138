package ui

import (
	"fmt"
	"io"
	"time"

	"github.com/pannous/redox-clif/internal/graph"
)

// WritePlan writes what a build would do: a table of the steps that are not up to date, and how many they are.
func WritePlan(out io.Writer, p *graph.PlanSummary) error {
	rows := [][]string{{"STEP", "STATE", "LAST TIME", "REASON"}}
	for _, step := range p.Steps {
		if step.State == "up to date" && step.Reason == "" {
			continue // `mage graph` has them
		}
		last := ""
		if step.LastMillis > 0 {
			last = Seconds(millis(step.LastMillis))
		}
		rows = append(rows, []string{step.ID, step.State, last, step.Reason})
	}
	if len(rows) > 1 {
		if err := Table(out, rows); err != nil {
			return err
		}
	}
	if p.Run+p.Depends == 0 {
		_, err := fmt.Fprintf(out, "nothing would run: all %d steps are up to date\n", len(p.Steps))
		return err
	}
	fmt.Fprintf(out, "%d of %d steps would run%s", p.Run, len(p.Steps), lastTime(p.RunMillis))
	if p.Depends > 0 {
		fmt.Fprintf(out, ", and up to %d more%s if outputs change", p.Depends, lastTime(p.DependsMillis))
	}
	_, err := fmt.Fprintln(out)
	return err
}

func lastTime(ms int64) string {
	if ms == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s of work the last time)", Seconds(millis(ms)))
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

package recipe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// GraphFormats are what Graph can write.
var GraphFormats = []string{"text", "dot", "json", "svg"}

// Graph writes the graph of a recipe as an indented tree, for Graphviz or as JSON, or the timeline of
// the last build as an SVG picture.
func Graph(ctx context.Context, s *session.Session, name, format string) error {
	if format == "svg" {
		return timeline(s)
	}
	write := map[string]func(io.Writer, []graph.Verdict) error{"text": writeTree, "dot": writeDOT, "json": writeJSON}[format]
	if write == nil {
		return fmt.Errorf("-format is %q, not one of %s", format, strings.Join(GraphFormats, ", "))
	}
	verdicts, err := s.Judge(ctx, name)
	if err != nil {
		return err
	}
	return write(s.Streams.Out, verdicts)
}

func timeline(s *session.Session) error {
	text, err := os.ReadFile(s.TraceFile())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s: no step has run in this checkout yet", s.Relative(s.TraceFile()))
	}
	if err != nil {
		return err
	}
	return ui.WriteTimeline(s.Streams.Out, text)
}

// writeTree writes each step with what it needs below it; a step seen before is named and not opened again.
func writeTree(w io.Writer, verdicts []graph.Verdict) error {
	by, needed := map[*graph.Node]graph.Verdict{}, map[*graph.Node]bool{}
	for _, v := range verdicts {
		by[v.Node] = v
		for _, d := range v.Node.Deps {
			needed[d] = true
		}
	}
	seen := map[*graph.Node]bool{}
	var write func(n *graph.Node, indent, branch, below string) error
	write = func(n *graph.Node, indent, branch, below string) error {
		v := by[n]
		line := indent + branch + n.ID
		if v.State != "up to date" {
			line += " [" + v.State + "]"
		}
		if seen[n] && len(n.Deps) > 0 {
			line += " (above)"
		}
		if _, err := fmt.Fprintln(w, line); err != nil || seen[n] {
			return err
		}
		seen[n] = true
		for i, d := range n.Deps {
			branch, next := "├─ ", "│  "
			if i == len(n.Deps)-1 {
				branch, next = "└─ ", "   "
			}
			if err := write(d, indent+below, branch, next); err != nil {
				return err
			}
		}
		return nil
	}
	for _, v := range verdicts {
		if needed[v.Node] {
			continue
		}
		if err := write(v.Node, "", "", ""); err != nil {
			return err
		}
	}
	return nil
}

// dotColours are the fills of the states.
var dotColours = map[string]string{"up to date": "#d8f0d8", "run": "#ffd9b0", "depends": "#fff3c4"}

func writeDOT(w io.Writer, verdicts []graph.Verdict) error {
	var b strings.Builder
	b.WriteString("digraph build {\n  rankdir=RL;\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n")
	for _, v := range verdicts {
		fmt.Fprintf(&b, "  %q [fillcolor=%q];\n", v.Node.ID, dotColours[v.State])
		for _, d := range v.Node.Deps {
			fmt.Fprintf(&b, "  %q -> %q;\n", v.Node.ID, d.ID)
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func writeJSON(w io.Writer, verdicts []graph.Verdict) error {
	return ui.WriteJSON(w, "graph", graph.Summarise(verdicts))
}

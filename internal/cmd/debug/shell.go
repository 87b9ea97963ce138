package debug

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/process"
	"github.com/pannous/redox-clif/internal/session"
)

// Shell opens a shell where a step runs: in a folder with its inputs, with its environment and in its sandbox. command is run in place of a
// person's; "" is for one.
func Shell(ctx context.Context, s *session.Session, step, command string) error {
	name, _, _ := strings.Cut(step, "/")
	if name == "std" || name == "rust-src" { // the standard library's, which the demo needs as well
		name = "demo"
	}
	want, o, err := s.Want(name)
	if err != nil {
		return err
	}
	var node *graph.Node
	o.Quiet = true
	o.Done = func(ctx context.Context, built *session.Built) error {
		if node.Run == nil {
			return fmt.Errorf("%s runs no command: it is read or put together in each build", node.ID)
		}
		return inPlaceOf(ctx, s, built, node, command)
	}
	_, err = s.Build(ctx, o, func(b *builder.Builder) ([]*graph.Node, error) {
		roots, err := want(b)
		if err != nil {
			return nil, err
		}
		if node, err = find(roots, step); err != nil {
			return nil, err
		}
		return node.Deps, nil
	})
	return err
}

// find finds a step in a graph.
func find(roots []*graph.Node, id string) (*graph.Node, error) {
	var all []string
	seen := map[*graph.Node]bool{}
	for todo := roots; len(todo) > 0; {
		n := todo[0]
		todo = todo[1:]
		if seen[n] {
			continue
		}
		if seen[n] = true; n.ID == id {
			return n, nil
		}
		all = append(all, n.ID)
		todo = append(slices.Clone(todo), n.Deps...)
	}
	slices.Sort(all)
	return nil, graph.NoStepError(id, all)
}

// inPlaceOf has a step run up to its command, and the shell in place of that.
func inPlaceOf(ctx context.Context, s *session.Session, built *session.Built, node *graph.Node, command string) error {
	outputs := graph.Outputs{}
	for _, dep := range node.Deps {
		outputs[dep] = built.Summary.Outputs[dep]
	}
	action, err := node.Plan(ctx, outputs)
	if err != nil {
		return err
	}
	used := false
	built.Builder.Sources().Roots().Shell = func(ctx context.Context, p execroot.Prepared) error {
		used = true
		return shell(ctx, s, node.ID, p, command)
	}
	job := &graph.Job{Action: action, Inputs: outputs, Log: io.Discard, Status: func(string) {}, Notice: func(string) {}, Waits: func(string) func() { return func() {} }}
	_, err = node.Run(ctx, job)
	if errors.Is(err, execroot.ErrNotRun) {
		return nil
	}
	if err == nil && !used {
		return fmt.Errorf("%s runs no command: this program does what it does itself", node.ID)
	}
	return err
}

// shell runs a shell where a step's command would run.
func shell(ctx context.Context, s *session.Session, id string, p execroot.Prepared, command string) error {
	const program = "/bin/sh"
	args := []string{program, "-i", "+m"} // the terminal is not there by its name, and job control would want it
	if command != "" {
		args = []string{program, "-c", command}
	} else {
		s.Say("in the folder, environment and sandbox of %s; `eval \"$STEP\"` runs its command, exit ends it, and what is made there goes with it", id)
	}
	argv, err := p.Confined(args...)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = p.Dir
	cmd.Env = append(slices.Clone(p.Env), "STEP="+process.Quote(p.Args), "PS1="+id+"$ ", "TERM="+s.Config.Term)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, s.Streams.Binary(), s.Streams.Err
	err = process.Foreground(cmd)
	var exit *exec.ExitError
	if command == "" && errors.As(err, &exit) { // that of the last command somebody typed
		return nil
	}
	if err != nil {
		return fmt.Errorf("the command ended with %w", err)
	}
	return nil
}

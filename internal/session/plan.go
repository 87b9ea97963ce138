package session

import (
	"context"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/ui"
)

// IsDemo tells whether a recipe is the demo's or has its source: only these may go on with LLVM where Cranelift is missing.
func IsDemo(r *recipe.Recipe) bool { return r.Boot != nil || r.Source.SameAs == "demo" }

// Want is what a recipe gives: its image when it has one (with the kernel that boots it), else its staged tree.
func (s *Session) Want(name string) (want Want, o BuildOptions, err error) {
	r, err := s.Recipe(name)
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
	return want, BuildOptions{FallBack: IsDemo(r)}, nil
}

// Judge is the graph of a recipe with what a build would do with each step.
func (s *Session) Judge(ctx context.Context, name string) ([]graph.Verdict, error) {
	want, o, err := s.Want(name)
	if err != nil {
		return nil, err
	}
	// To judge writes nothing: it works in a checkout that is not the user's.
	cfg := *s.Config
	cfg.DryRun = true
	dry := *s
	dry.Config = &cfg
	tools, err := dry.Tools(ctx)
	if err != nil {
		return nil, err
	}
	builder, err := dry.Builder(tools, nil, o)
	if err != nil {
		return nil, err
	}
	defer builder.Close()
	roots, err := want(builder)
	if err != nil {
		return nil, err
	}
	return s.engine(Quiet{}).DryRun(ctx, roots)
}

// printPlan says what a build would do.
func (s *Session) printPlan(ctx context.Context, roots []*graph.Node) error {
	verdicts, err := s.engine(Quiet{}).DryRun(ctx, roots)
	if err != nil {
		return err
	}
	return ui.WritePlan(s.Streams.Out, graph.Summarise(verdicts))
}

// InitfsOf wants a recipe's image, and the stage beside it.
func InitfsOf(name string) Want {
	return func(b *builder.Builder) ([]*graph.Node, error) {
		n, err := b.Initfs(name)
		if err != nil {
			return nil, err
		}
		return []*graph.Node{n}, nil
	}
}

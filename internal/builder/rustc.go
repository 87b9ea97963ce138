package builder

import (
	"context"
	"errors"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/toolenv"
)

// rustcRun has rustc make an object of the step's input.
type rustcRun struct {
	t       *step
	backend recipe.Backend
	std     *graph.Node
	spec    []byte
}

func (c *rustcRun) check() (needs, error) {
	n, err := c.t.bind(c.t.s.Inputs...)
	if err != nil {
		return needs{}, err
	}
	b, s := c.t.b, c.t.s
	if c.backend, err = b.available(c.t.r, s, b.choose(c.t.r, s, s.Name)); err != nil {
		return needs{}, err
	}
	if c.spec, err = b.spec(c.t.triple); err != nil {
		return needs{}, err
	}
	if c.std, err = b.std(s.TargetOrDefault(), s.StdOrDefault(), c.backend); err != nil {
		return needs{}, err
	}
	n.nodes = append(n.nodes, c.std)
	n.provenance, n.elsewhere = provenance{backend: c.backend, recipe: c.t.r, step: s}, true
	return n, nil
}

func (c *rustcRun) plan(in graph.Outputs) (*action.Action, error) {
	tree, files, err := c.t.lay(in)
	if err != nil {
		return nil, err
	}
	std, err := c.t.b.store.LoadTree(in[c.std])
	if err != nil {
		return nil, err
	}
	tree.Graft("std", std)
	d, err := c.t.b.store.PutBytes(c.spec)
	if err != nil {
		return nil, err
	}
	tree.Entries["spec/"+c.t.triple+".json"] = cas.Entry{Digest: d}
	return c.t.toolAction(tree, append(c.command(), files...)...)
}

func (c *rustcRun) command() []string {
	json, _ := c.t.b.jsonTargetFlags()
	args := append([]string{toolenv.Rustc}, json...)
	args = append(args, backendFlags(c.backend)...)
	args = append(args, "--target", "%{root}/spec/"+c.t.triple+".json", "--sysroot=%{root}/std")
	args = append(args, remaps()...)
	args = append(args, "--emit", "obj="+c.t.out())
	return append(args, c.t.s.Args...)
}

func (c *rustcRun) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	out, err := c.t.runTool(ctx, job, execroot.Spec{}, false)
	var failed *execroot.CommandError
	if errors.As(err, &failed) {
		places{b: c.t.b, r: c.t.r, dir: "in"}.rename(failed)
	}
	return out, err
}

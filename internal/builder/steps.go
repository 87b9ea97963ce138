package builder

import (
	"context"
	"fmt"
	"path"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// step makes the nodes of a step.
func (b *Builder) step(r *recipe.Recipe, s *recipe.Step) ([]*graph.Node, error) {
	if s.Kind == "cargo" {
		return b.cargoStep(r, s)
	}
	makeNode := b.toolStep
	if s.Kind == "c-programs" {
		makeNode = b.programsStep
	}
	n, err := makeNode(r, s)
	return []*graph.Node{n}, err
}

// toolStep is a step that gives one tool some files and takes one file back.
func (b *Builder) toolStep(r *recipe.Recipe, s *recipe.Step) (*graph.Node, error) {
	return b.once(r.Name+"/"+s.Name, func(n *graph.Node) error {
		refs := s.Inputs
		if s.Script != "" {
			refs = append([]string{s.Script}, refs...)
		}
		places := make([][]resolved, len(refs))
		for i, ref := range refs {
			var err error
			if places[i], err = b.resolve(r, ref); err != nil {
				return err
			}
			n.Deps = append(n.Deps, nodesOf(places[i])...)
		}
		t := &toolRun{Builder: b, r: r, s: s, triple: b.Triple(s.Target)}
		if s.Kind == "rustc" {
			if err := t.needStd(n); err != nil {
				return err
			}
		}
		if s.Kind == "c-headers" {
			var err error
			if t.src, err = b.patched(r.Name); err != nil {
				return err
			}
			n.Deps = append(n.Deps, t.src)
		}
		n.Deps = uniqueNodes(n.Deps)
		n.Memory = 256 << 20
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			return t.action(in, refs, places)
		}
		n.Run = t.run
		b.provenance[n] = t.provenance(places)
		return nil
	})
}

// toolRun is one run of a tool.
type toolRun struct {
	*Builder
	r       *recipe.Recipe
	s       *recipe.Step
	triple  string
	backend recipe.Backend
	std     *graph.Node
	src     *graph.Node // the patched source, for C headers
	spec    []byte
}

// provenance of a linked or converted file is that of what went into it.
func (t *toolRun) provenance(places [][]resolved) provenance {
	if t.backend != "" {
		return provenance{backend: string(t.backend), recipe: t.r, step: t.s}
	}
	for _, inputs := range places {
		for _, p := range inputs {
			if from, ok := t.Builder.provenance[p.node]; ok && from.backend != "" {
				return provenance{backend: from.backend, recipe: t.r, step: from.step}
			}
		}
	}
	return provenance{recipe: t.r}
}

func (t *toolRun) needStd(n *graph.Node) (err error) {
	if t.backend, err = t.available(t.r, t.s, t.Backends.choose(t.r, t.s, t.s.Name, t.tied(t.s))); err != nil {
		return err
	}
	if t.spec, err = t.Builder.spec(t.triple); err != nil {
		return err
	}
	if t.std, err = t.Builder.std(t.s.Target, t.s.StdOrDefault(), t.backend); err != nil {
		return err
	}
	n.Deps = append(n.Deps, t.std)
	return nil
}

// action places the inputs at in/0, in/1, … under their own names and names the output out/OUTPUT.
func (t *toolRun) action(in graph.Outputs, refs []string, places [][]resolved) (*action.Action, error) {
	tree := cas.NewTree()
	paths := make([]string, len(refs))
	for i, ref := range refs {
		e, _, err := t.find(in, places[i], ref)
		if err != nil {
			return nil, err
		}
		if e.Dir {
			return nil, fmt.Errorf("%q is a folder; step %s wants a file", ref, t.s.Name)
		}
		paths[i] = path.Join("in", fmt.Sprint(i), path.Base(ref))
		tree.Entries[paths[i]] = e
	}
	if t.std != nil {
		std, err := t.Store.LoadTree(in[t.std])
		if err != nil {
			return nil, err
		}
		tree.Graft("std", std)
		d, err := t.Store.PutBytes(t.spec)
		if err != nil {
			return nil, err
		}
		tree.Entries["spec/"+t.triple+".json"] = cas.Entry{Digest: d}
	}
	if t.s.Kind == "c-headers" {
		return t.headersAction(in[t.src], tree.Entries[paths[0]])
	}
	inputs, err := t.Store.PutTree(tree)
	if err != nil {
		return nil, err
	}
	for i := range paths {
		paths[i] = "%{root}/" + paths[i]
	}
	a, err := t.command(paths)
	if err != nil {
		return nil, err
	}
	a.Inputs, a.Platform, a.Outputs = inputs, t.checkedPlatform(t.s), []string{"out/" + t.s.Output}
	if a.Env == nil {
		a.Env = toolEnv()
	}
	return a, nil
}

// command is the argv, given the paths of the inputs (the script first when there is one).
func (t *toolRun) command(paths []string) (*action.Action, error) {
	out := "%{root}/out/" + t.s.Output
	switch t.s.Kind {
	case "link":
		args := []string{lldPath, "-flavor", "gnu", "-o", out}
		if t.s.Script != "" {
			args = append(args, "-T", paths[0])
			paths = paths[1:]
		}
		args = append(args, t.s.Args...)
		return &action.Action{Args: append(args, paths...)}, nil
	case "archive":
		// D: no times, no owners; the members in the order given.
		return &action.Action{Args: append([]string{arPath, "rcsD", out}, paths...)}, nil
	case "rustc":
		rustcJSON, _ := t.jsonTargetFlags()
		args := append([]string{rustcPath}, rustcJSON...)
		args = append(args, backendFlags(t.backend)...)
		args = append(args, "--target", "%{root}/spec/"+t.triple+".json", "--sysroot=%{root}/std")
		args = append(args, remaps()...)
		args = append(args, "--emit", "obj="+out)
		args = append(args, t.s.Args...)
		return &action.Action{Args: append(args, paths...)}, nil
	case "rename-symbols":
		return builtin("rename-symbols", renameVersion, paths...), nil
	}
	return nil, fmt.Errorf("step kind %q is not known", t.s.Kind)
}

func (t *toolRun) run(ctx context.Context, job *graph.Job) (cas.Digest, error) {
	switch t.s.Kind {
	case "rename-symbols":
		return t.renameSymbols(ctx, job)
	case "c-headers":
		return t.headers(ctx, job)
	}
	return t.Builder.run(ctx, job, execroot.Spec{Shared: readOnly}, t.collect)
}

func (t *toolRun) collect(ctx context.Context, root string) (*cas.Tree, error) {
	file := filepath.Join(root, "out", t.s.Output)
	d, err := t.Store.PutFile(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("the tool ended well but did not make %s: %w", t.s.Output, err)
	}
	if err := t.checkLinked(file, t.s); err != nil {
		return nil, err
	}
	tree := cas.NewTree()
	tree.Entries[t.s.Output] = cas.Entry{Digest: d, Executable: t.s.Kind == "link"}
	return tree, nil
}

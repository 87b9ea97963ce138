package builder

import (
	"fmt"
	"path"
	"strings"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// resolved is a reference bound to the node whose output holds it.
type resolved struct {
	ref  recipe.Ref
	node *graph.Node
	// path is the reference's path in the node's output tree.
	path string
}

// resolve finds the nodes behind a reference. A step that is split among backends has several
// nodes that may have made the file; where each makes one file, there is one.
func (b *Builder) resolve(r *recipe.Recipe, text string) ([]resolved, error) {
	ref, err := recipe.ParseRef(text)
	if err != nil {
		return nil, err
	}
	switch {
	case ref.Recipe != "":
		n, err := b.Stage(ref.Recipe)
		if err != nil {
			return nil, err
		}
		return []resolved{{ref, n, path.Join("root", ref.Path)}}, nil
	case ref.Step == "source":
		ws, err := b.sources.Workspace(r.Name)
		if err != nil {
			return nil, err
		}
		return []resolved{{ref, ws.Node, path.Join("src", ref.Path)}}, nil
	case ref.Step == "recipe":
		n, err := b.sources.RecipeFolder(r)
		if err != nil {
			return nil, err
		}
		return []resolved{{ref, n, ref.Path}}, nil
	}
	step, ok := r.Step(ref.Step)
	if !ok {
		return nil, fmt.Errorf("%s: %q: there is no step %q", r.Path, text, ref.Step)
	}
	products, err := b.products(r, step)
	if err != nil {
		return nil, err
	}
	var out []resolved
	var names []string
	for _, p := range products {
		if p.file == "" || p.file == ref.Path {
			out = append(out, resolved{ref, p.node, ref.Path})
		}
		names = append(names, p.file)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%q: step %s makes %s", text, ref.Step, strings.Join(names, ", "))
	}
	return out, nil
}

// find looks a reference up in the outputs. The error names what the reference was looked for in.
func (b *Builder) find(in graph.Outputs, places []resolved, text string) (cas.Entry, *graph.Node, error) {
	for _, p := range places {
		e, ok, err := b.store.Lookup(in[p.node], p.path)
		if err != nil {
			return cas.Entry{}, nil, err
		}
		if ok {
			return e, p.node, nil
		}
	}
	if places[0].ref.Step != "source" {
		return cas.Entry{}, nil, fmt.Errorf("%q: %s did not make it", text, places[0].node.ID)
	}
	return cas.Entry{}, nil, b.notInSource(in, places[0], text)
}

// notInSource says that a source has not what a reference names, and whether a submodule may have it.
func (b *Builder) notInSource(in graph.Outputs, p resolved, text string) error {
	err := fmt.Errorf("%q: the source has no %s", text, p.ref.Path)
	src, lost := b.subdir(in[p.node], "src")
	if lost != nil {
		return err
	}
	empty, lost := b.sources.EmptySubmodules(src)
	for _, at := range empty {
		if lost == nil && (p.ref.Path == at || strings.HasPrefix(p.ref.Path, at+"/")) {
			return fmt.Errorf("%w: %s is a git submodule, whose folder is empty until [source.submodules] of the recipe lists it with git and commit", err, at)
		}
	}
	return err
}

func nodesOf(places []resolved) []*graph.Node {
	var nodes []*graph.Node
	for _, p := range places {
		nodes = append(nodes, p.node)
	}
	return nodes
}

package prepare

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cargoedit"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
)

// membersVersion is raised when other members of the same workspace are kept by default.
const membersVersion = 1

// membersName is the file in the output of the members' step that has the names of those to keep, a line each; empty where all stay.
const membersName = "members"

// Members are the workspace members that a recipe keeps, as far as recipes say: nil is all. Those kept by default turn out
// to be all where the workspace has no others.
func (s *Sources) Members(r *recipe.Recipe) ([]string, error) {
	byDefault, err := s.cutsByDefault(r)
	switch {
	case byDefault:
		return r.Packages(), err
	case slices.Equal(r.Cargo.Members, recipe.AllMembers):
		return nil, err
	}
	return r.Cargo.Members, err
}

// cutsByDefault tells whether the members are not named and may be cut down to what the steps build. Sources of this repository are as
// somebody wants them, and what the registry has is no workspace.
func (s *Sources) cutsByDefault(r *recipe.Recipe) (bool, error) {
	origin, err := s.Origin(r)
	if err != nil {
		return false, err
	}
	return r.UsesCargo() && len(r.Cargo.Members) == 0 && !r.Cargo.Whole && origin.Source.Git+origin.Source.Archive != "", nil
}

// collectMembers finds out what says which members stay.
func (f *fitting) collectMembers() error {
	byDefault, err := f.s.cutsByDefault(f.r)
	if err != nil {
		return err
	}
	if byDefault {
		f.byDefault, err = f.membersNode()
		return err
	}
	f.named, err = f.s.Members(f.r)
	return err
}

// membersNode looks whether the workspace has members that the recipe's packages do not need.
func (f *fitting) membersNode() (*graph.Node, error) {
	return f.s.nodes.Once(f.r.Name+"/members", func(n *graph.Node) error {
		skeleton, err := f.s.skeleton(f.src)
		if err != nil {
			return err
		}
		n.Deps = []*graph.Node{skeleton}
		n.Memory = 64 << 20
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			a := action.Builtin("members", membersVersion, append([]string{"dir=" + f.r.Cargo.Dir}, f.r.Packages()...)...)
			a.Inputs = in[skeleton]
			return a, nil
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			keep, err := f.needs(ctx, job.Action.Inputs)
			if ctx.Err() != nil {
				return cas.Digest{}, ctx.Err()
			}
			if err != nil {
				// Nobody has asked for a shorter workspace. Cargo will say what is wrong with it, if it thinks so too.
				fmt.Fprintf(job.Log, "all members stay: %v\n", err)
				keep = nil
			}
			list, err := f.s.o.Store.PutBytes([]byte(strings.Join(keep, "\n")))
			if err != nil {
				return cas.Digest{}, err
			}
			return f.s.o.Store.Compose(nil, map[string]cas.Entry{membersName: {Digest: list}})
		}
		return nil
	})
}

// needs are the packages that the recipe builds of the workspace with this skeleton, nil where that has no member that they do not need.
func (f *fitting) needs(ctx context.Context, skeleton cas.Digest) ([]string, error) {
	tree, err := f.s.o.Store.LoadTree(skeleton)
	if err != nil {
		return nil, err
	}
	root, _, err := f.s.manifestsOf(ctx, tree)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(root)
	spare, err := cargoedit.Spare(filepath.Join(root, filepath.FromSlash(f.r.Cargo.Dir)), f.r.Packages())
	if err != nil || len(spare) == 0 {
		return nil, err
	}
	return f.r.Packages(), nil
}

// members are those that stay, nil for all.
func (f *fitting) members(in graph.Outputs) ([]string, error) {
	if f.byDefault == nil {
		return f.named, nil
	}
	e, ok, err := f.s.o.Store.Lookup(in[f.byDefault], membersName)
	if err != nil || !ok {
		return nil, err
	}
	text, err := f.s.o.Store.ReadAll(e.Digest)
	return lines(text), err
}

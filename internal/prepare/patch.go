package prepare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/patch/castree"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/symlink"
)

// patchVersion is raised when a series changes the same source in another way.
const patchVersion = 1

// Patched is the node of a recipe's source with its patch series applied.
func (s *Sources) Patched(name string) (*graph.Node, error) {
	r, err := s.recipe(name)
	if err != nil {
		return nil, err
	}
	if r.Source.SameAs != "" {
		return s.Patched(r.Source.SameAs)
	}
	src, err := s.source(r)
	if err != nil || len(r.Patches) == 0 {
		return src, err
	}
	if edited, err := s.Edited(r); err != nil || edited {
		return src, err
	}
	return s.nodes.Once(name+"/patch", func(n *graph.Node) error {
		all, digests, err := s.series(r.Patches)
		if err != nil {
			return err
		}
		n.Deps = []*graph.Node{src}
		n.Memory = 64 << 20
		n.Light = true
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			a := action.Builtin("patch", patchVersion, digests...)
			a.Inputs = in[src]
			return a, nil
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return s.applyPatches(ctx, job, job.Inputs[src], all)
		}
		return nil
	})
}

// Edited tells whether a recipe's source is under edit.
func (s *Sources) Edited(r *recipe.Recipe) (bool, error) {
	origin, err := s.Origin(r)
	if err != nil {
		return false, err
	}
	res, err := s.Resolved(origin)
	if err != nil {
		return false, origin.Place(err)
	}
	return res.Edited, nil
}

// series loads patch series. digests are what an action says of them, "NAME=DIGEST" each.
func (s *Sources) series(names []string) (all []*patch.Series, digests []string, err error) {
	for _, name := range names {
		one, err := patch.Load(s.o.Patches, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("there is no patch series %q: it would be the folder patches/%s", name, name)
		}
		if err != nil {
			return nil, nil, err
		}
		all, digests = append(all, one), append(digests, name+"="+one.Digest())
	}
	return all, digests, nil
}

// fence keeps git, which reads what strangers wrote, in a folder.
func (s *Sources) fence(folder string) func(args []string) []string {
	return s.o.Roots.Sandbox.Fence(folder)
}

// applyPatches applies the series one after the other and stores what they change.
func (s *Sources) applyPatches(ctx context.Context, job *graph.Job, src cas.Digest, all []*patch.Series) (cas.Digest, error) {
	tree, err := s.o.Store.LoadTree(src)
	if err != nil {
		return cas.Digest{}, err
	}
	for _, one := range all {
		report, err := patch.Apply(ctx, one, &castree.Tree{Store: s.o.Store, Files: tree}, patch.Options{Fence: s.fence})
		if report != nil {
			fmt.Fprintf(job.Log, "%s: %s\n", one.Name, report.Summary())
			for _, result := range report.Results {
				fmt.Fprintf(job.Log, "  %s\n", result)
			}
		}
		if err != nil {
			return cas.Digest{}, fmt.Errorf("patches/%s: %w", one.Name, err)
		}
		job.Status(one.Name + ": " + report.Summary())
	}
	if leaving := symlink.Leaving(linksOf(tree)); len(leaving) > 0 {
		return cas.Digest{}, fmt.Errorf("with the patches the link %w: mend the one that makes it so", leaving[0])
	}
	return s.o.Store.PutTree(tree)
}

// linksOf are the targets of a tree's links, by path.
func linksOf(tree *cas.Tree) map[string]string {
	links := map[string]string{}
	for p, e := range tree.Entries {
		if e.Link != "" {
			links[p] = e.Link
		}
	}
	return links
}

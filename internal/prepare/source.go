package prepare

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// sourceVersion is raised when another tree comes out of the same source, or another notice.
const sourceVersion = 2

// pinned translates a recipe's source.
func pinned(r *recipe.Recipe) source.Source {
	s := r.Source
	switch {
	case s.Git != "":
		g := source.Git{URL: s.Git, Commit: s.Commit, Submodules: map[string]source.Git{}}
		for at, sub := range s.Submodules {
			g.Submodules[at] = source.Git{URL: sub.Git, Commit: sub.Commit}
		}
		return g
	case s.Archive != "":
		return source.Archive{URL: s.Archive, SHA256: s.SHA256, Blake3: s.Blake3, Strip: s.Strip}
	case s.Crate != "":
		return source.Crate{Name: s.Crate, Version: s.Version, SHA256: s.SHA256}
	}
	return source.Path(filepath.Join(r.Dir, filepath.FromSlash(s.Path)))
}

// Resolved is a recipe's source after the user's overrides.
func (s *Sources) Resolved(r *recipe.Recipe) (*source.Resolved, error) {
	return s.o.Overrides.Resolve(r.Name, pinned(r))
}

// Commit is that of a recipe's source, or of what overrides it; "" when that is no git source.
func (s *Sources) Commit(r *recipe.Recipe) (string, error) {
	origin, err := s.Origin(r)
	if err != nil {
		return "", err
	}
	res, err := s.Resolved(origin)
	if err != nil {
		return "", origin.Place(err)
	}
	git, _ := res.Source.(source.Git)
	return git.Commit, nil
}

// Source is the node of a recipe's source as upstream has it, or as an override says. A source that is another
// recipe's has no node of its own.
func (s *Sources) Source(name string) (*graph.Node, error) {
	r, err := s.recipe(name)
	if err != nil {
		return nil, err
	}
	if r.Source.SameAs != "" {
		return nil, fmt.Errorf("%s: the source is that of %s", r.Path, r.Source.SameAs)
	}
	return s.source(r)
}

func (s *Sources) source(r *recipe.Recipe) (*graph.Node, error) {
	res, err := s.Resolved(r)
	if err != nil {
		return nil, r.Place(err)
	}
	for _, line := range res.Announcements() {
		s.notice(line)
	}
	return s.sourceTree(r.Name+"/source", res)
}

// sourceTree is one repository, archive or folder with its submodules grafted in.
func (s *Sources) sourceTree(id string, res *source.Resolved) (*graph.Node, error) {
	if len(res.Submodules) == 0 {
		return s.sourceLeaf(id, res, nil)
	}
	return s.nodes.Once(id, func(n *graph.Node) error {
		alone := *res
		alone.Submodules = nil
		top, err := s.sourceLeaf(id+"/top", &alone, res.Submodules)
		if err != nil {
			return err
		}
		n.Deps = []*graph.Node{top}
		subs := map[string]*graph.Node{}
		for _, at := range slices.Sorted(maps.Keys(res.Submodules)) {
			if subs[at], err = s.sourceTree(id+"/"+at, res.Submodules[at]); err != nil {
				return err
			}
			n.Deps = append(n.Deps, subs[at])
		}
		n.Resolve = func(_ context.Context, in graph.Outputs) (cas.Digest, error) {
			return s.graft(in, top, subs)
		}
		return nil
	})
}

// graft puts trees into folders of another, in place of whatever is there.
func (s *Sources) graft(in graph.Outputs, top *graph.Node, subs map[string]*graph.Node) (cas.Digest, error) {
	root := in[top]
	for _, at := range slices.Sorted(maps.Keys(subs)) {
		var err error
		if root, err = s.o.Store.Graft(root, at, in[subs[at]]); err != nil {
			return cas.Digest{}, err
		}
	}
	return root, nil
}

// sourceLeaf is one repository, archive or folder; submodules are put into their places later.
func (s *Sources) sourceLeaf(id string, res *source.Resolved, submodules map[string]*source.Resolved) (*graph.Node, error) {
	return s.nodes.Once(id, func(n *graph.Node) error {
		if dir, ok := res.Source.(source.Path); ok {
			n.Resolve = func(ctx context.Context, _ graph.Outputs) (cas.Digest, error) {
				return s.captureFolder(ctx, string(dir))
			}
			return nil
		}
		identity, ok := res.Identity()
		if !ok {
			return fmt.Errorf("%s has no identity of its own", res.Name)
		}
		n.Memory = 64 << 20
		n.Light = true
		n.Plan = func(context.Context, graph.Outputs) (*action.Action, error) {
			return action.Builtin("source", sourceVersion, identity), nil
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return s.importSource(ctx, job, res, submodules)
		}
		return nil
	})
}

// captureFolder takes a folder of the user's as it is, without what version control and cargo
// keep there.
func (s *Sources) captureFolder(ctx context.Context, dir string) (cas.Digest, error) {
	var mu sync.Mutex // guards found: folders are read side by side
	found := &source.Findings{}
	note := func(list *[]string, p string) {
		mu.Lock()
		defer mu.Unlock()
		*list = append(*list, p)
	}
	root, err := s.o.Store.PutFolder(ctx, dir, cas.CaptureOptions{
		Stats: s.o.Stats, Store: true, Volatile: true, Trusted: s.firstCapture(dir),
		Special: func(p string) { note(&found.Special, p) },
		Skip: func(p string, isDir bool) bool {
			base := path.Base(p)
			if !source.Nameable(base) {
				note(&found.LeftOut, p)
				return true
			}
			if base == ".git" || p == recipe.FileName {
				return true
			}
			return isDir && base == "target" && s.isCargoTarget(filepath.Join(dir, filepath.FromSlash(p)))
		},
	})
	if err != nil {
		return cas.Digest{}, err
	}
	return s.checkFolder(dir, root, found)
}

// firstCapture tells whether a folder has not been captured by this builder before. The second time it is
// because something of it turned out to be lost.
func (s *Sources) firstCapture(dir string) bool {
	_, again := s.captured.LoadOrStore(dir, true)
	return !again
}

// isCargoTarget knows cargo's output folder by the tag cargo puts there.
func (s *Sources) isCargoTarget(dir string) bool {
	tag := filepath.Join(dir, "CACHEDIR.TAG")
	s.o.Stats.Note(tag)
	_, err := os.Stat(tag)
	return err == nil
}

func (s *Sources) importSource(ctx context.Context, job *graph.Job, res *source.Resolved, submodules map[string]*source.Resolved) (cas.Digest, error) {
	job.Status("getting " + res.Source.String())
	if err := s.o.Fetcher.Fetch(ctx, res); err != nil {
		return cas.Digest{}, err
	}
	dir, err := s.o.Roots.TempDir("source")
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	found, err := s.o.Fetcher.Export(ctx, res, dir)
	if err != nil {
		return cas.Digest{}, err
	}
	for _, line := range oddities(res.Source.String(), found) {
		job.Notice(line)
	}
	root, err := s.store(ctx, dir)
	if err != nil {
		return cas.Digest{}, err
	}
	return root, s.noticeUnlisted(ctx, res, root, submodules)
}

// noticeUnlisted names the submodules that a recipe does not list, once, when its source is new here: a recipe may well do
// without them. Where a step fails, they are named again.
func (s *Sources) noticeUnlisted(ctx context.Context, res *source.Resolved, root cas.Digest, listed map[string]*source.Resolved) error {
	r, err := s.recipe(res.Name)
	if err != nil {
		return nil // a submodule's own, or of what takes the place of a git dependency
	}
	missing, err := s.unlisted(ctx, res, root, listed)
	if err == nil && len(missing) > 0 {
		s.notice(s.submoduleLines(r, res, missing))
	}
	return err
}

// RecipeFolder is the node of the folder that has recipe.toml.
func (s *Sources) RecipeFolder(r *recipe.Recipe) (*graph.Node, error) {
	return s.nodes.Once(r.Name+"/recipe", func(n *graph.Node) error {
		n.Resolve = func(ctx context.Context, _ graph.Outputs) (cas.Digest, error) {
			return s.captureFolder(ctx, r.Dir)
		}
		return nil
	})
}

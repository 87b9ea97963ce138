package builder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// Versions of the builtin steps of this file.
const (
	sourceVersion = 1
	patchVersion  = 1
)

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
		return source.Archive{URL: s.Archive, SHA256: s.SHA256, Strip: s.Strip}
	case s.Crate != "":
		return source.Crate{Name: s.Crate, Version: s.Version, SHA256: s.SHA256}
	}
	return source.Path(filepath.Join(r.Dir, filepath.FromSlash(s.Path)))
}

// Resolved is a recipe's source after the user's overrides.
func (b *Builder) Resolved(r *recipe.Recipe) (*source.Resolved, error) {
	return b.Overrides.Resolve(r.Name, pinned(r))
}

// commitWord stands, in the environment of a cargo step, for the commit of the source: an exported source has no
// git folder to ask.
const commitWord = "%{commit}"

// commit is that of a recipe's source, or of what overrides it; "" when that is no git source.
func (b *Builder) commit(r *recipe.Recipe) (string, error) {
	for r.Source.SameAs != "" {
		var err error
		if r, err = b.recipe(r.Source.SameAs); err != nil {
			return "", err
		}
	}
	res, err := b.Resolved(r)
	if err != nil {
		return "", inRecipe(r, err)
	}
	git, _ := res.Source.(source.Git)
	return git.Commit, nil
}

// source is the node of a recipe's source as upstream has it.
func (b *Builder) source(r *recipe.Recipe) (*graph.Node, error) {
	res, err := b.Resolved(r)
	if err != nil {
		return nil, inRecipe(r, err)
	}
	for _, line := range res.Announcements() {
		b.notice("%s", line)
	}
	return b.sourceTree(r.Name+"/source", res)
}

// sourceTree is one repository, archive or folder with its submodules grafted in.
func (b *Builder) sourceTree(id string, res *source.Resolved) (*graph.Node, error) {
	if len(res.Submodules) == 0 {
		return b.sourceLeaf(id, res)
	}
	return b.once(id, func(n *graph.Node) error {
		alone := *res
		alone.Submodules = nil
		top, err := b.sourceLeaf(id+"/top", &alone)
		if err != nil {
			return err
		}
		n.Deps = []*graph.Node{top}
		subs := map[string]*graph.Node{}
		for at, sub := range res.Submodules {
			if subs[at], err = b.sourceTree(id+"/"+at, sub); err != nil {
				return err
			}
			n.Deps = append(n.Deps, subs[at])
		}
		n.Resolve = func(_ context.Context, in graph.Outputs) (cas.Digest, error) {
			return b.graft(in, top, subs)
		}
		return nil
	})
}

// graft puts trees into folders of another, in place of whatever is there.
func (b *Builder) graft(in graph.Outputs, top *graph.Node, subs map[string]*graph.Node) (cas.Digest, error) {
	root := in[top]
	for _, at := range slices.Sorted(maps.Keys(subs)) {
		var err error
		if root, err = b.Store.Graft(root, at, in[subs[at]]); err != nil {
			return cas.Digest{}, err
		}
	}
	return root, nil
}

func (b *Builder) sourceLeaf(id string, res *source.Resolved) (*graph.Node, error) {
	return b.once(id, func(n *graph.Node) error {
		if dir, ok := res.Source.(source.Path); ok {
			n.Resolve = func(ctx context.Context, _ graph.Outputs) (cas.Digest, error) {
				return b.captureFolder(ctx, string(dir))
			}
			return nil
		}
		identity, ok := res.Identity()
		if !ok {
			return fmt.Errorf("%s has no identity of its own", res.Name)
		}
		n.Memory = 64 << 20
		n.Plan = func(context.Context, graph.Outputs) (*action.Action, error) {
			return builtin("source", sourceVersion, identity), nil
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return b.importSource(ctx, job, res)
		}
		return nil
	})
}

// captureFolder takes a folder of the user's as it is, without what version control and cargo
// keep there.
func (b *Builder) captureFolder(ctx context.Context, dir string) (cas.Digest, error) {
	return b.Store.PutFolder(ctx, dir, cas.CaptureOptions{
		Stats: b.Stats, Store: true, Volatile: true, Trusted: b.firstCapture(dir),
		Skip: func(p string, isDir bool) bool {
			base := path.Base(p)
			if base == ".git" || p == recipe.FileName {
				return true
			}
			return isDir && base == "target" && isCargoTarget(filepath.Join(dir, filepath.FromSlash(p)))
		},
	})
}

// firstCapture tells whether a folder has not been captured by this builder before. The second time it is
// because something of it turned out to be lost.
func (b *Builder) firstCapture(dir string) bool {
	_, again := b.captured.LoadOrStore(dir, true)
	return !again
}

// isCargoTarget knows cargo's output folder by the tag cargo puts there.
func isCargoTarget(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "CACHEDIR.TAG"))
	return err == nil
}

func (b *Builder) importSource(ctx context.Context, job *graph.Job, res *source.Resolved) (cas.Digest, error) {
	job.Status("getting " + res.Source.String())
	if err := b.Sources.Fetch(ctx, res); err != nil {
		return cas.Digest{}, err
	}
	dir, err := b.tempDir("source")
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	if err := b.Sources.Export(ctx, res, dir); err != nil {
		return cas.Digest{}, err
	}
	tree, err := b.Store.Capture(ctx, dir, cas.CaptureOptions{Store: true, Volatile: true})
	if err != nil {
		return cas.Digest{}, err
	}
	return b.Store.PutTree(tree)
}

// patched is the node of a recipe's source with its patch series applied.
func (b *Builder) patched(name string) (*graph.Node, error) {
	r, err := b.recipe(name)
	if err != nil {
		return nil, err
	}
	if r.Source.SameAs != "" {
		return b.patched(r.Source.SameAs)
	}
	src, err := b.source(r)
	if err != nil || len(r.Patches) == 0 {
		return src, err
	}
	return b.once(name+"/patch", func(n *graph.Node) error {
		var all []*patch.Series
		args := []string{}
		for _, series := range r.Patches {
			s, err := patch.Load(b.Patches, series)
			if errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("there is no patch series %q: it would be the folder patches/%s", series, series)
			}
			if err != nil {
				return err
			}
			all = append(all, s)
			args = append(args, series+"="+s.Digest())
		}
		n.Deps = []*graph.Node{src}
		n.Memory = 64 << 20
		n.Plan = func(_ context.Context, in graph.Outputs) (*action.Action, error) {
			a := builtin("patch", patchVersion, args...)
			a.Inputs = in[src]
			return a, nil
		}
		n.Run = func(ctx context.Context, job *graph.Job) (cas.Digest, error) {
			return b.applyPatches(ctx, job, job.Inputs[src], all)
		}
		return nil
	})
}

// applyPatches applies the series one after the other and stores what they change.
func (b *Builder) applyPatches(ctx context.Context, job *graph.Job, src cas.Digest, all []*patch.Series) (cas.Digest, error) {
	tree, err := b.Store.LoadTree(src)
	if err != nil {
		return cas.Digest{}, err
	}
	for _, s := range all {
		report, err := patch.Apply(ctx, s, &storedTree{b.Store, tree}, patch.Options{})
		if report != nil {
			fmt.Fprintf(job.Log, "%s: %s\n", s.Name, report.Summary())
			for _, result := range report.Results {
				fmt.Fprintf(job.Log, "  %s\n", result)
			}
		}
		if err != nil {
			return cas.Digest{}, fmt.Errorf("patches/%s: %w", s.Name, err)
		}
		job.Status(s.Name + ": " + report.Summary())
	}
	return b.Store.PutTree(tree)
}

// edited gives f a fresh copy of a tree to change and takes the result.
func (b *Builder) edited(ctx context.Context, tree cas.Digest, f func(dir string) error) (cas.Digest, error) {
	dir, err := b.tempDir("edit")
	if err != nil {
		return cas.Digest{}, err
	}
	defer os.RemoveAll(dir)
	if err := b.Store.Materialise(ctx, tree, dir, nil, nil); err != nil {
		return cas.Digest{}, err
	}
	if err := f(dir); err != nil {
		return cas.Digest{}, err
	}
	result, err := b.Store.Capture(ctx, dir, cas.CaptureOptions{Store: true, Volatile: true})
	if err != nil {
		return cas.Digest{}, err
	}
	return b.Store.PutTree(result)
}

func (b *Builder) tempDir(purpose string) (string, error) { return b.Roots.TempDir(purpose) }

// ownFolder is the node of the folder that has recipe.toml.
func (b *Builder) ownFolder(r *recipe.Recipe) (*graph.Node, error) {
	return b.once(r.Name+"/recipe", func(n *graph.Node) error {
		n.Resolve = func(ctx context.Context, _ graph.Outputs) (cas.Digest, error) {
			return b.captureFolder(ctx, r.Dir)
		}
		return nil
	})
}

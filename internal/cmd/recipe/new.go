package recipe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/recipe/gen"
	"github.com/pannous/redox-clif/internal/recipe/scaffold"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/source"
)

// From says what a new recipe is made of: at most one of Git, Crate and Path. Without any it is a new program beside the recipe.
type From struct {
	Git   string // URL
	Ref   string // branch or tag of Git; "" is the default branch
	Crate string // NAME or NAME@VERSION
	Path  string // folder
}

// New makes a recipe that builds, with all that belongs to it: a Cargo.lock where the source has none that will do, what
// recipes/lock.toml has of the source, the target of Mage. All is written or nothing, and nothing over what is there. With -dryrun it is
// printed.
func New(ctx context.Context, s *session.Session, name string, from From) error {
	n := &newRecipe{s: s, name: name, dir: filepath.Join(s.Config.Root, "recipes", name)}
	if err := n.check(from); err != nil {
		return err
	}
	if err := n.make(ctx, from); err != nil {
		return fmt.Errorf("%w\nnothing was written", err)
	}
	if s.Config.DryRun {
		n.print()
		return nil
	}
	unlock, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	var taken *scaffold.TakenError
	if err := scaffold.Apply(n.changes); err != nil {
		if errors.As(err, &taken) {
			taken.Path = s.Relative(taken.Path)
		}
		return fmt.Errorf("%w\nnothing was written", err)
	}
	n.say()
	return nil
}

// newRecipe is a recipe in the making.
type newRecipe struct {
	s         *session.Session
	name, dir string
	recipes   recipe.Set
	made      *scaffold.Result
	changes   []scaffold.Change // the recipe itself is the last
}

// check finds what is wrong with the request, before anything is asked of a network.
func (n *newRecipe) check(from From) (err error) {
	given := 0
	for _, v := range []string{from.Git, from.Crate, from.Path} {
		if v != "" {
			given++
		}
	}
	switch {
	case given > 1:
		return errors.New("a recipe has one source: give one of -git, -crate and -path, or none for a new program")
	case from.Ref != "" && from.Git == "":
		return errors.New("-ref is a branch or tag of -git")
	}
	if err := recipe.CheckName(n.name); err != nil {
		return err
	}
	if n.recipes, err = n.s.Recipes(); err != nil {
		return err
	}
	file := filepath.Join(n.dir, recipe.FileName)
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, &scaffold.TakenError{Path: n.s.Relative(file)})
	}
	return nil
}

// make finds out everything, and writes nothing.
func (n *newRecipe) make(ctx context.Context, from From) error {
	src, err := n.source(ctx, from)
	if err != nil {
		return err
	}
	if src == nil {
		made, files, err := scaffold.Program(n.name)
		if err != nil {
			return err
		}
		n.made = made
		for _, at := range slices.Sorted(maps.Keys(files)) {
			n.add(at, files[at])
		}
	} else if err := n.describe(ctx, *src); err != nil {
		return err
	}
	return n.finish()
}

func (n *newRecipe) add(at string, text []byte) {
	n.changes = append(n.changes, scaffold.Change{Path: filepath.Join(n.dir, filepath.FromSlash(at)), Text: text})
}

// source pins what was asked for; nil is a new program.
func (n *newRecipe) source(ctx context.Context, from From) (*recipe.Source, error) {
	switch {
	case from.Git != "":
		return n.commit(ctx, from)
	case from.Crate != "":
		return n.crate(ctx, from.Crate)
	case from.Path != "":
		abs, err := filepath.Abs(from.Path)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(n.dir, abs)
		return &recipe.Source{Path: filepath.ToSlash(rel)}, err
	}
	return nil, nil
}

func (n *newRecipe) commit(ctx context.Context, from From) (*recipe.Source, error) {
	overrides, err := n.s.Overrides()
	if err != nil {
		return nil, err
	}
	ref := from.Ref
	if ref == "" {
		ref = "HEAD"
	}
	remotes := &source.Remotes{Fetcher: n.s.Fetcher(builder.Tools{}, ""), Overrides: overrides}
	commit, err := remotes.Commit(ctx, from.Git, ref)
	if err != nil {
		return nil, err
	}
	return &recipe.Source{Git: from.Git, Commit: commit}, nil
}

func (n *newRecipe) crate(ctx context.Context, which string) (*recipe.Source, error) {
	tools, err := n.s.Tools(ctx)
	if err != nil {
		return nil, err
	}
	home, err := n.s.CargoHome()
	if err != nil {
		return nil, err
	}
	name, version, _ := strings.Cut(which, "@")
	c, err := n.s.Fetcher(tools, home).Crate(ctx, name, version)
	if err != nil {
		return nil, err
	}
	return &recipe.Source{Crate: c.Name, Version: c.Version, SHA256: c.SHA256}, nil
}

// describe fills in the recipe of what the source holds.
func (n *newRecipe) describe(ctx context.Context, src recipe.Source) error {
	l := &looking{n: n, r: &recipe.Recipe{Name: n.name, Dir: n.dir, Path: filepath.Join(n.dir, recipe.FileName), Source: src}}
	if err := l.get(ctx); err != nil {
		return err
	}
	workspace, err := l.look(ctx)
	if err != nil {
		return err
	}
	if n.made, err = scaffold.FromWorkspace(n.name, l.r.Source, workspace, n.recipes); err != nil {
		return err
	}
	n.made.Remarks = append(n.made.Remarks, l.remarks...)
	if workspace.OwnLock {
		n.add(scaffold.LockName, workspace.Lock)
	}
	return n.lock(ctx, l)
}

// lock adds what recipes/lock.toml is to have of the source.
func (n *newRecipe) lock(ctx context.Context, l *looking) error {
	c := n.s.Config
	checkout := &drift.Checkout{
		Root: c.Root, Patches: c.Patches(), Out: c.Out(), Target: c.Target, Overrides: c.Overrides,
		Recipes: l.options.Recipes, Store: n.s.Store, Sources: l,
	}
	l.r.Cargo, l.r.Steps = n.made.Cargo, []recipe.Step{n.made.Step} // where drift looks for Cargo.lock files
	text, changed, err := drift.LockedWith(ctx, checkout, n.name)
	if changed {
		n.changes = append(n.changes, scaffold.Change{Path: filepath.Join(c.Root, filepath.FromSlash(drift.LockFile)), Text: text, Renew: true})
	}
	return err
}

// finish adds the recipe itself, which has to be one, and the targets that are made of all recipes.
func (n *newRecipe) finish() error {
	file := filepath.Join(n.dir, recipe.FileName)
	text := []byte(n.made.Text())
	r, err := recipe.Parse(file, text)
	if err != nil {
		return err
	}
	if err := n.recipes.Fits(r); err != nil {
		return err
	}
	if err := n.targets(r); err != nil {
		return err
	}
	n.add(recipe.FileName, text)
	return nil
}

// targets renews what is generated of all recipes.
func (n *newRecipe) targets(r *recipe.Recipe) error {
	root := n.s.Config.Root
	if err := gen.Check(n.with(r)); err != nil {
		return err
	}
	aliases, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(gen.AliasesFile)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the folder has no targets of its own
	}
	if err != nil {
		return err
	}
	if n.s.BrokenError() != nil {
		n.made.Remarks = append(n.made.Remarks, "the targets of Mage were not renewed, since a recipe is broken: `"+gen.Command+"` does it later")
		return nil
	}
	files, err := gen.Files(n.with(r), aliases)
	if err != nil {
		return err
	}
	for _, at := range slices.Sorted(maps.Keys(files)) {
		at, text := filepath.Join(root, filepath.FromSlash(at)), files[at]
		before, err := os.ReadFile(at)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !bytes.Equal(before, text) {
			n.changes = append(n.changes, scaffold.Change{Path: at, Text: text, Renew: true})
		}
	}
	return nil
}

// with is the checkout's recipes and one more.
func (n *newRecipe) with(r *recipe.Recipe) recipe.Set {
	all := maps.Clone(n.recipes)
	all[n.name] = r
	return all
}

// print shows the new files, and names those that are renewed.
func (n *newRecipe) print() {
	for _, c := range n.changes {
		if c.Renew {
			n.s.Say("would renew %s", n.s.Relative(c.Path))
			continue
		}
		fmt.Fprintf(n.s.Streams.Out, "== %s\n%s", n.s.Relative(c.Path), c.Text)
	}
	n.remarks()
}

func (n *newRecipe) say() {
	for _, c := range n.changes {
		if c.Renew {
			n.s.Say("renewed %s", n.s.Relative(c.Path))
		} else {
			n.s.Say("wrote %s", n.s.Relative(c.Path))
		}
	}
	n.remarks()
	n.s.Say("`mage recipe:build %s` builds it", n.name)
}

func (n *newRecipe) remarks() {
	for _, line := range n.made.Remarks {
		n.s.Say("  %s", line)
	}
}

// looking is a source on its way from a pin to what is in it.
type looking struct {
	n       *newRecipe
	r       *recipe.Recipe
	options prepare.Options
	tree    cas.Digest
	remarks []string
}

var _ drift.Sources = (*looking)(nil)

// get brings the source here. Submodules that it names and that can be had become part of the recipe.
func (l *looking) get(ctx context.Context) (err error) {
	s := l.n.s
	tools, err := s.Tools(ctx)
	if err != nil {
		return err
	}
	if l.options, err = s.PrepareOptions(tools, nil, session.BuildOptions{}); err != nil {
		return err
	}
	l.options.Recipes, l.options.Toolchain, l.options.RustSrc = l.n.with(l.r), tools.Identity, tools.RustSrc
	said := l.options.Notice
	l.options.Notice = nil // that submodules are not listed is about to change
	if err := l.fetch(ctx); err != nil {
		return err
	}
	if l.r.Source.Submodules, err = prepare.New(l.options).Submodules(ctx, l.r, l.tree); err != nil {
		return err
	}
	l.options.Notice = said
	if len(l.r.Source.Submodules) == 0 {
		return nil
	}
	if err := l.fetch(ctx); err != nil {
		l.remarks = append(l.remarks, fmt.Sprintf("its submodules (%s) are not listed: %v", strings.Join(slices.Sorted(maps.Keys(l.r.Source.Submodules)), ", "), err))
		l.r.Source.Submodules = nil
		return errors.Join(ctx.Err(), l.fetch(ctx))
	}
	return nil
}

func (l *looking) fetch(ctx context.Context) error {
	node, err := prepare.New(l.options).Source(l.n.name)
	if err != nil {
		return err
	}
	sum, err := l.n.s.QuietEngine().Build(ctx, []*graph.Node{node})
	if err != nil {
		return session.RootCause(err)
	}
	l.tree = sum.Outputs[node]
	return nil
}

// look asks cargo about the workspace.
func (l *looking) look(ctx context.Context) (*scaffold.Workspace, error) {
	files, err := l.n.s.Store.LoadTree(l.tree)
	if err != nil {
		return nil, err
	}
	dir, err := scaffold.TopManifest(files.Paths())
	if err != nil {
		return nil, err
	}
	copied, err := prepare.New(l.options).LookAt(ctx, l.tree)
	if err != nil {
		return nil, err
	}
	defer copied.Close()
	text, err := copied.Metadata(ctx, dir)
	if err != nil {
		return nil, err
	}
	w, err := scaffold.ReadMetadata(text, copied.Dir)
	if err != nil {
		return nil, err
	}
	var brought bool
	if w.Lock, brought, err = copied.Lock(ctx, w.Dir); err != nil {
		return nil, err
	}
	w.OwnLock = !brought
	w.Manifest, err = os.ReadFile(filepath.Join(copied.Dir, filepath.FromSlash(w.Dir), "Cargo.toml"))
	return w, err
}

// Pinned, Resolved and Tree are the source for drift's lock.
func (l *looking) Pinned(r *recipe.Recipe) (*source.Resolved, error) {
	o := l.options
	o.Overrides = &source.Overrides{}
	return prepare.New(o).Resolved(r)
}

func (l *looking) Resolved(r *recipe.Recipe) (*source.Resolved, error) {
	return prepare.New(l.options).Resolved(r)
}

func (l *looking) Tree(context.Context, string) (cas.Digest, error) { return l.tree, nil }

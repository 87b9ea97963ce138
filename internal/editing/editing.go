// Package editing takes the sources of recipes for editing: it is what package edit needs a session for.
//
// It owns which source that is, and where it may be edited as it lies. It must not know how commits become patches, nor what is built
// of it.
package editing

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/edit"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
)

// Origin is the recipe that has the source which a recipe builds, as the session's release set has it.
func Origin(s *session.Session, name string) (*recipe.Recipe, error) {
	if _, err := s.Recipe(name); err != nil {
		return nil, err
	}
	all, err := s.Recipes()
	if err != nil {
		return nil, err
	}
	r, err := all.Get(name)
	for err == nil && r.Source.SameAs != "" {
		r, err = all.Get(r.Source.SameAs)
	}
	return r, err
}

// Place is where a source is edited.
type Place struct {
	Recipe string // that has the source
	Dir    string
	Taken  bool // it is a repository of ours, and not the recipe's own folder or one of the user's
}

// Take takes the source of a recipe for editing, unless it is already where it can be edited.
func Take(ctx context.Context, s *session.Session, name string) (*Place, error) {
	r, err := Origin(s, name)
	if err != nil {
		return nil, err
	}
	if dir, why, err := s.UsersFolder(r); err != nil || dir != "" {
		if err == nil {
			s.Say("the source of %s is %s, %s: builds take it as it lies there", name, s.Relative(dir), why)
		}
		return &Place{r.Name, dir, false}, err
	}
	e, err := s.Edits().Find(r.Name)
	if err != nil {
		return nil, err
	}
	if e != nil {
		if e.Set != s.Config.Set {
			return nil, fmt.Errorf("%s is under edit for the release set %s: finish or drop that first", r.Name, session.SetName(e.Set))
		}
		s.Say("%s is under edit in %s", r.Name, s.Relative(e.Dir))
		return &Place{r.Name, e.Dir, true}, nil
	}
	if e, err = begin(ctx, s, r); err != nil || e == nil {
		return nil, err
	}
	sayTaken(s, name, r, e)
	return &Place{r.Name, e.Dir, true}, nil
}

func sayTaken(s *session.Session, name string, r *recipe.Recipe, e *edit.Edit) {
	if r.Name != name {
		s.Say("the source of %s is that of %s", name, r.Name)
	}
	commits := 0
	for _, series := range e.Series {
		for _, p := range series.Patches {
			if p.Commit != "" {
				commits++
			}
		}
	}
	patches := "no patches"
	if len(r.Patches) > 0 {
		patches = fmt.Sprintf("its patches (%s) as %d commits", strings.Join(r.Patches, ", "), commits)
	}
	s.Say("%s: a git repository with the source, %s, and %s", s.Relative(e.Dir), e.Source, patches)
	s.Say("builds use it from now on; `mage edit %s -finish` makes patches of what you commit there", r.Name)
}

// begin makes the repository. It returns nil after a dry run.
func begin(ctx context.Context, s *session.Session, r *recipe.Recipe) (*edit.Edit, error) {
	built, err := s.Build(ctx, session.BuildOptions{Quiet: true}, func(b *builder.Builder) ([]*graph.Node, error) {
		n, err := b.Sources().Source(r.Name)
		return []*graph.Node{n}, err
	})
	if err != nil || built == nil {
		return nil, err
	}
	unlock, err := s.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	e, err := s.Edits().Begin(ctx, edit.Begin{
		Recipe: r.Name, Set: s.Config.Set, Source: r.Source.Short(), Patches: os.DirFS(s.Config.Patches()), Series: r.Patches,
		Lay: func(dir string) error { return s.Store.Materialise(ctx, built.Output(0), dir, nil, nil) },
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Name, err)
	}
	return e, nil
}

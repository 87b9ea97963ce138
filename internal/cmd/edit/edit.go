// Package edit is `mage edit`: a source of a recipe is taken for editing, and its commits become patches again.
//
// It owns the flags' meaning and the words. It must not know how a repository is made or how a patch is written (package edit below internal).
package edit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/edit"
	"github.com/pannous/redox-clif/internal/editing"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/tomledit"
	"github.com/pannous/redox-clif/internal/ui"
)

// Flags say what is done with a source.
type Flags struct {
	Finish, Drop, List, JSON bool
	Series                   string // of commits that are no patch yet; "" chooses
	Form                     string // of their patches, edit.AsTOML or edit.AsUnified; "" chooses
}

// Run does what the flags say with the source of a recipe. Without a recipe it lists.
func Run(ctx context.Context, s *session.Session, name string, f Flags) error {
	if err := f.check(name); err != nil {
		return err
	}
	if name == "" {
		return List(ctx, s, f.JSON)
	}
	r, err := editing.Origin(s, name)
	if err != nil {
		return err
	}
	switch {
	case f.Finish:
		return finish(ctx, s, r, f)
	case f.Drop:
		return drop(ctx, s, r)
	}
	_, err = editing.Take(ctx, s, name)
	return err
}

func (f Flags) check(name string) error {
	switch form := edit.Form(f.Form); {
	case form != "" && form != edit.AsTOML && form != edit.AsUnified:
		return fmt.Errorf("-form=%s: want %s or %s", f.Form, edit.AsTOML, edit.AsUnified)
	case f.Finish && f.Drop || f.List && (f.Finish || f.Drop):
		return errors.New("-list, -finish and -drop are three things: name one of them")
	case f.List && name != "":
		return errors.New("-list lists all sources under edit, and takes no recipe")
	case name == "" && (f.Finish || f.Drop):
		return errors.New("which recipe? `mage edit` lists the sources under edit")
	case !f.Finish && f.Series+f.Form != "":
		return errors.New("-series and -form are for -finish")
	}
	return nil
}

// underEdit is the edit of a recipe's source, which has to be there.
func underEdit(s *session.Session, r *recipe.Recipe) (*edit.Edit, error) {
	e, err := s.Edits().Find(r.Name)
	if err == nil && e == nil {
		err = fmt.Errorf("%s is not under edit; `mage edit %s` takes its source, and `mage edit` lists what is", r.Name, r.Name)
	}
	return e, err
}

// finish writes the commits of an edit back as patches and ends it.
func finish(ctx context.Context, s *session.Session, r *recipe.Recipe, f Flags) error {
	e, err := underEdit(s, r)
	if err != nil {
		return err
	}
	if e.Set != s.Config.Set {
		return fmt.Errorf("%s is under edit for the release set %s: -set=NAME chooses it", r.Name, session.SetName(e.Set))
	}
	unlock, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	w, err := e.Plan(ctx, edit.Finish{Patches: s.Config.Patches(), Series: r.Patches, New: f.Series, Form: edit.Form(f.Form)})
	if err != nil {
		return err
	}
	defer w.Close()
	report(s, r, w)
	if s.Config.DryRun {
		return nil
	}
	if err := errors.Join(w.Keep(filepath.Join(e.Dir, ".git", "patches-before")), w.Publish(), nameSeries(s, r, w.Series)); err != nil {
		return err
	}
	return aside(ctx, s, e, "is finished")
}

// report says what the patches become.
func report(s *session.Session, r *recipe.Recipe, w *edit.Written) {
	for _, f := range w.Files {
		s.Say("%-9s patches/%s", f.Kind, f.Path)
	}
	for _, remark := range w.Remarks {
		s.Say("%s", remark)
	}
	if !slices.Equal(w.Series, r.Patches) {
		s.Say("%-9s %s: patches = [%s]", "rewritten", s.Relative(r.Path), strings.Join(w.Series, ", "))
	}
	if len(w.Files) == 0 {
		s.Say("the patches of %s are as they were", r.Name)
	}
}

// nameSeries has a recipe name its series.
func nameSeries(s *session.Session, r *recipe.Recipe, series []string) error {
	if slices.Equal(series, r.Patches) {
		return nil
	}
	text, err := os.ReadFile(r.Path)
	if err != nil {
		return err
	}
	doc, err := tomledit.Parse(text)
	if err != nil {
		return err
	}
	if err := doc.Set(series, r.PatchesKey()...); err != nil {
		return err
	}
	return atomicfile.Write(r.Path, doc.Bytes(), 0o644)
}

// drop ends an edit without its commits.
func drop(ctx context.Context, s *session.Session, r *recipe.Recipe) error {
	e, err := underEdit(s, r)
	if err != nil {
		return err
	}
	unlock, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return aside(ctx, s, e, "is dropped")
}

// aside ends an edit, and says where what was made in it is.
func aside(ctx context.Context, s *session.Session, e *edit.Edit, how string) error {
	kept, err := s.Edits().Aside(ctx, e, time.Now())
	if err != nil {
		return err
	}
	where := "nothing of yours was in it"
	if kept != "" {
		where = fmt.Sprintf("the repository is kept in %s, remove it when nothing of it is wanted", s.Relative(kept))
	}
	s.Say("the edit of %s %s, and builds use the patches again; %s", e.Recipe, how, where)
	return nil
}

// listed is a source under edit in the listing.
type listed struct {
	Recipe string `json:"recipe"`
	Set    string `json:"set"` // the release set whose source it is
	Dir    string `json:"dir"` // relative to the checkout
	Source string `json:"source"`
	edit.State
}

// List lists the sources under edit.
func List(ctx context.Context, s *session.Session, asJSON bool) error {
	edits, err := s.Edits().List()
	if err != nil {
		return err
	}
	all := []listed{}
	for _, e := range edits {
		state, err := e.State(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Relative(e.Dir), err)
		}
		all = append(all, listed{e.Recipe, e.Set, s.Relative(e.Dir), e.Source, state})
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "edit", all)
	}
	if len(all) == 0 {
		s.Say("no source is under edit; `mage edit RECIPE` takes one")
		return nil
	}
	rows := [][]string{{"RECIPE", "FOLDER", "COMMITS", "CHANGED", "SOURCE"}}
	for _, e := range all {
		rows = append(rows, []string{e.Recipe, e.Dir, fmt.Sprint(e.Commits), fmt.Sprint(len(e.Changed)), e.Source})
	}
	return ui.Table(s.Streams.Out, rows)
}

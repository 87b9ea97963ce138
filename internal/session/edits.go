package session

import (
	"path/filepath"

	"github.com/pannous/redox-clif/internal/edit"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/prepare"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
)

// Edits are the sources of this checkout that are under edit.
func (s *Session) Edits() edit.Edits {
	return edit.Edits{Dir: filepath.Join(s.Config.Root, "out", "src"), Git: git.Git{Env: s.Config.GitEnv()}}
}

// useEdits puts the sources under edit in the place of the pinned ones. One that was taken for another release set is another source.
func (s *Session) useEdits(overrides *source.Overrides) error {
	all, err := s.Edits().List()
	if err != nil {
		return err
	}
	for _, e := range all {
		if e.Set != s.Config.Set {
			s.Say("%s is under edit for the release set %s, so this build does not use %s", e.Recipe, SetName(e.Set), s.Relative(e.Dir))
			continue
		}
		if err := overrides.Edit(e.Recipe, e.Dir); err != nil {
			return err
		}
	}
	return nil
}

// UsersFolder is the folder that a recipe's source is read from where it lies in the recipe's own folder and has no patches, or an override names
// one; why says which. "" is for a source that is fetched, patched, or under edit.
func (s *Session) UsersFolder(r *recipe.Recipe) (dir, why string, err error) {
	d, err := s.described()
	if err != nil {
		return "", "", err
	}
	res, err := prepare.New(prepare.Options{Recipes: d.recipes, Overrides: d.overrides, Store: s.Store}).Resolved(r)
	if err != nil {
		return "", "", r.Place(err)
	}
	folder, ok := res.Source.(source.Path)
	switch {
	case !ok || res.Edited:
		return "", "", nil
	case res.Overridden:
		return string(folder), "by an override", nil
	case len(r.Patches) > 0:
		return "", "", nil
	}
	return string(folder), "the recipe's own folder", nil
}

// SetName is how a release set is called where it is spoken of.
func SetName(set string) string {
	if set == "" {
		return "one without a name"
	}
	return set
}

package session

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/tomlfile"
)

// description is what the checkout says of what is built: its recipes, and what takes the place of their sources.
type description struct {
	recipes   recipe.Set // as the release set has them
	broken    recipe.Broken
	overrides *source.Overrides
}

// described reads the checkout's description when it is first asked for: what needs no recipe opens none.
func (s *Session) described() (*description, error) {
	if s.description != nil {
		return s.description, nil
	}
	d, err := s.describe()
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(d.broken)) {
		s.Say("recipe %s is left out: %s", name, errs.FirstLine(d.broken[name].Error()))
	}
	s.description = d
	return d, nil
}

// Reread has the description read anew when it is asked for next: recipes, overrides, and what is under edit.
func (s *Session) Reread() { s.description = nil }

func (s *Session) describe() (*description, error) {
	sets, err := s.ReleaseSets()
	if err != nil {
		return nil, err
	}
	recipes, broken, err := recipe.LoadEach(s.Config.Recipes(), sets.Tables())
	if err != nil {
		return nil, err
	}
	set, err := sets.Find(s.Config.Set)
	if err != nil {
		return nil, err
	}
	recipes = recipes.In(set.Tables...)
	if err := checkChoices(s.Config, recipes, broken); err != nil {
		return nil, err
	}
	overrides, err := loadOverrides(s.Config)
	if err != nil {
		return nil, err
	}
	if err := checkOverrides(s.Config, overrides, recipes, broken); err != nil {
		return nil, err
	}
	return &description{recipes, broken, overrides}, s.useEdits(overrides)
}

// Recipes are those of the checkout that can be used. The others are named once, on Err; who needs one of them gets the
// error of Recipe.
func (s *Session) Recipes() (recipe.Set, error) {
	d, err := s.described()
	if err != nil {
		return nil, err
	}
	return d.recipes, nil
}

// Recipe finds a recipe, says what is wrong with it, or which there are.
func (s *Session) Recipe(name string) (*recipe.Recipe, error) {
	d, err := s.described()
	if err != nil {
		return nil, err
	}
	r, err := d.recipes.Get(name)
	return r, d.explain(err)
}

// explain says what is wrong with a recipe that is not among the others because it is broken.
func (d *description) explain(err error) error {
	var unknown *recipe.UnknownError
	if errors.As(err, &unknown) && d.broken[unknown.Name] != nil {
		return d.broken[unknown.Name]
	}
	return err
}

// WithRecipes is the session with other recipes.
func (s *Session) WithRecipes(recipes recipe.Set) (*Session, error) {
	d, err := s.described()
	if err != nil {
		return nil, err
	}
	other := *s
	other.description = &description{recipes: recipes, overrides: d.overrides}
	return &other, nil
}

// Overrides are what the user puts in the place of sources. A name that no recipe has is an error where recipes are
// used; here it is not looked at.
func (s *Session) Overrides() (*source.Overrides, error) {
	if s.description != nil {
		return s.description.overrides, nil
	}
	return loadOverrides(s.Config)
}

// checkChoices refuses a component of -backend that no recipe has: a setting that does nothing costs hours. With a broken recipe nobody knows which there are.
func checkChoices(cfg *config.Config, recipes recipe.Set, broken recipe.Broken) error {
	if _, err := builder.ParseStdMode(cfg.Std); err != nil {
		return fmt.Errorf("-std or REDOX_STD: %w", err)
	}
	backends, err := builder.ParseBackends(cfg.Backends)
	if err != nil || len(broken) > 0 {
		return err
	}
	if unknown := backends.Unknown(recipes); len(unknown) > 0 {
		return fmt.Errorf("backends %q: no recipe, step or package is named %s; `mage recipe:list` lists the recipes", cfg.Backends, strings.Join(unknown, ", "))
	}
	return nil
}

// loadOverrides reads the overrides file, if there is one.
func loadOverrides(cfg *config.Config) (*source.Overrides, error) {
	text, err := tomlfile.Read(cfg.Overrides)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	env := map[string]string{}
	for name, dir := range cfg.SourceDirs {
		env[source.EnvPrefix+name] = dir
	}
	return source.LoadOverrides(cfg.Overrides, text, env, cfg.FromHome)
}

// checkOverrides refuses overrides of what is not there.
func checkOverrides(cfg *config.Config, o *source.Overrides, recipes recipe.Set, broken recipe.Broken) error {
	unused := o.Unused(sourceNames(recipes))
	if len(unused) == 0 || len(broken) > 0 {
		return nil
	}
	return fmt.Errorf("no recipe has a source for these overrides (%s or %s<NAME>): %s; there are %s",
		cfg.Overrides, source.EnvPrefix, strings.Join(unused, ", "), strings.Join(recipes.Names(), ", "))
}

// sourceNames are the names that overrides can use: recipes, and recipe/path of submodules.
func sourceNames(recipes recipe.Set) []string {
	var names []string
	for _, name := range recipes.Names() {
		names = append(names, name)
		r := recipes[name]
		for at := range r.Source.Submodules {
			names = append(names, name+"/"+at)
		}
		for _, d := range r.Sets {
			if d.Source != nil {
				for at := range d.Source.Submodules {
					names = append(names, name+"/"+at)
				}
			}
		}
	}
	return names
}

// BrokenError is what is wrong with the recipes that cannot be used, nil when there are none: for targets that are about all of
// them.
func (s *Session) BrokenError() error {
	d, err := s.described()
	if err != nil {
		return err
	}
	all := &multierror.Error{ErrorFormat: errs.Lines}
	for _, name := range slices.Sorted(maps.Keys(d.broken)) {
		all = multierror.Append(all, d.broken[name])
	}
	return errs.One(all)
}

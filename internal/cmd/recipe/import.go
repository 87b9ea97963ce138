package recipe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/recipe/importer"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Import translates a recipe of Redox's cookbook. A file, or a folder that has recipe.toml, becomes a recipe of ours when
// nothing is lost, and is shown with what is missing when something is. Of a folder of many recipes it only
// says how far each would come.
func Import(ctx context.Context, s *session.Session, at string) error {
	if info, err := os.Stat(at); err != nil {
		return err
	} else if !info.IsDir() {
		return importOne(s, at)
	}
	file := filepath.Join(at, recipe.FileName)
	if _, err := os.Stat(file); err == nil {
		return importOne(s, file)
	}
	return survey(ctx, s, at)
}

func importOne(s *session.Session, file string) error {
	name, r, err := importer.ReadFile(file)
	if err != nil {
		return err
	}
	for _, a := range r.Assumed {
		s.Say("assumed: %s", a)
	}
	if len(r.Losses) > 0 {
		fmt.Fprint(s.Streams.Out, r.Text)
		for _, l := range r.Losses {
			s.Say("not carried over: %s", l)
		}
		return fmt.Errorf("%s: %d things were not carried over; above is what there is of recipes/%s/%s", file, len(r.Losses), name, recipe.FileName)
	}
	return writeImported(s, name, r)
}

func writeImported(s *session.Session, name string, r *importer.Result) error {
	to := filepath.Join(s.Config.Root, "recipes", name, recipe.FileName)
	imported, err := recipe.Parse(to, []byte(r.Text))
	if err != nil {
		return err
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is a recipe %s already: %s", name, s.Relative(to))
	}
	// A recipe that waits for one that is not there would stop every command.
	recipes, err := s.Recipes()
	if err != nil {
		return err
	}
	if err := recipes.Fits(imported); err != nil {
		return fmt.Errorf("%w\nnothing was written: import what it needs first", err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := renameio.WriteFile(to, []byte(r.Text), 0o644); err != nil {
		return err
	}
	s.Say("wrote %s; `go generate ./internal/recipe/gen` makes a target of it", s.Relative(to))
	return nil
}

// survey counts, and writes nothing.
func survey(ctx context.Context, s *session.Session, dir string) error {
	found, err := importer.Count(ctx, dir)
	if err != nil {
		return err
	}
	if found.Found == 0 {
		return fmt.Errorf("%s has no %s in it", dir, recipe.FileName)
	}
	for _, problem := range found.Unread {
		s.Say("not read: %s", problem)
	}
	rows := [][]string{
		{"RECIPES", "WHAT"},
		{fmt.Sprint(found.Found), "found"},
		{fmt.Sprint(found.Read), "read"},
		{fmt.Sprint(found.Whole), "carried over whole"},
	}
	for _, l := range found.Lost {
		rows = append(rows, []string{fmt.Sprint(l.Recipes), "not whole: " + string(l.Reason)})
	}
	return ui.Table(s.Streams.Out, rows)
}

package recipe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/builder"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/recipe/importer"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/ui"
)

// Import translates a recipe of Redox's cookbook. A file, or a folder that has recipe.toml, becomes a recipe of ours when
// nothing is lost, and is shown with what is missing when something is. Of a folder of many recipes it only
// says how far each would come. Commits that a recipe does not name are asked for, unless the run is offline.
func Import(ctx context.Context, s *session.Session, at string) error {
	info, err := os.Stat(at)
	if err != nil {
		return err
	}
	ask, err := commitAsker(s)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return importOne(ctx, s, at, ask)
	}
	file := filepath.Join(at, recipe.FileName)
	if _, err := os.Stat(file); err == nil {
		return importOne(ctx, s, file, ask)
	}
	return survey(ctx, s, at, ask)
}

// commitAsker asks the repositories, or the user's mirrors of them; nil when the network may not be used.
func commitAsker(s *session.Session) (importer.AskCommit, error) {
	if s.Config.Offline {
		return nil, nil
	}
	overrides, err := s.Overrides()
	if err != nil {
		return nil, err
	}
	remotes := &source.Remotes{Fetcher: s.Fetcher(builder.Tools{}, ""), Overrides: overrides}
	return remotes.Commit, nil
}

func importOne(ctx context.Context, s *session.Session, file string, ask importer.AskCommit) error {
	name, r, err := importer.ReadFile(ctx, file, ask)
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
func survey(ctx context.Context, s *session.Session, dir string, ask importer.AskCommit) error {
	found, err := importer.Count(ctx, dir, ask)
	if err != nil {
		return err
	}
	if found.Found == 0 {
		return fmt.Errorf("%s has no %s in it", dir, recipe.FileName)
	}
	for _, problem := range found.Unread {
		s.Say("not read: %s", problem)
	}
	for _, problem := range found.Unanswered {
		s.Say("no commit: %s", problem)
	}
	rows := [][]string{
		{"RECIPES", "ONLY THAT", "WHAT"},
		{fmt.Sprint(found.Found), "", "found"},
		{fmt.Sprint(found.Read), "", "read"},
		{fmt.Sprint(found.Whole), "", "carried over whole"},
	}
	for _, l := range found.Lost {
		rows = append(rows, []string{fmt.Sprint(l.Recipes), fmt.Sprint(l.Only), "not whole: " + string(l.Reason)})
	}
	return ui.Table(s.Streams.Out, rows)
}

package recipe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

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
	return importMany(ctx, s, at)
}

func importOne(s *session.Session, file string) error {
	abs, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	name := filepath.Base(filepath.Dir(abs))
	r, err := readForeign(name, file)
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
	if err := s.Recipes.Fits(imported); err != nil {
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

func readForeign(name, file string) (*importer.Result, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r, err := importer.Import(name, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// importMany counts, and writes nothing.
func importMany(ctx context.Context, s *session.Session, dir string) error {
	recipes, read, whole := 0, 0, 0
	lost := map[importer.Reason]int{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != recipe.FileName {
			return errors.Join(err, ctx.Err())
		}
		recipes++
		r, err := readForeign(filepath.Base(filepath.Dir(file)), file)
		if err != nil {
			s.Say("not read: %v", err)
			return nil
		}
		read++
		if len(r.Losses) == 0 {
			whole++
		}
		seen := map[importer.Reason]bool{}
		for _, l := range r.Losses {
			if !seen[l.Reason] {
				lost[l.Reason]++
			}
			seen[l.Reason] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	if recipes == 0 {
		return fmt.Errorf("%s has no %s in it", dir, recipe.FileName)
	}
	return ui.Table(s.Streams.Out, importTable(recipes, read, whole, lost))
}

func importTable(recipes, read, whole int, lost map[importer.Reason]int) [][]string {
	rows := [][]string{
		{"RECIPES", "WHAT"},
		{fmt.Sprint(recipes), "found"},
		{fmt.Sprint(read), "read"},
		{fmt.Sprint(whole), "carried over whole"},
	}
	var reasons []importer.Reason
	for reason := range lost {
		reasons = append(reasons, reason)
	}
	sort.Slice(reasons, func(i, j int) bool {
		a, b := reasons[i], reasons[j]
		return lost[a] > lost[b] || lost[a] == lost[b] && a < b
	})
	for _, reason := range reasons {
		rows = append(rows, []string{fmt.Sprint(lost[reason]), "not whole: " + string(reason)})
	}
	return rows
}

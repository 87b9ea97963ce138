package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pannous/redox-clif/internal/recipe"
)

// Survey says of a folder of recipes how far each comes.
type Survey struct {
	Found int `json:"found"`
	Read  int `json:"read"`
	Whole int `json:"whole"` // nothing is lost
	// Lost counts for each reason the recipes that it keeps from being whole, the most frequent first.
	Lost   []Lost   `json:"lost"`
	Unread []string `json:"unread"` // errors
}

// Lost is a reason and how many recipes have it.
type Lost struct {
	Reason  Reason `json:"reason"`
	Recipes int    `json:"recipes"`
}

// ReadFile translates the recipe in a file; its name is that of the folder.
func ReadFile(file string) (name string, r *Result, err error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", nil, err
	}
	name = filepath.Base(filepath.Dir(abs))
	text, err := os.ReadFile(file)
	if err != nil {
		return name, nil, err
	}
	if r, err = Import(name, text); err != nil {
		return name, nil, fmt.Errorf("%s: %w", file, err)
	}
	return name, r, nil
}

// Count translates all recipes below a folder and keeps none.
func Count(ctx context.Context, dir string) (*Survey, error) {
	s, lost := &Survey{}, map[Reason]int{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != recipe.FileName {
			return errors.Join(err, ctx.Err())
		}
		s.Found++
		_, r, err := ReadFile(file)
		if err != nil {
			s.Unread = append(s.Unread, err.Error())
			return nil
		}
		s.add(r, lost)
		return nil
	})
	for reason, n := range lost {
		s.Lost = append(s.Lost, Lost{reason, n})
	}
	slices.SortFunc(s.Lost, func(a, b Lost) int { return cmp.Or(cmp.Compare(b.Recipes, a.Recipes), cmp.Compare(a.Reason, b.Reason)) })
	return s, err
}

func (s *Survey) add(r *Result, lost map[Reason]int) {
	s.Read++
	if len(r.Losses) == 0 {
		s.Whole++
	}
	seen := map[Reason]bool{}
	for _, l := range r.Losses {
		if !seen[l.Reason] {
			lost[l.Reason]++
		}
		seen[l.Reason] = true
	}
}

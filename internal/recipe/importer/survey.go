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

	"golang.org/x/sync/errgroup"

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
	// Unanswered are the recipes whose commit was asked for in vain, with the error of each.
	Unanswered []string `json:"unanswered"`
}

// Lost is a reason and how many recipes have it.
type Lost struct {
	Reason  Reason `json:"reason"`
	Recipes int    `json:"recipes"`
	Only    int    `json:"only"` // of them those that have no other reason
}

// ReadFile translates the recipe in a file; its name is that of the folder.
func ReadFile(ctx context.Context, file string, ask AskCommit) (name string, r *Result, err error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", nil, err
	}
	name = filepath.Base(filepath.Dir(abs))
	text, err := os.ReadFile(file)
	if err != nil {
		return name, nil, err
	}
	if r, err = Import(ctx, name, text, ask); err != nil {
		return name, nil, fmt.Errorf("%s: %w", file, err)
	}
	return name, r, nil
}

// askers is how many recipes are translated at a time: nearly all of their time is waiting for answers.
const askers = 8

// Count translates all recipes below a folder and keeps none. One that cannot be read, or whose commit is not to be found out,
// does not stop the others. ask may be nil, see [Import].
func Count(ctx context.Context, dir string, ask AskCommit) (*Survey, error) {
	files, err := recipeFiles(ctx, dir)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(files))
	group := errgroup.Group{}
	group.SetLimit(askers)
	for i, file := range files {
		group.Go(func() error {
			_, r, err := ReadFile(ctx, file, ask)
			outcomes[i] = outcome{file, r, err}
			return ctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return summarize(outcomes), nil
}

func recipeFiles(ctx context.Context, dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() == recipe.FileName {
			files = append(files, file)
		}
		return errors.Join(err, ctx.Err())
	})
	return files, err
}

// outcome is what came of one file.
type outcome struct {
	file   string
	result *Result
	err    error
}

func summarize(outcomes []outcome) *Survey {
	s, lost := &Survey{Found: len(outcomes)}, map[Reason]*Lost{}
	for _, o := range outcomes {
		if o.err != nil {
			s.Unread = append(s.Unread, o.err.Error())
			continue
		}
		if o.result.Unanswered != nil {
			s.Unanswered = append(s.Unanswered, printable(fmt.Sprintf("%s: %v", o.file, o.result.Unanswered)))
		}
		s.add(o.result, lost)
	}
	for _, l := range lost {
		s.Lost = append(s.Lost, *l)
	}
	slices.SortFunc(s.Lost, func(a, b Lost) int { return cmp.Or(cmp.Compare(b.Recipes, a.Recipes), cmp.Compare(a.Reason, b.Reason)) })
	return s
}

func (s *Survey) add(r *Result, lost map[Reason]*Lost) {
	s.Read++
	reasons := map[Reason]bool{}
	for _, l := range r.Losses {
		reasons[l.Reason] = true
	}
	if len(reasons) == 0 {
		s.Whole++
	}
	for reason := range reasons {
		if lost[reason] == nil {
			lost[reason] = &Lost{Reason: reason}
		}
		lost[reason].Recipes++
		if len(reasons) == 1 {
			lost[reason].Only++
		}
	}
}

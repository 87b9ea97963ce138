package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/tomledit"
)

// maxRounds bounds how often a series is tried with what was proposed for it: each round mends the edits that the one before could not reach.
const maxRounds = 3

// series tries the recipe's series on the tree, one on the result of the other, as a build does.
func (c *Checkout) series(ctx context.Context, at *tree, r *recipe.Recipe, m *Move, files map[string][]byte) error {
	for _, name := range r.Patches {
		if err := c.oneSeries(ctx, at, name, m, files); err != nil {
			return fmt.Errorf("series %s: %w", name, err)
		}
	}
	return nil
}

func (c *Checkout) oneSeries(ctx context.Context, at *tree, name string, m *Move, files map[string][]byte) error {
	dir, err := os.MkdirTemp("", "redox-clif-series-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(c.Patches, name))); err != nil {
		return err
	}
	for file, text := range files { // what another source of the upgrade has changed in it
		if series, patchName := path.Split(strings.TrimPrefix(file, c.relative(c.Patches)+"/")); path.Clean(series) == name {
			if err := os.WriteFile(filepath.Join(dir, name, patchName), text, 0o644); err != nil {
				return err
			}
		}
	}
	var report *patch.Report
	for round := 0; ; round++ {
		series, err := patch.Load(os.DirFS(dir), name)
		if err != nil {
			return err
		}
		if report, err = patch.Apply(ctx, series, at, patch.Options{}); report == nil {
			return err
		}
		if report.Count(patch.Conflict) == 0 || round == maxRounds {
			break
		}
		mended, err := c.mend(at, series, report, dir, m, files)
		if err != nil {
			return err
		}
		if !mended {
			break
		}
	}
	for _, result := range report.Results {
		if result.Status == patch.Conflict {
			result.Patch = c.patchFile(name, result.Patch)
			m.Conflicts = append(m.Conflicts, result.String())
		}
	}
	gone := report.Count(patch.Satisfied) + report.Count(patch.NotNeeded)
	m.Series = append(m.Series, Series{Name: name, Summary: report.Summary(), Superfluous: gone == len(report.Results)})
	return nil
}

// mend gives edits in conflict the anchors that are proposed for them, in dir and in files, and tells whether there was one.
func (c *Checkout) mend(at *tree, series *patch.Series, report *patch.Report, dir string, m *Move, files map[string][]byte) (mended bool, err error) {
	for _, result := range report.Results {
		number, isEdit := strings.CutPrefix(result.Part, "edit ")
		n, err := strconv.Atoi(number)
		if result.Status != patch.Conflict || !isEdit || err != nil {
			continue
		}
		edit := editOf(series, result.Patch, n-1)
		change, err := c.propose(at, series.Name, edit)
		if err != nil {
			return mended, err
		}
		if change == nil {
			continue
		}
		file := filepath.Join(dir, series.Name, result.Patch)
		text, err := os.ReadFile(file)
		if err == nil {
			text, err = change.into(text, n-1)
		}
		if err == nil {
			err = os.WriteFile(file, text, 0o644)
		}
		if err != nil {
			return mended, err
		}
		name := c.patchFile(series.Name, result.Patch)
		files[name], mended = text, true
		m.Proposed = append(m.Proposed, Proposal{Patch: name, Part: result.Part, Old: change.old, New: change.new})
	}
	return mended, nil
}

func editOf(series *patch.Series, name string, i int) *patch.Edit {
	for p := range series.Patches {
		if series.Patches[p].Name == name {
			return &series.Patches[p].Edits[i]
		}
	}
	return nil
}

// change is a key of an edit that gets another value, and what is said of it.
type change struct {
	set      map[string]any
	old, new string
}

// into is a patch's text with the change of its i-th edit.
func (c *change) into(text []byte, i int) ([]byte, error) {
	doc, err := tomledit.Parse(text)
	if err != nil {
		return nil, err
	}
	for key, value := range c.set {
		if err := doc.Set(value, "edit", strconv.Itoa(i), key); err != nil {
			return nil, err
		}
	}
	return doc.Bytes(), nil
}

// propose is the change that lets an edit find its place, nil where none is certain. An anchor keeps its old form beside the new one: other sources may have
// the series too.
func (c *Checkout) propose(at *tree, series string, e *patch.Edit) (*change, error) {
	f, err := at.ReadFile(e.File)
	if errors.Is(err, fs.ErrNotExist) {
		return c.moved(at, series, e)
	}
	if err != nil {
		return nil, err
	}
	found, ok := e.Propose(string(f.Data))
	if !ok {
		return nil, nil
	}
	return &change{set: map[string]any{"anchor": regexp.QuoteMeta(e.Anchor) + "|" + regexp.QuoteMeta(found), "regex": true}, old: e.Anchor, new: found}, nil
}

// moved is the change for a file that is in another folder now, by the same name and with what the edit looks for. A series that others name too keeps its
// path.
func (c *Checkout) moved(at *tree, series string, e *patch.Edit) (*change, error) {
	if c.Users[series] > 1 || e.Regex {
		return nil, nil
	}
	names, err := at.List()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range names {
		if path.Base(name) != path.Base(e.File) {
			continue
		}
		f, err := at.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if strings.Count(string(f.Data), e.Anchor) == e.Count {
			found = append(found, name)
		}
	}
	if len(found) != 1 {
		return nil, nil
	}
	return &change{set: map[string]any{"file": found[0]}, old: e.File, new: found[0]}, nil
}

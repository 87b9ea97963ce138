package upgrade

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
)

// Journal remembers in a folder of its own how far an upgrade is, so that one that was stopped goes on with the same commits, and what the files were
// that it has changed, so that all of them are changed or none.
type Journal struct {
	root, dir string
	state     state
}

type state struct {
	// Goal is what was asked for, as it was typed: another one begins anew.
	Goal string `json:"goal"`
	// Commits are those that sources move to, by recipe.
	Commits map[string]string `json:"commits"`
	// Written are the files that are changed, or are about to be. Those that were not there before are New.
	Written []string `json:"written,omitempty"`
	New     []string `json:"new,omitempty"`
}

const stateFile = "state.json"

// OpenJournal reads the journal in dir, if there is one. root is the checkout, whose files the journal is of.
func OpenJournal(root, dir string) (*Journal, error) {
	j := &Journal{root: root, dir: dir}
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &j.state); err != nil {
		return nil, fmt.Errorf("%s: %w; without that file the upgrade begins anew", filepath.Join(dir, stateFile), err)
	}
	return j, nil
}

// Kept are the commits that an upgrade to the same goal decided on.
func (j *Journal) Kept(goal string) map[string]string {
	if j.state.Goal != goal {
		return nil
	}
	return j.state.Commits
}

// Open says that files are changed by an upgrade that has not come to its end.
func (j *Journal) Open() bool { return len(j.state.Written) > 0 }

// Decide keeps the commits of a plan.
func (j *Journal) Decide(goal string, p *Plan) error {
	j.state.Goal, j.state.Commits = goal, map[string]string{}
	for i := range p.Moves {
		if p.Moves[i].Problem == "" {
			j.state.Commits[p.Moves[i].Recipe] = p.Moves[i].To
		}
	}
	return j.save()
}

func (j *Journal) save() error {
	text, err := json.MarshalIndent(j.state, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(j.dir, 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(j.dir, stateFile), text, 0o644)
}

func (j *Journal) before(name string) string {
	return filepath.Join(j.dir, "before", filepath.FromSlash(name))
}

func (j *Journal) at(name string) string { return filepath.Join(j.root, filepath.FromSlash(name)) }

// Write changes the files, by slash path in the checkout; also names others that are about to be changed by somebody else. What was there is kept until Restore
// or Finish.
func (j *Journal) Write(files map[string][]byte, also ...string) error {
	names := append(slices.Sorted(maps.Keys(files)), also...)
	for _, name := range names {
		text, err := os.ReadFile(j.at(name))
		if errors.Is(err, fs.ErrNotExist) {
			j.state.New = append(j.state.New, name)
			continue
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(j.before(name)), 0o755)
		}
		if err == nil {
			err = renameio.WriteFile(j.before(name), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	j.state.Written = names
	if err := j.save(); err != nil { // before the first change, so that whoever comes next knows
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := renameio.WriteFile(j.at(name), files[name], 0o644); err != nil {
			return errors.Join(err, j.Restore())
		}
	}
	return nil
}

// Restore puts back what was there before Write. The commits stay decided.
func (j *Journal) Restore() error {
	for _, name := range j.state.Written {
		if slices.Contains(j.state.New, name) {
			if err := os.Remove(j.at(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		text, err := os.ReadFile(j.before(name))
		if err == nil {
			err = renameio.WriteFile(j.at(name), text, 0o644)
		}
		if err != nil {
			return fmt.Errorf("putting back %s: %w", name, err)
		}
	}
	j.state.Written, j.state.New = nil, nil
	return errors.Join(j.save(), os.RemoveAll(j.before("")))
}

// Finish forgets the upgrade: what is written stays.
func (j *Journal) Finish() error {
	j.state = state{}
	return errors.Join(os.RemoveAll(j.before("")), os.Remove(filepath.Join(j.dir, stateFile)))
}

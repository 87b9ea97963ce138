// Package edit keeps the sources that are under edit: a git repository for each, with the patch series as commits.
//
// It owns the folder of these repositories, what is written down in each of them, and how commits become patches of the series again. It
// must not know what a build does with a source, where one comes from, nor print.
//
// A repository is made beside its place and renamed to it: it is there with all of its commits, or not at all. What a user has made is never
// removed, not even where an edit is dropped: such a repository is moved aside.
package edit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/git"
)

// Edits are the sources under edit of one checkout.
type Edits struct {
	// Dir is the folder that has a repository for each.
	Dir string
	Git git.Git
}

// Edit is a source under edit.
type Edit struct {
	Dir string // of the repository
	record
	git git.Git
}

// record is what a repository says of its edit, in recordName.
type record struct {
	Schema int      `json:"schema"`
	Recipe string   `json:"recipe"`
	Set    string   `json:"set"`    // the release set whose source it is
	Source string   `json:"source"` // what it was, for people
	Base   string   `json:"base"`   // the commit that has the source without patches
	Top    string   `json:"top"`    // the commit that has it with all of them
	Series []Series `json:"series"`
}

// Series is a patch series as the edit began with it.
type Series struct {
	Name    string  `json:"name"`
	Patches []Patch `json:"patches"`
}

// Patch is one file of a series.
type Patch struct {
	File   string `json:"file"`   // its name in the folder of the series
	Digest string `json:"digest"` // SHA-256 of the file and of those beside it that it takes, hex
	Commit string `json:"commit"` // "" where it changes nothing
}

const (
	recordName   = ".git/redox-clif.json"
	recordSchema = 1
	newPrefix    = ".new-"  // of a repository that is being made
	asideName    = ".aside" // holds those that are done with
)

// List are the sources under edit, by recipe. A folder that is not one, or cannot be read, is an error: its user's work may be in it.
func (s Edits) List() ([]*Edit, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []*Edit
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		e, err := s.read(entry.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// Find is the edit of a recipe's source, nil when there is none.
func (s Edits) Find(recipe string) (*Edit, error) {
	if _, err := os.Lstat(s.dirOf(recipe)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return s.read(recipe)
}

func (s Edits) dirOf(recipe string) string { return filepath.Join(s.Dir, recipe) }

func (s Edits) read(recipe string) (*Edit, error) {
	e := &Edit{Dir: s.dirOf(recipe), git: s.Git}
	text, err := os.ReadFile(filepath.Join(e.Dir, recordName))
	if err == nil {
		err = json.Unmarshal(text, &e.record)
	}
	if err == nil && (e.Schema != recordSchema || e.Recipe != recipe || e.Base == "") {
		err = fmt.Errorf("%s is not of this version, or of another recipe", recordName)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no source under edit that can be read; move it away, and `mage edit %s` takes the source anew: %w", e.Dir, recipe, err)
	}
	return e, nil
}

// run runs git in the repository.
func (e *Edit) run(ctx context.Context, args ...string) (string, error) {
	out, err := e.git.In(ctx, e.Dir, nil, args...)
	return strings.TrimSuffix(string(out), "\n"), err
}

// State is what a user has made in an edit.
type State struct {
	// Commits are those that are not of the series as the edit began: new ones, and patches that were made anew.
	Commits int `json:"commits"`
	// Changed are the files that no commit has as they are, by git's status: "M src/lib.rs", "? new.rs".
	Changed []string `json:"changed"`
	// Stashes, and Branches beside the one that is checked out, may hold work as well.
	Stashes  int      `json:"stashes"`
	Branches []string `json:"branches"`
}

// Untouched tells whether there is nothing that could be lost.
func (s State) Untouched() bool {
	return s.Commits == 0 && len(s.Changed) == 0 && s.Stashes == 0 && len(s.Branches) == 0
}

// State looks at what the user has made.
func (e *Edit) State(ctx context.Context) (s State, err error) {
	if s.Changed, err = e.changed(ctx); err != nil {
		return s, err
	}
	commits, err := e.run(ctx, "rev-list", e.Top+"..HEAD")
	if err != nil {
		return s, err
	}
	s.Commits = len(strings.Fields(commits))
	stashes, err := e.run(ctx, "stash", "list")
	if err != nil {
		return s, err
	}
	s.Stashes = strings.Count(stashes, "stash@")
	branches, err := e.run(ctx, "for-each-ref", "--format=%(refname:short)", "--no-merged=HEAD", "refs/heads")
	s.Branches = append([]string{}, strings.Fields(branches)...)
	if behind, backErr := e.run(ctx, "rev-list", "--count", "HEAD.."+e.Top); err == nil && backErr == nil && behind != "0" && s.Commits == 0 {
		s.Commits = 1 // patches of the series were taken out, which is work too
	}
	return s, err
}

// changed are the files that differ from the last commit.
func (e *Edit) changed(ctx context.Context) ([]string, error) {
	out, err := e.git.In(ctx, e.Dir, nil, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all")
	if err != nil {
		return nil, err
	}
	files := []string{}
	for line := range strings.SplitSeq(string(out), "\x00") {
		if len(line) > 3 {
			files = append(files, strings.TrimSpace(line[:2])[:1]+" "+line[3:])
		}
	}
	slices.Sort(files)
	return files, nil
}

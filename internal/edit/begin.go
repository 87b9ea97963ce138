package edit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/patch"
)

// Begin is what an edit begins with.
type Begin struct {
	Recipe, Set string
	// Source says what the source is, for people.
	Source string
	// Lay makes the folder that it is given hold the source as it is without patches.
	Lay func(dir string) error
	// Patches has the folders of the series, Series are their names in order.
	Patches fs.FS
	Series  []string
}

// Begin takes a source for editing.
func (s Edits) Begin(ctx context.Context, b Begin) (*Edit, error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, err
	}
	if err := s.sweep(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.Dir, newPrefix+b.Recipe+"-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // nothing is there any more when it was renamed
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	e := &Edit{Dir: dir, git: s.Git, record: record{Schema: recordSchema, Recipe: b.Recipe, Set: b.Set, Source: b.Source}}
	if err := e.fill(ctx, b); err != nil {
		return nil, err
	}
	if err := os.Rename(dir, s.dirOf(b.Recipe)); err != nil {
		return nil, err
	}
	e.Dir = s.dirOf(b.Recipe)
	return e, nil
}

// sweep removes what runs that were killed have left half-made. Whoever begins an edit has the checkout for itself.
func (s Edits) sweep() error {
	left, err := filepath.Glob(filepath.Join(s.Dir, newPrefix+"*"))
	if err != nil {
		return err
	}
	var all error
	for _, dir := range left {
		all = errors.Join(all, os.RemoveAll(dir))
	}
	return all
}

// fill makes the repository.
func (e *Edit) fill(ctx context.Context, b Begin) error {
	if err := b.Lay(e.Dir); err != nil {
		return err
	}
	if err := e.initialise(ctx); err != nil {
		return err
	}
	if _, err := e.run(ctx, "add", "-A", "-f", "."); err != nil {
		return err
	}
	var err error
	if e.Base, err = e.commit(ctx, b.Source+"\n\nThe source without patches.\n"); err != nil {
		return err
	}
	for _, name := range b.Series {
		series, err := e.applySeries(ctx, b.Patches, name)
		if err != nil {
			return fmt.Errorf("patches/%s: %w", name, err)
		}
		e.Series = append(e.Series, *series)
	}
	if e.Top, err = e.run(ctx, "rev-parse", "HEAD"); err != nil {
		return err
	}
	text, err := json.MarshalIndent(e.record, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(e.Dir, recordName), append(text, '\n'), 0o644)
}

// initialise makes an empty repository in which every file is what its bytes are: a source's own attributes would have git convert
// line ends. What cargo makes is no change.
func (e *Edit) initialise(ctx context.Context) error {
	if _, err := e.git.Run(ctx, "", "init", "-q", "--initial-branch="+branchName, "--template=", e.Dir); err != nil {
		return err
	}
	info := filepath.Join(e.Dir, ".git", "info")
	return errors.Join(os.MkdirAll(info, 0o755),
		os.WriteFile(filepath.Join(info, "attributes"), []byte("* -text -ident -filter -working-tree-encoding\n"), 0o644),
		os.WriteFile(filepath.Join(info, "exclude"), []byte("target/\n"), 0o644))
}

const branchName = "edit"

// commit commits what was added, by us and at no time.
func (e *Edit) commit(ctx context.Context, message string) (string, error) {
	const who, when = "redox-clif", "1970-01-01T00:00:00Z"
	own := e.git
	own.Env = append(append([]string{}, own.Env...), "GIT_AUTHOR_NAME="+who, "GIT_AUTHOR_EMAIL=", "GIT_AUTHOR_DATE="+when,
		"GIT_COMMITTER_NAME="+who, "GIT_COMMITTER_EMAIL=", "GIT_COMMITTER_DATE="+when)
	if _, err := own.In(ctx, e.Dir, strings.NewReader(message), "commit", "-q", "--allow-empty", "--cleanup=verbatim", "--file=-"); err != nil {
		return "", err
	}
	return e.run(ctx, "rev-parse", "HEAD")
}

// applySeries applies a series, with a commit for each patch that changes something.
func (e *Edit) applySeries(ctx context.Context, patches fs.FS, name string) (*Series, error) {
	loaded, err := patch.Load(patches, name)
	if err != nil {
		return nil, err
	}
	tree, err := patch.OpenDir(e.Dir)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	made := &Series{Name: name}
	for _, p := range loaded.Patches {
		one := &patch.Series{Name: name, Patches: []patch.Patch{p}}
		report, err := patch.Apply(ctx, one, tree, patch.Options{})
		if err != nil {
			return nil, err
		}
		kept := Patch{File: p.Name}
		if kept.Digest, err = digest(patches, name, &p); err != nil {
			return nil, err
		}
		if len(report.Changed) > 0 {
			if kept.Commit, err = e.commitPatch(ctx, name, &p, report.Changed); err != nil {
				return nil, err
			}
		}
		made.Patches = append(made.Patches, kept)
	}
	return made, nil
}

func (e *Edit) commitPatch(ctx context.Context, series string, p *patch.Patch, changed []string) (string, error) {
	paths := strings.Join(changed, "\x00") + "\x00"
	if _, err := e.git.In(ctx, e.Dir, strings.NewReader(paths), "--literal-pathspecs", "add", "-A", "-f", "--pathspec-from-file=-", "--pathspec-file-nul"); err != nil {
		return "", err
	}
	return e.commit(ctx, messageOf(series, p))
}

// messageOf is a patch as a commit's message: title, reason, and the line by which the commit is known as the patch, also when it is made
// anew by a rebase.
func messageOf(series string, p *patch.Patch) string {
	text := p.Title + "\n\n"
	if p.Reason != "" {
		text += p.Reason + "\n\n"
	}
	return text + trailer + path.Join(series, p.Name) + "\n"
}

// trailer begins the line that names the patch that a commit is.
const trailer = "Patch: "

// digest is the SHA-256 of a patch's file, and of the files beside it that it has taken.
func digest(patches fs.FS, series string, p *patch.Patch) (string, error) {
	data, err := fs.ReadFile(patches, path.Join(series, p.Name))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%d\n%s", len(data), data)
	for _, f := range p.Files {
		fmt.Fprintf(sum, "%d\n%s", len(f.Text), f.Text)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Aside moves an edit to where it is in nobody's way, and returns its new place. Of one in which nothing is a user's nothing is kept, and the
// place is "".
func (s Edits) Aside(ctx context.Context, e *Edit, now time.Time) (string, error) {
	state, err := e.State(ctx)
	if err != nil {
		return "", err
	}
	if state.Untouched() {
		gone := filepath.Join(s.Dir, newPrefix+e.Recipe+"-gone") // what is left of it, the next Begin sweeps
		return "", errors.Join(os.RemoveAll(gone), os.Rename(e.Dir, gone), os.RemoveAll(gone))
	}
	to, err := s.free(e.Recipe + "-" + now.Format("20060102-150405"))
	if err != nil {
		return "", err
	}
	return to, os.Rename(e.Dir, to)
}

// free is a place aside that nothing has.
func (s Edits) free(name string) (string, error) {
	top := filepath.Join(s.Dir, asideName)
	if err := os.MkdirAll(top, 0o755); err != nil {
		return "", err
	}
	at := filepath.Join(top, name)
	for n := 2; ; n++ {
		_, err := os.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			return at, nil
		}
		if err != nil {
			return "", err
		}
		at = filepath.Join(top, fmt.Sprintf("%s-%d", name, n))
	}
}

package edit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/patch/draft"
	"github.com/pannous/redox-clif/internal/tomledit"
)

// commit is one of the edit's, in the order in which they are applied.
type commit struct {
	id, parent    string
	title, reason string
	is            string // the patch that it is, "kernel/0001-x.toml"; "" for a new one
}

var trailerLine = regexp.MustCompile(`(?m)^` + trailer + `(\S+)[ \t]*\n?`)

// commits are those after the source without patches.
func (e *Edit) commits(ctx context.Context) ([]commit, error) {
	out, err := e.git.In(ctx, e.Dir, nil, "log", "--reverse", "--topo-order", "-z", "--format=%H%n%P%n%B", e.Base+"..HEAD")
	if err != nil {
		return nil, err
	}
	known := e.patchPaths()
	var all []commit
	for text := range strings.SplitSeq(string(out), "\x00") {
		if text == "" {
			continue
		}
		c, err := parseCommit(text)
		if err != nil {
			return nil, err
		}
		if !known[c.is] { // none of ours, or the second half of one that was split
			c.is = ""
		}
		delete(known, c.is)
		all = append(all, c)
	}
	return all, nil
}

// patchPaths are the patches that the edit began with and that are commits.
func (e *Edit) patchPaths() map[string]bool {
	known := map[string]bool{}
	for _, s := range e.Series {
		for _, p := range s.Patches {
			if p.Commit != "" {
				known[path.Join(s.Name, p.File)] = true
			}
		}
	}
	return known
}

// parseCommit reads what log has of a commit: its name, those of its parents, its message.
func parseCommit(text string) (commit, error) {
	id, rest, _ := strings.Cut(text, "\n")
	parents, message, _ := strings.Cut(rest, "\n")
	c := commit{id: id, parent: parents}
	if strings.Contains(parents, " ") {
		return c, fmt.Errorf("commit %.12s is a merge, which no patch can be: git rebase makes a line of the commits", id)
	}
	if found := trailerLine.FindAllStringSubmatch(message, -1); len(found) > 0 {
		c.is = found[len(found)-1][1]
		message = trailerLine.ReplaceAllString(message, "")
	}
	title, body, _ := strings.Cut(strings.TrimSpace(message), "\n")
	c.title, c.reason = strings.TrimSpace(title), strings.TrimSpace(body)
	if c.title == "" {
		return c, fmt.Errorf("commit %.12s has no message, and a patch has a title: git commit --amend or git rebase -i gives it one", id)
	}
	return c, nil
}

// write writes every commit as a patch into the stage.
func (p *planning) write(ctx context.Context) error {
	commits, err := p.e.commits(ctx)
	if err != nil {
		return err
	}
	gone := p.e.patchPaths()
	last := map[string]string{} // the newest file of each series
	for _, c := range commits {
		made, err := p.one(ctx, c)
		if err != nil {
			return fmt.Errorf("commit %.12s (%s): %w", c.id, c.title, err)
		}
		delete(gone, c.is)
		if made == "" {
			continue
		}
		series, name := path.Split(made)
		if name < last[series] {
			return fmt.Errorf("commit %.12s (%s) would be %s, which is applied before %s, the commit under it: git rebase -i puts it where that is", c.id, c.title, made, path.Join(series, last[series]))
		}
		last[series] = name
	}
	for _, name := range slices.Sorted(maps.Keys(gone)) {
		p.w.Remarks = append(p.w.Remarks, fmt.Sprintf("no commit is patches/%s any more (its line \"%s%s\" tells), so it goes", name, trailer, name))
		if err := p.remove(name); err != nil {
			return err
		}
	}
	return nil
}

// one writes a commit, and returns the patch that it is then, "" for none.
func (p *planning) one(ctx context.Context, c commit) (string, error) {
	before, err := p.e.tree(ctx, c.parent)
	if err != nil {
		return "", err
	}
	after, err := p.e.tree(ctx, c.id)
	if err != nil {
		return "", err
	}
	files := differ(before, after)
	if c.is != "" {
		return p.old(ctx, c, before, after, files)
	}
	if len(files) == 0 {
		p.w.Remarks = append(p.w.Remarks, fmt.Sprintf("commit %.12s (%s) changes nothing, and becomes no patch", c.id, c.title))
		return "", nil
	}
	return p.fresh(ctx, c, before, after, files)
}

// old writes a commit that is a patch already. One that does what it did, with the same words, stays as it is to the byte.
func (p *planning) old(ctx context.Context, c commit, before, after *commitTree, files []string) (string, error) {
	series, name := path.Split(c.is)
	series = path.Clean(series)
	was, err := p.load(series, name)
	if err != nil {
		return "", err
	}
	same, err := p.does(ctx, series, was, before, after, files)
	if err != nil {
		return "", err
	}
	words := c.title == was.Title && c.reason == strings.TrimSpace(was.Reason)
	switch {
	case same && words:
		return c.is, nil
	case was.Unified != nil:
		return c.is, p.unified(ctx, c, c.is)
	case same:
		return c.is, p.reword(c)
	}
	text, err := os.ReadFile(filepath.Join(p.w.stage, series, name))
	if err != nil {
		return "", err
	}
	doc, err := draft.Read(path.Join("patches", c.is), text)
	if err != nil {
		return "", err
	}
	beside := func(name string) ([]byte, error) {
		return os.ReadFile(filepath.Join(p.w.stage, series, filepath.FromSlash(name)))
	}
	made, err := draft.TOML(ctx, draft.Change{Title: c.title, Reason: orTitle(c), Before: before, After: after, Files: files, Old: doc, Beside: beside})
	if no := (*draft.InexpressibleError)(nil); errors.As(err, &no) {
		p.w.Remarks = append(p.w.Remarks, fmt.Sprintf("patches/%s becomes a unified diff: %v", c.is, no))
		as := strings.TrimSuffix(c.is, ".toml") + ".patch"
		return as, errors.Join(p.remove(c.is), p.unified(ctx, c, as))
	}
	if err != nil {
		return "", err
	}
	for _, file := range made.Anew {
		p.w.Remarks = append(p.w.Remarks, fmt.Sprintf("patches/%s: the edits of %s are written anew; look at their anchors", c.is, file))
	}
	return c.is, p.put(c.is, made)
}

// load reads a patch of the stage alone.
func (p *planning) load(series, name string) (*patch.Patch, error) {
	all, err := patch.Load(os.DirFS(p.w.stage), series)
	if err != nil {
		return nil, err
	}
	for i := range all.Patches {
		if all.Patches[i].Name == name {
			return &all.Patches[i], nil
		}
	}
	return nil, fmt.Errorf("patches/%s/%s is not there any more", series, name)
}

// does tells whether a patch makes of one tree the other.
func (p *planning) does(ctx context.Context, series string, one *patch.Patch, before, after *commitTree, files []string) (bool, error) {
	got := patch.NewOverlay(before)
	_, err := patch.Apply(ctx, &patch.Series{Name: series, Patches: []patch.Patch{*one}}, got, patch.Options{})
	if conflict := (*patch.ConflictError)(nil); errors.As(err, &conflict) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, name := range slices.Concat(files, changedBy(got)) {
		if same, err := equal(got, after, name); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// equal tells whether a file is the same in two trees.
func equal(a, b patch.Reader, name string) (bool, error) {
	one, errOne := a.ReadFile(name)
	other, errOther := b.ReadFile(name)
	for _, err := range []error{errOne, errOther} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	if errOne != nil || errOther != nil {
		return errOne != nil && errOther != nil, nil
	}
	return one.Link == other.Link && one.Executable == other.Executable && bytes.Equal(one.Data, other.Data), nil
}

// reword writes a commit's words into the patch that it is.
func (p *planning) reword(c commit) error {
	at := filepath.Join(p.w.stage, filepath.FromSlash(c.is))
	text, err := os.ReadFile(at)
	if err != nil {
		return err
	}
	doc, err := tomledit.Parse(text)
	if err != nil {
		return err
	}
	if err := errors.Join(doc.Set(c.title, "title"), doc.Set(tomledit.Literal(draft.Quote(orTitle(c)+"\n")), "reason")); err != nil {
		return err
	}
	return os.WriteFile(at, doc.Bytes(), 0o644)
}

// orTitle is the reason for a commit, which is its title where it says no more.
func orTitle(c commit) string {
	if c.reason == "" {
		return c.title
	}
	return c.reason
}

// fresh writes a commit that is no patch yet.
func (p *planning) fresh(ctx context.Context, c commit, before, after *commitTree, files []string) (string, error) {
	series, err := p.seriesForNew()
	if err != nil {
		return "", err
	}
	name, err := p.nextName(series, c.title)
	if err != nil {
		return "", err
	}
	is := path.Join(series, name)
	if p.f.Form == AsUnified {
		return is + ".patch", p.unified(ctx, c, is+".patch")
	}
	made, err := draft.TOML(ctx, draft.Change{Title: c.title, Reason: orTitle(c), Before: before, After: after, Files: files})
	no := (*draft.InexpressibleError)(nil)
	switch {
	case errors.As(err, &no) && p.f.Form == AsTOML:
		return "", fmt.Errorf("no edits in TOML say what it does, -form=patch does: %w", err)
	case errors.As(err, &no):
		p.w.Remarks = append(p.w.Remarks, fmt.Sprintf("patches/%s.patch is a unified diff: %v", is, no))
		return is + ".patch", p.unified(ctx, c, is+".patch")
	case err != nil:
		return "", err
	}
	return is + ".toml", p.put(is+".toml", made)
}

// byPrograms begins the names of series that `mage toolchain:pin` writes.
const byPrograms = "pin-"

// seriesForNew is the series of new commits, which the recipe names afterwards: before those that programs write.
func (p *planning) seriesForNew() (string, error) {
	own := func(name string) bool { return !strings.HasPrefix(name, byPrograms) }
	name := p.f.New
	if name != "" && (!validSeries.MatchString(name) || !own(name)) {
		return "", fmt.Errorf("-series=%s: want letters, digits, _ and -, and none that begins with %s, which programs write", name, byPrograms)
	}
	if name == "" && slices.Contains(p.w.Series, p.e.Recipe) {
		name = p.e.Recipe
	}
	if name == "" {
		for _, s := range p.w.Series {
			if own(s) {
				name = s
			}
		}
	}
	if name == "" {
		name = p.e.Recipe
	}
	if !slices.Contains(p.w.Series, name) {
		if _, err := os.Lstat(filepath.Join(p.f.Patches, name)); err == nil {
			return "", fmt.Errorf("patches/%s is there, and the recipe does not name it: -series=NAME takes another series, or a new one", name)
		}
		at := slices.IndexFunc(p.w.Series, func(s string) bool { return !own(s) })
		if at < 0 {
			at = len(p.w.Series)
		}
		p.w.Series = slices.Insert(p.w.Series, at, name)
	}
	return name, nil
}

var validSeries = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*$`)

var noSlug = regexp.MustCompile(`[^a-z0-9]+`)

// longSlug bounds what a title adds to a file's name, in bytes.
const longSlug = 48

// nextName is the name of a new patch behind all of a series, without its ending.
func (p *planning) nextName(series, title string) (string, error) {
	files, err := filesOf(filepath.Join(p.w.stage, series))
	if err != nil {
		return "", err
	}
	number := 0
	for name := range files {
		var n int
		if ext := path.Ext(name); ext != ".toml" && ext != ".patch" {
			continue
		}
		if _, err := fmt.Sscanf(name, "%04d-", &n); err == nil {
			number = max(number, n)
		}
	}
	slug := strings.Trim(noSlug.ReplaceAllString(strings.ToLower(title), "-"), "-")
	if len(slug) > longSlug {
		slug = slug[:longSlug]
		if cut := strings.LastIndexByte(slug, '-'); cut > 0 {
			slug = slug[:cut]
		}
	}
	if slug == "" {
		slug = "change"
	}
	return fmt.Sprintf("%04d-%s", number+1, slug), nil
}

// put writes a patch in TOML and what lies beside it.
func (p *planning) put(is string, made *draft.Patch) error {
	at := filepath.Join(p.w.stage, filepath.FromSlash(is))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	for name, data := range made.Beside {
		beside := filepath.Join(filepath.Dir(at), filepath.FromSlash(name))
		if err := os.WriteFile(beside, data, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(at, made.Text, 0o644)
}

func (p *planning) remove(is string) error {
	return os.Remove(filepath.Join(p.w.stage, filepath.FromSlash(is)))
}

// unified writes a commit as git format-patch does, whatever the user's settings for that are, without the line that names the patch.
func (p *planning) unified(ctx context.Context, c commit, is string) error {
	out, err := p.e.git.In(ctx, p.e.Dir, nil, "-c", "diff.noprefix=false", "-c", "diff.mnemonicPrefix=false", "-c", "format.signOff=false", "-c", "format.useAutoBase=false",
		"format-patch", "-1", "--stdout", "--zero-commit", "--no-signature", "--no-stat", "--no-numbered", "--no-attach", "--no-thread", "--no-to", "--no-cc", "--no-add-header",
		"--no-notes", "--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff", "--no-textconv", c.id)
	if err != nil {
		return err
	}
	at := filepath.Join(p.w.stage, filepath.FromSlash(is))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	// No line of a diff itself begins so.
	return os.WriteFile(at, trailerLine.ReplaceAll(out, nil), 0o644)
}

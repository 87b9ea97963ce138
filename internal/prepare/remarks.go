package prepare

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/recipe"
	"github.com/pannous/redox-clif/internal/source"
	"github.com/pannous/redox-clif/internal/tomledit"
)

// shownNames is how many names of a kind are said.
const shownNames = 3

// some are the first of a list of names, quoted, and how many more there are.
func some(names []string) string {
	quoted := make([]string, 0, shownNames)
	for _, name := range names[:min(len(names), shownNames)] {
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	text := strings.Join(quoted, ", ")
	if more := len(names) - shownNames; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// oddities says what was found about the files of a source that can be built all the same.
func oddities(src string, f *source.Findings) []string {
	var lines []string
	if len(f.LeftOut) > 0 {
		lines = append(lines, fmt.Sprintf("%s: left out: %s: the name or the target of a link is not UTF-8, and neither a tree of the cache nor Redox can hold it; what needs the file has to give it another name",
			src, some(f.LeftOut)))
	}
	if len(f.Special) > 0 {
		lines = append(lines, fmt.Sprintf("%s: left out: %s: a device, a socket or a pipe is nothing that can be built", src, some(f.Special)))
	}
	if len(f.Pointers) > 0 {
		lines = append(lines, fmt.Sprintf("%s: the content of %s is kept elsewhere by Git LFS, and what is built has only the text that says where; a folder in which `git lfs pull` was done can take the source's place: [source.NAME] dir = \"DIR\" in overrides.toml",
			src, some(f.Pointers)))
	}
	return lines
}

// checkFolder holds a folder that was captured to the rules that fetched sources are held to, and returns what is left of it.
// found has what was left out already.
func (s *Sources) checkFolder(dir string, root cas.Digest, found *source.Findings) (cas.Digest, error) {
	tree, err := s.o.Store.LoadTree(root)
	if err != nil {
		return cas.Digest{}, err
	}
	before := len(tree.Entries)
	for p, target := range linksOf(tree) {
		if !source.Nameable(target) {
			delete(tree.Entries, p)
			found.LeftOut = append(found.LeftOut, p)
		}
	}
	if err := source.CheckLinks(linksOf(tree)); err != nil {
		return cas.Digest{}, fmt.Errorf("%s: %w", dir, err)
	}
	if found.Pointers, err = s.pointers(tree); err != nil {
		return cas.Digest{}, err
	}
	slices.Sort(found.LeftOut)
	slices.Sort(found.Special)
	for _, line := range oddities(dir, found) {
		s.notice(line)
	}
	if len(tree.Entries) < before {
		return s.o.Store.PutTree(tree)
	}
	return root, nil
}

// pointers finds those of Git LFS in a folder that was captured. Its small files are read only where the attributes at its
// top speak of LFS.
func (s *Sources) pointers(tree *cas.Tree) ([]string, error) {
	attributes, ok := tree.Entries[".gitattributes"]
	if !ok || attributes.Dir || attributes.Link != "" {
		return nil, nil
	}
	text, err := s.o.Store.ReadAll(attributes.Digest)
	if err != nil || !bytes.Contains(text, []byte("filter=lfs")) {
		return nil, err
	}
	var found []string
	for _, p := range tree.Paths() {
		e := tree.Entries[p]
		if e.Dir || e.Link != "" || e.Digest.Size > source.MaxPointer {
			continue
		}
		content, err := s.o.Store.ReadAll(e.Digest)
		if err != nil {
			return nil, err
		}
		if source.IsPointer(content) {
			found = append(found, p)
		}
	}
	return found, nil
}

// submodule is one of a source that the recipe does not list, so that its folder is empty.
type submodule struct{ path, url, commit string }

// unlisted finds them in the tree of a source. listed are those that are put into their places later.
func (s *Sources) unlisted(ctx context.Context, res *source.Resolved, tree cas.Digest, listed map[string]*source.Resolved) ([]submodule, error) {
	repository, isGit := res.Source.(source.Git)
	urls, err := s.emptySubmodules(tree, repository.URL)
	maps.DeleteFunc(urls, func(at, _ string) bool { return listed[at] != nil })
	if err != nil || len(urls) == 0 {
		return nil, err
	}
	commits := map[string]string{}
	if isGit {
		commits, err = s.o.Fetcher.Gitlinks(ctx, repository)
	}
	var found []submodule
	for _, at := range slices.Sorted(maps.Keys(urls)) {
		found = append(found, submodule{at, urls[at], commits[at]})
	}
	return found, err
}

// EmptySubmodules are the paths of the git submodules of a tree that have nothing in them.
func (s *Sources) EmptySubmodules(tree cas.Digest) ([]string, error) {
	urls, err := s.emptySubmodules(tree, "")
	return slices.Sorted(maps.Keys(urls)), err
}

// emptySubmodules are the URLs of the same, by path. base is that of the tree.
func (s *Sources) emptySubmodules(tree cas.Digest, base string) (map[string]string, error) {
	e, ok, err := s.o.Store.Lookup(tree, ".gitmodules")
	if err != nil || !ok || e.Dir || e.Link != "" {
		return nil, err
	}
	text, err := s.o.Store.ReadAll(e.Digest)
	if err != nil {
		return nil, err
	}
	urls := git.Submodules(text, base)
	for at := range urls {
		there, err := s.hasFiles(tree, at)
		if err != nil {
			return nil, err
		}
		if there || !fs.ValidPath(at) {
			delete(urls, at)
		}
	}
	return urls, nil
}

// hasFiles tells whether there is a folder in a tree and something in it.
func (s *Sources) hasFiles(tree cas.Digest, at string) (bool, error) {
	e, ok, err := s.o.Store.Lookup(tree, at)
	if err != nil || !ok || !e.Dir {
		return ok, err
	}
	d, err := s.o.Store.LoadDirectory(e.Digest)
	if err != nil {
		return false, err
	}
	return len(d.Files)+len(d.Dirs)+len(d.Symlinks) > 0, nil
}

// submoduleLines says which submodules are missing and what to write into which file.
func (s *Sources) submoduleLines(r *recipe.Recipe, res *source.Resolved, missing []submodule) string {
	var b strings.Builder
	if dir, ok := res.Source.(source.Path); ok {
		fmt.Fprintf(&b, "git submodules of %s have empty folders, `git submodule update --init` there fills them:", dir)
		for _, m := range missing {
			fmt.Fprintf(&b, " %s", m.path)
		}
		return b.String()
	}
	fmt.Fprintf(&b, "the source of %s has git submodules that the recipe does not list, so that their folders are empty; in %s this fills them:", r.Name, r.Path)
	table := append(r.SourceKey(), "submodules")
	for _, m := range missing {
		commit := m.commit
		if commit == "" {
			commit = "the commit that belongs to the archive"
		}
		fmt.Fprintf(&b, "\n    [%s]\n    git = %q\n    commit = %q", tomledit.Dotted(append(slices.Clone(table), m.path)), m.url, commit)
	}
	return b.String()
}

// Explained is a failure with what is known of the source that may be the reason.
type Explained struct {
	Remarks []string
	Err     error
}

func (e *Explained) Error() string {
	return e.Err.Error() + "\n  note: " + strings.Join(e.Remarks, "\n  note: ")
}

func (e *Explained) Unwrap() error { return e.Err }

// Explain adds to the failure of a step what of the source may be the reason: submodules that the recipe does not list, and
// cargo's configuration, which is not read. src is the tree of the source as the step has it, dir the folder in it that
// cargo works in.
func (s *Sources) Explain(ctx context.Context, r *recipe.Recipe, src cas.Digest, dir string, err error) error {
	var lost *cas.MissingError
	if err == nil || ctx.Err() != nil || errors.As(err, &lost) {
		return err
	}
	// What cannot be found out explains nothing.
	var remarks []string
	if origin, unknown := s.Origin(r); unknown == nil {
		if res, unknown := s.Resolved(origin); unknown == nil {
			if missing, _ := s.unlisted(ctx, res, src, nil); len(missing) > 0 {
				remarks = append(remarks, s.submoduleLines(origin, res, missing))
			}
		}
	}
	if line := s.unreadConfig(src, dir); line != "" {
		remarks = append(remarks, line)
	}
	if len(remarks) == 0 {
		return err
	}
	return &Explained{remarks, err}
}

// harmless are the tables of cargo's configuration that change no result.
var harmless = []string{"alias", "term", "net", "http", "registries", "registry"}

// unreadConfig names a .cargo/config.toml of the source that cargo would read in a checkout.
func (s *Sources) unreadConfig(src cas.Digest, dir string) string {
	for at := path.Clean(dir); ; at = path.Dir(at) {
		for _, name := range []string{"config.toml", "config"} {
			name = path.Join(at, ".cargo", name)
			e, ok, err := s.o.Store.Lookup(src, name)
			if err != nil || !ok || e.Dir || e.Link != "" {
				continue
			}
			text, err := s.o.Store.ReadAll(e.Digest)
			var all map[string]any
			if err != nil || toml.Unmarshal(text, &all) != nil {
				continue
			}
			maps.DeleteFunc(all, func(table string, _ any) bool { return slices.Contains(harmless, table) })
			if len(all) > 0 {
				return fmt.Sprintf("the source has a %s (with %s), which is not read: what a build is made of stands in the recipe. What is needed of it goes into the step: env = { NAME = \"value\" }, rustflags = [\"…\"]",
					name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
			}
		}
		if at == "." || at == "/" {
			return ""
		}
	}
}

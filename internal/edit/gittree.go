package edit

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/patch"
)

// commitTree is the tree of a commit as package patch reads one.
type commitTree struct {
	ctx   context.Context
	e     *Edit
	files map[string]object
}

// object is a file in a tree of git's.
type object struct{ mode, id string }

var _ patch.Reader = (*commitTree)(nil)

// tree reads the names of a commit's tree.
func (e *Edit) tree(ctx context.Context, commit string) (*commitTree, error) {
	out, err := e.git.In(ctx, e.Dir, nil, "ls-tree", "-r", "-z", "--full-tree", commit)
	if err != nil {
		return nil, err
	}
	t := &commitTree{ctx: ctx, e: e, files: map[string]object{}}
	for line := range strings.SplitSeq(string(out), "\x00") {
		about, name, ok := strings.Cut(line, "\t")
		fields := strings.Fields(about)
		if !ok || len(fields) != 3 {
			continue
		}
		if fields[1] == "commit" {
			return nil, fmt.Errorf("%s is a repository in the repository: remove its .git, or take it out of the commit", name)
		}
		t.files[name] = object{fields[0], fields[2]}
	}
	return t, nil
}

// ReadFile implements patch.Reader.
func (t *commitTree) ReadFile(name string) (patch.File, error) {
	o, ok := t.files[name]
	if !ok {
		return patch.File{}, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	data, err := t.e.git.In(t.ctx, t.e.Dir, nil, "cat-file", "blob", o.id)
	return patch.File{Data: data, Executable: o.mode == "100755", Link: o.mode == "120000"}, err
}

// List implements patch.Reader.
func (t *commitTree) List() ([]string, error) {
	names := make([]string, 0, len(t.files))
	for name := range t.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// differ are the paths at which two trees differ.
func differ(a, b *commitTree) []string {
	var names []string
	for name, o := range a.files {
		if b.files[name] != o {
			names = append(names, name)
		}
	}
	for name := range b.files {
		if _, ok := a.files[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

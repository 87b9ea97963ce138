package prepare

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/patch"
)

// storedTree is a tree of the store that a patch series changes without any file of it being written
// to a folder: a series touches a few files of a source that has thousands.
type storedTree struct {
	store *cas.Store
	tree  *cas.Tree
}

var _ patch.Tree = (*storedTree)(nil)

// ReadFile implements patch.Tree.
func (t *storedTree) ReadFile(name string) (patch.File, error) {
	e, ok := t.tree.Entries[name]
	switch {
	case !ok:
		return patch.File{}, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	case e.Dir:
		return patch.File{}, &fs.PathError{Op: "read", Path: name, Err: patch.ErrNotRegular}
	case e.Link != "":
		return patch.File{Data: []byte(e.Link), Link: true}, nil
	}
	data, err := t.store.ReadAll(e.Digest)
	return patch.File{Data: data, Executable: e.Executable}, err
}

// WriteFile implements patch.Tree.
func (t *storedTree) WriteFile(name string, f patch.File) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if e, ok := t.tree.Entries[dir]; ok && !e.Dir {
			return &fs.PathError{Op: "write", Path: name, Err: fmt.Errorf("%s is no folder", dir)}
		}
		delete(t.tree.Entries, dir) // an empty folder until now
	}
	for p := range t.tree.Entries {
		if strings.HasPrefix(p, name+"/") {
			return &fs.PathError{Op: "write", Path: name, Err: errors.New("it is a folder")}
		}
	}
	if f.Link {
		t.tree.Entries[name] = cas.Entry{Link: string(f.Data)}
		return nil
	}
	d, err := t.store.PutBytes(f.Data)
	if err != nil {
		return err
	}
	t.tree.Entries[name] = cas.Entry{Digest: d, Executable: f.Executable}
	return nil
}

// Remove implements patch.Tree.
func (t *storedTree) Remove(name string) error {
	if _, err := t.ReadFile(name); err != nil {
		return err
	}
	delete(t.tree.Entries, name)
	return nil
}

// List implements patch.Tree.
func (t *storedTree) List() ([]string, error) {
	return slices.DeleteFunc(t.tree.Paths(), func(p string) bool { return t.tree.Entries[p].Dir }), nil
}

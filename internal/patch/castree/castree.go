// Package castree is a source tree of the content store as a patch series sees it. It owns how changes get into such a tree
// without a folder on disk. It must not know what a series is for, nor where the tree comes from.
package castree

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

// Tree is a tree of the store that a patch series changes without any file of it being written
// to a folder: a series touches a few files of a source that has thousands. What is written goes into
// the store, and its name into Files.
type Tree struct {
	Store *cas.Store
	Files *cas.Tree
}

var _ patch.Tree = (*Tree)(nil)

// ReadFile implements patch.Tree.
func (t *Tree) ReadFile(name string) (patch.File, error) {
	e, ok := t.Files.Entries[name]
	switch {
	case !ok:
		return patch.File{}, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	case e.Dir:
		return patch.File{}, &fs.PathError{Op: "read", Path: name, Err: patch.ErrNotRegular}
	case e.Link != "":
		return patch.File{Data: []byte(e.Link), Link: true}, nil
	}
	data, err := t.Store.ReadAll(e.Digest)
	return patch.File{Data: data, Executable: e.Executable}, err
}

// WriteFile implements patch.Tree.
func (t *Tree) WriteFile(name string, f patch.File) error {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if e, ok := t.Files.Entries[dir]; ok && !e.Dir {
			return &fs.PathError{Op: "write", Path: name, Err: fmt.Errorf("%s is no folder", dir)}
		}
		delete(t.Files.Entries, dir) // an empty folder until now
	}
	for p := range t.Files.Entries {
		if strings.HasPrefix(p, name+"/") {
			return &fs.PathError{Op: "write", Path: name, Err: errors.New("it is a folder")}
		}
	}
	if f.Link {
		t.Files.Entries[name] = cas.Entry{Link: string(f.Data)}
		return nil
	}
	d, err := t.Store.PutBytes(f.Data)
	if err != nil {
		return err
	}
	t.Files.Entries[name] = cas.Entry{Digest: d, Executable: f.Executable}
	return nil
}

// Remove implements patch.Tree.
func (t *Tree) Remove(name string) error {
	if _, err := t.ReadFile(name); err != nil {
		return err
	}
	delete(t.Files.Entries, name)
	return nil
}

// List implements patch.Tree.
func (t *Tree) List() ([]string, error) {
	return slices.DeleteFunc(t.Files.Paths(), func(p string) bool { return t.Files.Entries[p].Dir }), nil
}

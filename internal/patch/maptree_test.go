package patch

import (
	"io/fs"
	"maps"
	"slices"
)

// MapTree is a tree in memory.
type MapTree map[string]File

var _ Tree = MapTree(nil)

// ReadFile implements Tree.
func (t MapTree) ReadFile(name string) (File, error) {
	f, ok := t[name]
	if !ok {
		return File{}, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return f, nil
}

// WriteFile implements Tree.
func (t MapTree) WriteFile(name string, f File) error {
	if err := checkPath(name); err != nil {
		return err
	}
	t[name] = f
	return nil
}

// Remove implements Tree.
func (t MapTree) Remove(name string) error {
	if _, ok := t[name]; !ok {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	delete(t, name)
	return nil
}

// List implements Tree.
func (t MapTree) List() ([]string, error) {
	return slices.Sorted(maps.Keys(t)), nil
}

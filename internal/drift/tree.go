package drift

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/patch"
)

// Tree is a tree of the content store with changes in memory: a patch series is applied to it
// without anything being written anywhere.
type Tree struct {
	store   *cas.Store
	files   *cas.Tree
	changed map[string]patch.File
	removed map[string]bool
}

var _ patch.Tree = (*Tree)(nil)

// OpenTree reads the shape of the tree whose root is d.
func OpenTree(store *cas.Store, d cas.Digest) (*Tree, error) {
	files, err := store.LoadTree(d)
	if err != nil {
		return nil, err
	}
	return &Tree{store: store, files: files, changed: map[string]patch.File{}, removed: map[string]bool{}}, nil
}

// ReadFile implements patch.Tree.
func (t *Tree) ReadFile(name string) (patch.File, error) {
	if f, ok := t.changed[name]; ok {
		return f, nil
	}
	e, ok := t.files.Entries[name]
	if !ok || t.removed[name] {
		return patch.File{}, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	if e.Dir || e.Link != "" {
		return patch.File{}, &fs.PathError{Op: "read", Path: name, Err: patch.ErrNotRegular}
	}
	data, err := t.store.ReadAll(e.Digest)
	return patch.File{Data: data, Executable: e.Executable}, err
}

// WriteFile implements patch.Tree.
func (t *Tree) WriteFile(name string, f patch.File) error {
	if !fs.ValidPath(name) || name == "." {
		return &fs.PathError{Op: "write", Path: name, Err: fs.ErrInvalid}
	}
	t.changed[name] = f
	delete(t.removed, name)
	return nil
}

// Remove implements patch.Tree.
func (t *Tree) Remove(name string) error {
	if _, err := t.ReadFile(name); err != nil {
		return err
	}
	delete(t.changed, name)
	t.removed[name] = true
	return nil
}

// List implements patch.Tree.
func (t *Tree) List() ([]string, error) {
	return t.named(func(string) bool { return true }), nil
}

// named lists the regular files whose paths are wanted, sorted.
func (t *Tree) named(want func(path string) bool) []string {
	var names []string
	for p, e := range t.files.Entries {
		if _, ours := t.changed[p]; !ours && !t.removed[p] && !e.Dir && e.Link == "" && want(p) {
			names = append(names, p)
		}
	}
	for p := range t.changed {
		if want(p) {
			names = append(names, p)
		}
	}
	slices.Sort(names)
	return names
}

// links lists the symbolic links whose paths are wanted, with the file each leads to; a link that
// leads to no file of the tree has an empty end.
func (t *Tree) links(want func(path string) bool) map[string]string {
	found := map[string]string{}
	for p, e := range t.files.Entries {
		if e.Link == "" || !want(p) {
			continue
		}
		found[p] = t.end(p)
	}
	return found
}

// end follows links; the bound ends a circle.
func (t *Tree) end(p string) string {
	for range 8 {
		e, ok := t.files.Entries[p]
		switch {
		case !ok || e.Dir:
			return ""
		case e.Link == "":
			return p
		case path.IsAbs(e.Link):
			return ""
		}
		p = path.Join(path.Dir(p), e.Link)
		if strings.HasPrefix(p, "../") {
			return ""
		}
	}
	return ""
}

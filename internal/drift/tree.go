package drift

import (
	"slices"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/patch"
	"github.com/pannous/redox-clif/internal/patch/castree"
	"github.com/pannous/redox-clif/internal/symlink"
)

// Tree is a tree of the content store with changes in memory: a patch series is applied to it
// without anything being written anywhere.
type Tree struct {
	*patch.Overlay
	files *cas.Tree // without the changes
}

// OpenTree reads the shape of the tree whose root is d.
func OpenTree(store *cas.Store, d cas.Digest) (*Tree, error) {
	files, err := store.LoadTree(d)
	if err != nil {
		return nil, err
	}
	return &Tree{patch.NewOverlay(&castree.Tree{Store: store, Files: files}), files}, nil
}

// named lists the regular files whose paths are wanted, sorted.
func (t *Tree) named(want func(path string) bool) []string { return t.list(want, false) }

// links lists the symbolic links whose paths are wanted, with the file each leads to; a link that
// leads to no file of the tree has an empty end.
func (t *Tree) links(want func(path string) bool) map[string]string {
	found := map[string]string{}
	for _, p := range t.list(want, true) {
		found[p] = t.end(p)
	}
	return found
}

func (t *Tree) list(want func(path string) bool, links bool) []string {
	names, _ := t.List() // of what is in memory: no error
	return slices.DeleteFunc(names, func(p string) bool {
		if !want(p) {
			return true
		}
		f, err := t.ReadFile(p)
		return (err == nil && f.Link) != links
	})
}

// end follows links to a file, "" when they lead to none.
func (t *Tree) end(p string) string {
	end, err := symlink.Resolve(func(p string) (string, bool) {
		f, err := t.ReadFile(p)
		return string(f.Data), err == nil && f.Link
	}, p)
	if err != nil {
		return ""
	}
	if _, err := t.ReadFile(end); err != nil {
		return ""
	}
	return end
}

package patch

import (
	"bytes"
	"strings"
)

// scratch is a directory with the part of a tree that commits name.
type scratch struct {
	*DirTree
	dir  string
	laid []string
}

// lay copies what is at a path, and what is in its way, so that git sees that:
// the file or link above it, all files below it.
func (s *scratch) lay(tree Reader, name string) error {
	for end := range name {
		if name[end] != '/' {
			continue
		}
		if found, err := s.copy(tree, name[:end]); found || err != nil {
			return err
		}
	}
	if found, err := s.copy(tree, name); found || err != nil {
		return err
	}
	names, err := tree.List()
	for _, below := range names {
		if err == nil && strings.HasPrefix(below, name+"/") {
			_, err = s.copy(tree, below)
		}
	}
	return err
}

func (s *scratch) copy(tree Reader, name string) (found bool, err error) {
	f, err := lookup(tree, name)
	if err != nil || f == nil {
		return false, err
	}
	s.laid = append(s.laid, name)
	return true, s.WriteFile(name, *f)
}

// changes are the files that are not as in the tree; nil is one that is gone.
func (s *scratch) changes(tree Reader) (map[string]*File, error) {
	names, err := s.List()
	if err != nil {
		return nil, err
	}
	changed := map[string]*File{}
	for _, name := range append(names, s.laid...) {
		was, err := lookup(tree, name)
		if err != nil {
			return nil, err
		}
		is, err := lookup(s, name)
		if err != nil {
			return nil, err
		}
		if !sameContent(was, is) || was != nil && was.Executable != is.Executable {
			changed[name] = is
		}
	}
	return changed, nil
}

// contentDiffers says whether more than modes is changed.
func contentDiffers(changed map[string]*File, tree Reader) bool {
	for name, f := range changed {
		if was, err := lookup(tree, name); err != nil || !sameContent(was, f) {
			return true
		}
	}
	return false
}

func sameContent(a, b *File) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Link == b.Link && bytes.Equal(a.Data, b.Data)
}

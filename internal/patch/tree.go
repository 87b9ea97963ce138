package patch

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// File is a regular file or a symbolic link of a tree.
type File struct {
	Data       []byte // of a link: where it leads
	Executable bool
	Link       bool
}

// Reader is a source tree by slash paths. It follows no links.
type Reader interface {
	// ReadFile of what is missing is fs.ErrNotExist, of a folder that or ErrNotRegular.
	ReadFile(name string) (File, error)
	// List returns the paths of all regular files and links, sorted.
	List() ([]string, error)
}

// Tree is a tree that can be written to. A series changes it through an
// [Overlay], which lets only paths inside of a tree through.
type Tree interface {
	Reader
	// WriteFile puts a file in the place of a link, too, and the other way round.
	WriteFile(name string, f File) error
	Remove(name string) error
}

// ErrNotRegular is wrapped by errors about what is no regular file where one must be.
var ErrNotRegular = errors.New("not a regular file")

// lookup is a file of a tree, nil if there is none.
func lookup(tree Reader, name string) (*File, error) {
	f, err := tree.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotRegular) {
		return nil, nil
	}
	return &f, err
}

// readRegular is a file that is no link: an edit through a link would change
// another file than the patch names.
func readRegular(tree Reader, name string) (File, error) {
	f, err := tree.ReadFile(name)
	if err == nil && f.Link {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%w but a link to %s", ErrNotRegular, f.Data)}
	}
	return f, err
}

// throughLink says of a path that it goes through a link; empty: it does not.
func throughLink(tree Reader, name string) string {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if f, err := lookup(tree, dir); err == nil && f != nil && f.Link {
			return fmt.Sprintf("%s is a link to %s: name the file by its own path", dir, f.Data)
		}
	}
	return ""
}

// DirTree is a directory. Links are files of their own and never followed.
type DirTree struct{ root *os.Root }

var _ Tree = (*DirTree)(nil)

// OpenDir opens a directory as a tree. The caller closes it.
func OpenDir(dir string) (*DirTree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &DirTree{root: root}, nil
}

// Close releases the directory.
func (t *DirTree) Close() error { return t.root.Close() }

// ReadFile implements Tree.
func (t *DirTree) ReadFile(name string) (File, error) {
	if err := checkPath(name); err != nil {
		return File{}, err
	}
	if t.blocked(name) != "" {
		return File{}, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	name = filepath.FromSlash(name)
	info, err := t.root.Lstat(name)
	switch {
	case err != nil:
		return File{}, err
	case info.Mode().IsRegular():
		data, err := t.root.ReadFile(name)
		return File{Data: data, Executable: info.Mode()&0o111 != 0}, err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := t.root.Readlink(name)
		return File{Data: []byte(target), Link: true}, err
	}
	return File{}, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%w (%s)", ErrNotRegular, info.Mode().Type())}
}

// blocked is the file or link that a path goes through, empty if it goes
// through folders only.
func (t *DirTree) blocked(name string) string {
	for end, c := range name {
		if c != '/' {
			continue
		}
		if info, err := t.root.Lstat(filepath.FromSlash(name[:end])); err == nil && !info.IsDir() {
			return name[:end]
		}
	}
	return ""
}

// WriteFile implements Tree. It writes beside and renames, so that a file that
// is hard-linked into a store keeps its old content there.
func (t *DirTree) WriteFile(name string, f File) error {
	if _, err := t.ReadFile(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if at := t.blocked(name); at != "" {
		return &fs.PathError{Op: "write", Path: name, Err: fmt.Errorf("%s is no folder", at)}
	}
	name = filepath.FromSlash(name)
	if err := t.root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	beside := name + ".patch-tmp"
	err := t.create(beside, f)
	if err == nil {
		err = t.root.Rename(beside, name)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		_ = t.root.Remove(beside)
	}
	return err
}

func (t *DirTree) create(name string, f File) error {
	if f.Link {
		return t.root.Symlink(string(f.Data), name)
	}
	perm := fs.FileMode(0o644)
	if f.Executable {
		perm = 0o755
	}
	w, err := t.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = w.Write(f.Data)
	return errors.Join(err, w.Close())
}

// Remove implements Tree. As with git, a folder goes with its last file.
func (t *DirTree) Remove(name string) error {
	if _, err := t.ReadFile(name); err != nil {
		return err
	}
	name = filepath.FromSlash(name)
	err := t.root.Remove(name)
	for dir := filepath.Dir(name); err == nil && dir != "."; dir = filepath.Dir(dir) {
		if t.root.Remove(dir) != nil {
			break // it has other files
		}
	}
	return err
}

// List implements Tree.
func (t *DirTree) List() ([]string, error) {
	var names []string
	err := fs.WalkDir(t.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == ".git" {
			return fs.SkipDir
		}
		if d.Type().IsRegular() || d.Type()&fs.ModeSymlink != 0 {
			names = append(names, p)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// objectDir is the git object store of the tree, if it is a work tree.
func (t *DirTree) objectDir() string {
	info, err := t.root.Stat(".git/objects")
	if err != nil || !info.IsDir() {
		return ""
	}
	dir, err := filepath.Abs(filepath.Join(t.root.Name(), ".git", "objects"))
	if err != nil {
		return ""
	}
	return dir
}

// checkPath accepts slash paths that are relative, clean and inside the tree.
func checkPath(name string) error {
	switch {
	case name == "" || name == ".":
		return errors.New("empty path")
	case strings.ContainsAny(name, "\\\x00"):
		return fmt.Errorf("path %q: backslash and NUL are not allowed", name)
	case !utf8.ValidString(name):
		return fmt.Errorf("path %q is not in UTF-8, as names in the store are", name)
	case path.IsAbs(name) || !filepath.IsLocal(filepath.FromSlash(name)):
		return fmt.Errorf("path %q leaves the source tree", name)
	case path.Clean(name) != name:
		return fmt.Errorf("path %q is not clean, write %q", name, path.Clean(name))
	case strings.Contains(strings.ToLower("/"+name+"/"), "/.git/"):
		return fmt.Errorf("path %q is git's own", name)
	}
	return nil
}

// Overlay is a tree with changes in memory; what is below is only read.
type Overlay struct {
	Base    Reader
	Changed map[string]*File // nil: removed
}

// NewOverlay is the tree as it is.
func NewOverlay(base Reader) *Overlay {
	return &Overlay{Base: base, Changed: map[string]*File{}}
}

var _ Tree = (*Overlay)(nil)

// ReadFile implements Tree.
func (o *Overlay) ReadFile(name string) (File, error) {
	f, ok := o.Changed[name]
	if !ok {
		return o.Base.ReadFile(name)
	}
	if f == nil {
		return File{}, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return *f, nil
}

// WriteFile implements Tree.
func (o *Overlay) WriteFile(name string, f File) error {
	if err := checkPath(name); err != nil {
		return err
	}
	o.Changed[name] = &f
	return nil
}

// Remove implements Tree.
func (o *Overlay) Remove(name string) error {
	if _, err := o.ReadFile(name); err != nil {
		return err
	}
	o.Changed[name] = nil
	return nil
}

// List implements Tree.
func (o *Overlay) List() ([]string, error) {
	names, err := o.Base.List()
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { _, changed := o.Changed[n]; return changed })
	for n, f := range o.Changed {
		if f != nil {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names, nil
}

// paths are the changed paths, sorted.
func (o *Overlay) paths() []string { return slices.Sorted(maps.Keys(o.Changed)) }

// flush writes the changes to a tree: what is removed goes first, for a file
// can come in the place of a folder.
func (o *Overlay) flush(tree Tree) error {
	for name, f := range o.Changed {
		if f != nil {
			continue
		}
		if err := tree.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // created and removed again within the series
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	for _, name := range o.paths() {
		if f := o.Changed[name]; f != nil {
			if err := tree.WriteFile(name, *f); err != nil {
				return fmt.Errorf("write %s: %w", name, err)
			}
		}
	}
	return nil
}

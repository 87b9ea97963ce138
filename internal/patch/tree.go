package patch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
)

// File is a regular file of a tree.
type File struct {
	Data       []byte
	Executable bool
}

// Tree is a source tree by slash paths. Implementations refuse paths that
// leave the tree. ReadFile of a missing file returns an error that is
// fs.ErrNotExist.
type Tree interface {
	ReadFile(name string) (File, error)
	WriteFile(name string, f File) error
	Remove(name string) error
	// List returns the paths of all regular files, sorted.
	List() ([]string, error)
}

// ErrNotRegular is wrapped by a Tree's ReadFile for what is no regular file, such as a symbolic link.
var ErrNotRegular = errors.New("not a regular file")

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
	names := make([]string, 0, len(t))
	for n := range t {
		names = append(names, n)
	}
	sort.Strings(names)
	return names, nil
}

// DirTree is a directory. Symbolic links that leave it are refused by os.Root;
// a file that is itself a symbolic link is not edited, because the change
// would land in another file than the patch names.
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
	info, err := t.regular(name)
	if err != nil {
		return File{}, err
	}
	f, err := t.root.Open(filepath.FromSlash(name))
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return File{}, err
	}
	return File{Data: data, Executable: info.Mode()&0o111 != 0}, nil
}

func (t *DirTree) regular(name string) (fs.FileInfo, error) {
	if err := checkPath(name); err != nil {
		return nil, err
	}
	info, err := t.root.Lstat(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%w (%s)", ErrNotRegular, info.Mode().Type())}
	}
	return info, nil
}

// WriteFile implements Tree. It writes beside and renames, so that a file that
// is hard-linked into a store keeps its old content there.
func (t *DirTree) WriteFile(name string, f File) error {
	if _, err := t.regular(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	name = filepath.FromSlash(name)
	if err := t.root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if f.Executable {
		perm = 0o755
	}
	beside := name + ".patch-tmp"
	w, err := t.root.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return err
	}
	_, err = w.Write(f.Data)
	err = errors.Join(err, w.Close())
	if err == nil {
		err = t.root.Rename(beside, name)
	}
	if err != nil {
		t.root.Remove(beside)
	}
	return err
}

// Remove implements Tree.
func (t *DirTree) Remove(name string) error {
	if _, err := t.regular(name); err != nil {
		return err
	}
	return t.root.Remove(filepath.FromSlash(name))
}

// List implements Tree.
func (t *DirTree) List() ([]string, error) {
	var names []string
	err := fs.WalkDir(t.root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p == ".git" {
			return fs.SkipDir
		}
		if d.Type().IsRegular() {
			names = append(names, p)
		}
		return nil
	})
	sort.Strings(names)
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
	case path.IsAbs(name) || !filepath.IsLocal(filepath.FromSlash(name)):
		return fmt.Errorf("path %q leaves the source tree", name)
	case path.Clean(name) != name:
		return fmt.Errorf("path %q is not clean, write %q", name, path.Clean(name))
	case name == ".git" || strings.HasPrefix(name, ".git/"):
		return fmt.Errorf("path %q is git's own", name)
	}
	return nil
}

// overlay collects changes in memory over a tree that is only read.
type overlay struct {
	base    Tree
	changed map[string]*File // nil: removed
}

func newOverlay(base Tree) *overlay {
	return &overlay{base: base, changed: map[string]*File{}}
}

var _ Tree = (*overlay)(nil)

func (o *overlay) ReadFile(name string) (File, error) {
	f, ok := o.changed[name]
	if !ok {
		return o.base.ReadFile(name)
	}
	if f == nil {
		return File{}, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return *f, nil
}

func (o *overlay) WriteFile(name string, f File) error {
	o.changed[name] = &f
	return nil
}

func (o *overlay) Remove(name string) error {
	o.changed[name] = nil
	return nil
}

func (o *overlay) List() ([]string, error) {
	base, err := o.base.List()
	if err != nil {
		return nil, err
	}
	names := base[:0:0]
	for _, n := range base {
		if _, ok := o.changed[n]; !ok {
			names = append(names, n)
		}
	}
	for n, f := range o.changed {
		if f != nil {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	return names, nil
}

// paths are the changed paths, sorted.
func (o *overlay) paths() []string {
	names := make([]string, 0, len(o.changed))
	for n := range o.changed {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// flush writes the changes to the tree below.
func (o *overlay) flush() error {
	for _, name := range o.paths() {
		var err error
		if f := o.changed[name]; f != nil {
			err = o.base.WriteFile(name, *f)
		} else if err = o.base.Remove(name); errors.Is(err, fs.ErrNotExist) {
			err = nil // created and removed again within the series
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

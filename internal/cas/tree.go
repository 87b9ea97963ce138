package cas

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/foldcase"
	"github.com/pannous/redox-clif/internal/reflink"
	"github.com/pannous/redox-clif/internal/reserve"
)

// Tree is a whole tree in memory, by slash path. It is how callers compose input
// roots and stages before they become Directory messages. The zero value is
// not usable; call [NewTree].
type Tree struct {
	Entries map[string]Entry
}

// Entry is one file, link or (for an empty or explicit one) folder of a [Tree].
type Entry struct {
	Digest     Digest
	Executable bool
	Link       string // target, when the entry is a symbolic link
	Dir        bool
}

// NewTree returns an empty tree.
func NewTree() *Tree { return &Tree{Entries: map[string]Entry{}} }

// Paths returns the entries' paths in bytewise order.
func (t *Tree) Paths() []string {
	paths := make([]string, 0, len(t.Entries))
	for p := range t.Entries {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	return paths
}

// Graft adds every entry of other below the folder prefix ("" for the top).
func (t *Tree) Graft(prefix string, other *Tree) {
	if prefix != "" && len(other.Entries) == 0 {
		t.Entries[prefix] = Entry{Dir: true}
	}
	for p, e := range other.Entries {
		t.Entries[path.Join(prefix, p)] = e
	}
}

// Sub returns what lies below a folder of the tree, with paths relative to it.
func (t *Tree) Sub(prefix string) *Tree {
	out := NewTree()
	for p, e := range t.Entries {
		if rest, ok := strings.CutPrefix(p, prefix+"/"); ok {
			out.Entries[rest] = e
		}
	}
	return out
}

// dirNode is the mutable form used while messages are made.
type dirNode struct {
	Directory
	subs map[string]*dirNode
}

// PutTree stores the Directory messages of t and returns the root's digest. The
// files' own bytes must be there already or be put by the caller.
func (s *Store) PutTree(t *Tree) (Digest, error) {
	root := &dirNode{subs: map[string]*dirNode{}}
	for _, p := range t.Paths() {
		if !utf8.ValidString(p) {
			return Digest{}, fmt.Errorf("path %q is not UTF-8, as names in a tree are", p)
		}
		if !fs.ValidPath(p) || p == "." {
			return Digest{}, fmt.Errorf("bad path %q in a tree", p)
		}
		e := t.Entries[p]
		dir, name := path.Split(p)
		at := root
		for _, part := range strings.Split(strings.Trim(dir, "/"), "/") {
			if part != "" {
				at = at.sub(part)
			}
		}
		switch {
		case e.Dir:
			at.sub(name)
		case e.Link != "":
			at.Symlinks = append(at.Symlinks, SymlinkNode{name, e.Link})
		default:
			at.Files = append(at.Files, FileNode{name, e.Digest, e.Executable})
		}
	}
	return s.putDir(root)
}

func (d *dirNode) sub(name string) *dirNode {
	if d.subs[name] == nil {
		d.subs[name] = &dirNode{subs: map[string]*dirNode{}}
	}
	return d.subs[name]
}

func (s *Store) putDir(d *dirNode) (Digest, error) {
	for name, sub := range d.subs {
		digest, err := s.putDir(sub)
		if err != nil {
			return Digest{}, err
		}
		d.Dirs = append(d.Dirs, DirNode{name, digest})
	}
	known := d.Directory // without the folders' own maps
	return s.putMessage(&known)
}

// putMessage stores a message that nobody changes any more.
func (s *Store) putMessage(d *Directory) (Digest, error) {
	d.Sort()
	digest, err := s.PutBytes(d.Marshal())
	if err == nil {
		s.messages.Store(digest, d)
	}
	return digest, err
}

// LoadTree reads the tree whose root Directory is d, without the files' bytes.
func (s *Store) LoadTree(d Digest) (*Tree, error) {
	t := NewTree()
	return t, s.loadDir(d, "", t, s.directory)
}

// loadDir adds what is below a folder, whose messages load gives.
func (s *Store) loadDir(d Digest, prefix string, t *Tree, load func(Digest) (*Directory, error)) error {
	dir, err := load(d)
	if err != nil {
		return err
	}
	t.addFiles(dir, prefix)
	for _, sub := range dir.Dirs {
		if err := s.loadDir(sub.Digest, path.Join(prefix, sub.Name), t, load); err != nil {
			return err
		}
	}
	return nil
}

// directory is LoadDirectory for those who do not change what they get. A message is read and verified once:
// the steps from a source to its programs go through much the same thousand folders.
func (s *Store) directory(d Digest) (*Directory, error) {
	if known, ok := s.messages.Load(d); ok {
		return known.(*Directory), nil
	}
	dir, err := s.LoadDirectory(d)
	if err == nil {
		s.messages.Store(d, dir)
	}
	return dir, err
}

// addFiles adds the files and links of one folder, and the folder itself when it is empty.
func (t *Tree) addFiles(dir *Directory, prefix string) {
	if prefix != "" && len(dir.Files)+len(dir.Dirs)+len(dir.Symlinks) == 0 {
		t.Entries[prefix] = Entry{Dir: true}
	}
	for _, f := range dir.Files {
		t.Entries[path.Join(prefix, f.Name)] = Entry{Digest: f.Digest, Executable: f.Executable}
	}
	for _, l := range dir.Symlinks {
		t.Entries[path.Join(prefix, l.Name)] = Entry{Link: l.Target}
	}
}

// LoadDirectory reads one Directory message.
func (s *Store) LoadDirectory(d Digest) (*Directory, error) {
	b, err := s.ReadAll(d)
	if err != nil {
		return nil, err
	}
	return UnmarshalDirectory(b)
}

// PutDirectory stores one Directory message, whose lists it sorts.
func (s *Store) PutDirectory(d *Directory) (Digest, error) {
	d.Sort()
	return s.PutBytes(d.Marshal())
}

// Compose stores a folder of whole trees and of files, by name, without looking into them.
func (s *Store) Compose(dirs map[string]Digest, files map[string]Entry) (Digest, error) {
	d := &Directory{}
	for name, digest := range dirs {
		d.Dirs = append(d.Dirs, DirNode{Name: name, Digest: digest})
	}
	for name, e := range files {
		d.Files = append(d.Files, FileNode{Name: name, Digest: e.Digest, Executable: e.Executable})
	}
	return s.PutDirectory(d)
}

// Lookup finds what is at a slash path of a tree: a file, a link, or a folder (Dir is set
// and Digest is that of its message). Links are not followed. ok is false when there
// is nothing.
func (s *Store) Lookup(root Digest, p string) (e Entry, ok bool, err error) {
	e = Entry{Dir: true, Digest: root}
	if p == "" {
		return e, true, nil
	}
	for _, name := range strings.Split(p, "/") {
		if !e.Dir {
			return Entry{}, false, nil
		}
		dir, err := s.directory(e.Digest)
		if err != nil {
			return Entry{}, false, err
		}
		if e, ok = dir.entry(name); !ok {
			return Entry{}, false, nil
		}
	}
	return e, true, nil
}

func (d *Directory) entry(name string) (Entry, bool) {
	for _, f := range d.Files {
		if f.Name == name {
			return Entry{Digest: f.Digest, Executable: f.Executable}, true
		}
	}
	for _, l := range d.Symlinks {
		if l.Name == name {
			return Entry{Link: l.Target}, true
		}
	}
	for _, sub := range d.Dirs {
		if sub.Name == name {
			return Entry{Dir: true, Digest: sub.Digest}, true
		}
	}
	return Entry{}, false
}

// Graft puts a tree in place of whatever is at a slash path of another tree and returns the new root. Only
// the messages on the way to that path are read and written.
func (s *Store) Graft(root Digest, p string, sub Digest) (Digest, error) {
	name, rest, deeper := strings.Cut(p, "/")
	if err := checkName(name); err != nil {
		return Digest{}, err
	}
	dir := &Directory{}
	if !root.IsZero() {
		var err error
		if dir, err = s.LoadDirectory(root); err != nil {
			return Digest{}, err
		}
	}
	if deeper {
		e, _ := dir.entry(name)
		if !e.Dir {
			e.Digest = Digest{}
		}
		var err error
		if sub, err = s.Graft(e.Digest, rest, sub); err != nil {
			return Digest{}, err
		}
	}
	dir.Files = slices.DeleteFunc(dir.Files, func(f FileNode) bool { return f.Name == name })
	dir.Symlinks = slices.DeleteFunc(dir.Symlinks, func(l SymlinkNode) bool { return l.Name == name })
	dir.Dirs = slices.DeleteFunc(dir.Dirs, func(d DirNode) bool { return d.Name == name })
	dir.Dirs = append(dir.Dirs, DirNode{name, sub})
	return s.PutDirectory(dir)
}

// Complete reports whether the store holds every message and file of a tree; it
// returns the first [MissingError] it meets. It looks at the disk for all of them.
func (s *Store) Complete(d Digest) error {
	t := NewTree()
	if err := s.loadDir(d, "", t, s.LoadDirectory); err != nil {
		return err
	}
	for _, e := range t.Entries {
		if !e.Dir && e.Link == "" && !s.Has(e.Digest) {
			return &MissingError{Digest: e.Digest}
		}
	}
	return nil
}

// Files are the paths of a tree's messages and files in the store, and of the file that names the store: what [Store.Complete] looks at.
func (s *Store) Files(root Digest) ([]string, error) {
	files := []string{s.generationPath()}
	err := s.EachBlob(root, map[Digest]bool{}, func(d Digest, _ bool) { files = append(files, s.path(d.Hash)) })
	return files, err
}

// Intact is Complete by every byte: what is damaged is dropped, all of it, and counts as missing.
func (s *Store) Intact(ctx context.Context, d Digest) error {
	var first error
	lost := func(err error) error {
		if errors.As(err, new(*MissingError)) {
			first = cmp.Or(first, err)
			return nil
		}
		return err
	}
	t := NewTree()
	if err := s.loadDir(d, "", t, s.LoadDirectory); err != nil {
		return err
	}
	seen := map[Digest]bool{}
	for _, e := range t.Entries {
		if e.Dir || e.Link != "" || seen[e.Digest] {
			continue
		}
		seen[e.Digest] = true
		if err := lost(s.CopyTo(ctx, e.Digest, io.Discard)); err != nil {
			return err
		}
	}
	return first
}

// EachBlob calls f with the digest of every message of a tree (dir is true) and of every file, as far
// as seen does not hold it already. It returns a [MissingError] when a message is lost.
func (s *Store) EachBlob(root Digest, seen map[Digest]bool, f func(d Digest, dir bool)) error {
	if seen[root] {
		return nil
	}
	dir, err := s.LoadDirectory(root)
	if err != nil {
		return err
	}
	seen[root] = true
	f(root, true)
	for _, file := range dir.Files {
		if !seen[file.Digest] {
			seen[file.Digest] = true
			f(file.Digest, false)
		}
	}
	for _, sub := range dir.Dirs {
		if err := s.EachBlob(sub.Digest, seen, f); err != nil {
			return err
		}
	}
	return nil
}

// Materialise makes the folder dir equal to the tree d: what differs is written
// anew, what does not belong there is removed, what is equal is left alone with its
// times, so that tools which look at times (cargo) see just what changed.
// Paths for which keep returns true are neither compared nor removed.
func (s *Store) Materialise(ctx context.Context, d Digest, dir string, stats *StatCache, keep func(path string) bool) error {
	want, err := s.LoadTree(d)
	if err != nil {
		return err
	}
	if err := cachefile.MakeFolder(filepath.Dir(dir), filepath.Base(dir)); err != nil {
		return err
	}
	have, err := s.scan(ctx, dir, CaptureOptions{Stats: stats, Lenient: true, Skip: func(p string, _ bool) bool { return keep != nil && keep(p) }})
	if err != nil {
		return fmt.Errorf("reading the tree %s: %w", dir, err)
	}
	if err := s.checkNames(dir, have.tree, want); err != nil {
		return err
	}
	if err := removeExtra(dir, have, want); err != nil {
		return err
	}
	return s.placeAll(ctx, dir, have.tree, want)
}

// checkNames refuses a tree of which two files would be one: the second would silently be the first. A tree that is there already has
// shown that it can be.
func (s *Store) checkNames(dir string, have, want *Tree) error {
	if maps.Equal(have.Entries, want.Entries) {
		return nil
	}
	if !s.folds() {
		return nil
	}
	var names foldcase.Names
	for _, p := range want.Paths() {
		if other := names.Add(p); other != "" {
			return &foldcase.SameFileError{Dir: dir, One: other, Other: p}
		}
	}
	return nil
}

// removeExtra takes away what is not in the wanted tree, and every entry that changes its kind.
func removeExtra(dir string, have *capture, want *Tree) error {
	for p, h := range have.tree.Entries {
		w, wanted := want.Entries[p]
		if wanted && !w.Dir && (w.Link == "") == (h.Link == "") {
			continue
		}
		if err := cachefile.RemoveAll(filepath.Join(dir, filepath.FromSlash(p))); err != nil {
			return err
		}
	}
	return removeFolders(dir, have.dirs, want)
}

// removeFolders removes those folders that the wanted tree has nothing in, as far as they are empty now, and
// those where it has something else. What is kept of a tool's stays, and the folders around it.
func removeFolders(dir string, have []string, want *Tree) error {
	needed := map[string]bool{}
	for p, e := range want.Entries {
		if e.Dir {
			needed[p] = true
		}
		for up := path.Dir(p); !needed[up]; up = path.Dir(up) {
			needed[up] = true
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(have))) // what is inside comes before what is around it
	for _, p := range have {
		if needed[p] {
			continue
		}
		err := os.Remove(filepath.Join(dir, filepath.FromSlash(p)))
		if err != nil && !isNotEmpty(err) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// placeChunk is how many entries one goroutine writes at a time.
const placeChunk = 32

// placeAll writes what is not there as it should be.
func (s *Store) placeAll(ctx context.Context, dir string, have, want *Tree) error {
	var missing []string
	for p, e := range want.Entries {
		if old, ok := have.Entries[p]; !ok || old != e {
			missing = append(missing, p)
		}
	}
	sort.Strings(missing)
	if err := s.needEntries(ctx, want, missing); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for chunk := range slices.Chunk(missing, placeChunk) {
		group.Go(func() error {
			for _, p := range chunk {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := s.place(ctx, want.Entries[p], filepath.Join(dir, filepath.FromSlash(p))); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// needEntries asks the upstream for the files of a tree that are about to be written.
func (s *Store) needEntries(ctx context.Context, want *Tree, paths []string) error {
	if _, up := s.upstream.get(); up == nil {
		return nil
	}
	var files []Digest
	for _, p := range paths {
		if e := want.Entries[p]; !e.Dir && e.Link == "" {
			files = append(files, e.Digest)
		}
	}
	return s.Need(ctx, files)
}

// place writes one entry beside its name and renames it.
func (s *Store) place(ctx context.Context, e Entry, dst string) error {
	if e.Dir {
		return os.MkdirAll(dst, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
		return err
	}
	if e.Link != "" {
		if err := os.Remove(dst); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return os.Symlink(e.Link, dst)
	}
	mode := fs.FileMode(0o644)
	if e.Executable {
		mode = 0o755
	}
	return s.PlaceFile(ctx, e.Digest, dst, mode)
}

// PlacingPrefix starts the name of a file that is being written beside its place. What a killed
// run left of them may be removed by whoever owns the folder.
const PlacingPrefix = ".placing-"

// PlaceFile writes a blob to a path: beside first, verified, then renamed. It does not wait for the disk: who
// finds the file damaged after a power failure can place it again.
func (s *Store) PlaceFile(ctx context.Context, d Digest, dst string, mode fs.FileMode) error {
	tmp := filepath.Join(filepath.Dir(dst), PlacingPrefix+rand.Text())
	if shared := s.share(ctx, d, tmp, mode); shared {
		return renamed(tmp, dst)
	}
	if err := s.copyFile(ctx, d, tmp, mode); err != nil {
		return err
	}
	return renamed(tmp, dst)
}

// renamed leaves nothing beside the place when there is no getting there.
func renamed(tmp, dst string) error {
	err := os.Rename(tmp, dst)
	if err != nil {
		_ = os.Remove(tmp)
	}
	return err
}

// worthSharing is the size, in bytes, from which on a file's blocks are shared: below that a copy takes no longer.
const worthSharing = 64 << 10

// share makes a file that shares a blob's blocks, where the file system of the store can, and the blob is as it was stored. What is
// read of it is read once, for its digest. Without that nothing is there, and a copy says what is wrong.
func (s *Store) share(ctx context.Context, d Digest, to string, mode fs.FileMode) bool {
	if d.Size < worthSharing || !validHash(d.Hash) {
		return false
	}
	f, err := cachefile.Open(s.path(d.Hash))
	if err != nil {
		return false
	}
	defer f.Close()
	if reflink.File(f, to, mode) != nil {
		return false
	}
	if err := s.CopyTo(ctx, d, io.Discard); err != nil {
		_ = os.Remove(to)
		return false
	}
	return true
}

// copyFile writes a blob into a new file.
func (s *Store) copyFile(ctx context.Context, d Digest, to string, mode fs.FileMode) (err error) {
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_, _ = out.Close(), os.Remove(to) // err says what was first
		}
	}()
	reserve.File(out, d.Size)
	if err := s.CopyTo(ctx, d, out); err != nil {
		return err
	}
	if err := out.Chmod(mode); err != nil {
		return err
	}
	return out.Close()
}

// Change is one difference between two trees.
type Change struct {
	Path string
	Kind string // "added", "removed" or "changed"
	Old  Entry
	New  Entry
}

// Diff lists what differs between two stored trees, in path order. Folders that are equal are not looked into.
func (s *Store) Diff(old, new Digest) ([]Change, error) {
	o, n := NewTree(), NewTree()
	if err := s.loadDifferent(old, new, "", o, n); err != nil {
		return nil, err
	}
	return Diff(o, n), nil
}

// loadDifferent reads what is below one folder of two trees as far as it differs.
func (s *Store) loadDifferent(old, new Digest, prefix string, o, n *Tree) error {
	if old == new {
		return nil
	}
	a, err := s.LoadDirectory(old)
	if err != nil {
		return err
	}
	b, err := s.LoadDirectory(new)
	if err != nil {
		return err
	}
	for _, e := range a.Dirs {
		if other, ok := b.entry(e.Name); ok && other.Dir {
			if err := s.loadDifferent(e.Digest, other.Digest, path.Join(prefix, e.Name), o, n); err != nil {
				return err
			}
		} else if err := s.loadDir(e.Digest, path.Join(prefix, e.Name), o, s.directory); err != nil {
			return err
		}
	}
	for _, e := range b.Dirs {
		if other, ok := a.entry(e.Name); !ok || !other.Dir {
			if err := s.loadDir(e.Digest, path.Join(prefix, e.Name), n, s.directory); err != nil {
				return err
			}
		}
	}
	o.addFiles(a, prefix)
	n.addFiles(b, prefix)
	return nil
}

// Diff lists what differs between two trees, in path order.
func Diff(old, new *Tree) []Change {
	var out []Change
	for _, p := range old.Paths() {
		o := old.Entries[p]
		n, ok := new.Entries[p]
		switch {
		case !ok:
			out = append(out, Change{p, "removed", o, Entry{}})
		case n != o:
			out = append(out, Change{p, "changed", o, n})
		}
	}
	for _, p := range new.Paths() {
		if _, ok := old.Entries[p]; !ok {
			out = append(out, Change{p, "added", Entry{}, new.Entries[p]})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out
}

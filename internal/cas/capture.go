package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// CaptureOptions say what of a folder belongs to the tree.
type CaptureOptions struct {
	// Skip is asked with each slash path; a skipped folder is not entered.
	Skip func(path string, dir bool) bool
	// Special, when given, is told of devices, sockets and pipes, which are left out; else they are an error. Folders are read side by side.
	Special func(path string)
	// Stats, when given, spares hashing files whose inode has not changed.
	Stats *StatCache
	// Store says whether file contents go into the store. Without it only
	// the digests are computed.
	Store bool
	// Trusted says that a file which Stats knows was stored when it was recorded, where Stats is of this store
	// ([Store.OpenStatCache]). Whether it is still there is not looked at: who needs its bytes finds out.
	Trusted bool
	// Lenient says that what cannot be in a tree (devices, sockets, pipes, files that their owner may not use) is an entry that is equal to
	// none, where it is an error otherwise: the folder is looked at to be mended.
	Lenient bool
	// Volatile says that the contents can be had again (sources), so that they need
	// not be forced to stable storage one by one.
	Volatile bool
}

// Capture reads a folder into a tree.
func (s *Store) Capture(ctx context.Context, dir string, opt CaptureOptions) (*Tree, error) {
	c, err := s.scan(ctx, dir, opt)
	if err != nil {
		return nil, fmt.Errorf("reading the tree %s: %w", dir, err)
	}
	full := map[string]bool{} // a folder is an entry of its own only when it is empty
	for p := range c.tree.Entries {
		full[path.Dir(p)] = true
	}
	for _, p := range c.dirs {
		full[path.Dir(p)] = true
	}
	for _, p := range c.skipped {
		full[path.Dir(p)] = true
	}
	for _, p := range c.dirs {
		if !full[p] {
			c.tree.Entries[p] = Entry{Dir: true}
		}
	}
	return c.tree, nil
}

// capture is one reading of a folder, by several goroutines.
type capture struct {
	*Store
	opt   CaptureOptions
	root  string
	group *errgroup.Group

	mu      sync.Mutex
	tree    *Tree    // files and links
	dirs    []string // all folders below the root that were read
	skipped []string
}

// scan reads folders side by side: a warm tree costs system calls, a cold one hashing.
func (s *Store) scan(ctx context.Context, dir string, opt CaptureOptions) (*capture, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	c := &capture{Store: s, opt: opt, root: dir, group: group, tree: NewTree()}
	group.Go(func() error { return c.folder(ctx, "") })
	return c, group.Wait()
}

// named is a file or link with its slash path in the tree.
type named struct {
	path  string
	entry Entry
}

// folder reads one folder. Those below it are read by whoever has time.
func (c *capture) folder(ctx context.Context, rel string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := c.openFolder(filepath.Join(c.root, filepath.FromSlash(rel)))
	if err != nil {
		return err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return err
	}
	var files []named
	var dirs, skipped []string
	looked := []string{f.Name()}
	for _, e := range entries {
		p := path.Join(rel, e.Name())
		switch {
		case c.opt.leavesOut(p, e.IsDir(), !e.IsDir() && !e.Type().IsRegular() && e.Type()&fs.ModeSymlink == 0):
			skipped = append(skipped, p)
		case e.IsDir():
			dirs = append(dirs, p)
		default:
			at := filepath.Join(c.root, filepath.FromSlash(p))
			entry, err := c.entry(ctx, f, e, at)
			if err != nil {
				return err
			}
			files = append(files, named{p, entry})
			looked = append(looked, at)
		}
	}
	c.opt.Stats.Note(looked...)
	c.add(files, dirs, skipped)
	for _, dir := range dirs {
		if c.group.TryGo(func() error { return c.folder(ctx, dir) }) {
			continue
		}
		if err := c.folder(ctx, dir); err != nil {
			return err
		}
	}
	return nil
}

// leavesOut tells whether an entry of a folder is not in the tree.
func (o CaptureOptions) leavesOut(p string, folder, special bool) bool {
	if o.Skip != nil && o.Skip(p, folder) {
		return true
	}
	if o.Special == nil || !special {
		return false
	}
	o.Special(p)
	return true
}

// openFolder gives a folder that is to be mended its owner's rights back.
func (c *capture) openFolder(path string) (*os.File, error) {
	f, err := os.Open(path)
	if c.opt.Lenient && errors.Is(err, fs.ErrPermission) && os.Chmod(path, 0o755) == nil {
		f, err = os.Open(path)
	}
	return f, err
}

func (c *capture) add(files []named, dirs, skipped []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range files {
		c.tree.Entries[f.path] = f.entry
	}
	c.dirs = append(c.dirs, dirs...)
	c.skipped = append(c.skipped, skipped...)
}

// unlike is equal to no entry of a tree.
var unlike = Entry{Digest: Digest{Size: -1}}

// entry reads what is no folder.
func (c *capture) entry(ctx context.Context, at *os.File, e fs.DirEntry, path string) (Entry, error) {
	n, err := nameOf(at.Name(), e)
	if err != nil {
		return Entry{}, err
	}
	return c.file(ctx, int(at.Fd()), n, path)
}

// file reads what is no folder. at is the open folder around it: a name in it is found faster than a path.
func (c *capture) file(ctx context.Context, at int, n name, path string) (Entry, error) {
	switch {
	case n.kind == aLink:
		return Entry{Link: n.link}, nil
	case n.kind != aFile && c.opt.Lenient:
		return unlike, nil
	case n.kind != aFile:
		return Entry{}, fmt.Errorf("%s is neither a file, a folder nor a link", path)
	}
	var st unix.Stat_t
	if err := unix.Fstatat(at, n.name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Entry{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	now := inodeOf(&st)
	executable := uint32(st.Mode)&0o111 != 0
	if c.opt.Lenient && uint32(st.Mode)&0o600 != 0o600 {
		return unlike, nil
	}
	d, known := c.opt.Stats.lookup(path, now)
	if !known {
		var err error
		d, err = digestFile(path)
		if c.opt.Lenient && errors.Is(err, fs.ErrPermission) {
			return unlike, nil
		}
		if err != nil {
			return Entry{}, err
		}
	}
	if c.opt.Store && !(known && c.opt.Trusted && c.opt.Stats.generation != "") && !c.Has(d) {
		var err error
		if d, err = c.putFile(ctx, path, nil, !c.opt.Volatile); err != nil {
			return Entry{}, err
		}
	}
	if !known {
		// Recorded when it is stored: an entry says that it is.
		c.opt.Stats.record(path, now, d)
	}
	return Entry{Digest: d, Executable: executable}, nil
}

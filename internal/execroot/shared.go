package execroot

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/lockfile"
)

// sharedName holds the trees that many exec roots only read (the standard library, a C sysroot), by digest.
// An exec root has a link to one in place of a copy.
const sharedName = "shared"

// shared is a tree that is laid out, with a lock that keeps it from being removed or mended while it is used.
type shared struct {
	tree string
	lock *lockfile.Lock
}

// share lays a tree out, once for all builds and exec roots. What somebody has changed in it since is
// mended before it is used.
func (r *Runner) share(ctx context.Context, d cas.Digest) (shared, error) {
	key := filepath.Join(sharedName, d.Hash[:16])
	if err := cachefile.MakeFolder(r.Dir, key); err != nil {
		return shared{}, err
	}
	dir := filepath.Join(r.Dir, key)
	waiting := func() { r.noticeWaiting(dir) }
	for {
		lock, err := lockfile.WaitShared(ctx, filepath.Join(dir, lockName), waiting)
		if err != nil {
			return shared{}, err
		}
		s := shared{filepath.Join(dir, "tree"), lock}
		whole, err := r.isWhole(ctx, d, dir)
		if err != nil {
			lock.Release()
			return shared{}, err
		}
		if whole {
			now := time.Now()
			_ = os.Chtimes(dir, now, now) // when it was last used, for the collection of old ones
			return s, nil
		}
		lock.Release()
		if err := r.layOutShared(ctx, d, dir, waiting); err != nil {
			return shared{}, err
		}
	}
}

// isWhole tells whether a shared tree is there as it should be.
func (r *Runner) isWhole(ctx context.Context, d cas.Digest, dir string) (bool, error) {
	stats := cas.OpenStatCache(filepath.Join(dir, statsName))
	have, err := r.Store.Capture(ctx, filepath.Join(dir, "tree"), cas.CaptureOptions{Stats: stats, Lenient: true})
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_ = stats.Save() // a cache that cannot be written to is hashed each time
	want, err := r.Store.LoadTree(d)
	return err == nil && maps.Equal(have.Entries, want.Entries), err
}

func (r *Runner) layOutShared(ctx context.Context, d cas.Digest, dir string, waiting func()) error {
	lock, err := lockfile.Wait(ctx, filepath.Join(dir, lockName), waiting)
	if err != nil {
		return err
	}
	defer lock.Release()
	stats := cas.OpenStatCache(filepath.Join(dir, statsName))
	if err := r.Store.Materialise(ctx, d, filepath.Join(dir, "tree"), stats, nil); err != nil {
		return err
	}
	return stats.Save()
}

// linkShared takes the folders of the inputs that are shared out of them, and links them into the exec
// root. It returns what is left of the inputs and what is linked, whose locks are to be held while the command runs.
func (r *Runner) linkShared(ctx context.Context, s Spec, dir string) (cas.Digest, []shared, error) {
	if len(s.Shared) == 0 {
		return s.Action.Inputs, nil, nil
	}
	top, err := r.Store.LoadDirectory(s.Action.Inputs)
	if err != nil {
		return cas.Digest{}, nil, err
	}
	var linked []shared
	var left []cas.DirNode
	for _, sub := range top.Dirs {
		if !slices.Contains(s.Shared, sub.Name) {
			left = append(left, sub)
			continue
		}
		tree, err := r.share(ctx, sub.Digest)
		if err == nil {
			linked = append(linked, tree)
			err = link(tree.tree, filepath.Join(dir, sub.Name))
		}
		if err != nil {
			releaseAll(linked)
			return cas.Digest{}, nil, err
		}
	}
	top.Dirs = left
	rest, err := r.Store.PutDirectory(top)
	if err != nil {
		releaseAll(linked)
	}
	return rest, linked, err
}

// link makes a link, in place of whatever has its name.
func link(to, name string) error {
	if old, err := os.Readlink(name); err == nil && old == to {
		return nil
	}
	if err := os.RemoveAll(name); err != nil {
		return err
	}
	return os.Symlink(to, name)
}

func releaseAll(linked []shared) {
	for _, l := range linked {
		l.lock.Release()
	}
}

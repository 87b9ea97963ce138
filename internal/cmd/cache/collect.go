package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Bounds say what a collection leaves. Zero means no bound.
type Bounds struct {
	Size int64         // bytes of blobs and work folders
	Age  time.Duration // since the last use
}

// freshTime is how long ago something must have been stored or used before it may go: a build that runs
// just now may have looked it up and not used it yet. (Were it to lose it all the same, it would build it
// again.)
const freshTime = time.Hour

// GC removes what has not been used for longest until the cache keeps to the bounds. It never
// removes what the last builds of this checkout consist of, nor a work folder in which something runs.
func GC(ctx context.Context, s *session.Session, bounds Bounds) error {
	unlock, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return Collect(ctx, s, bounds, time.Now())
}

func Collect(ctx context.Context, s *session.Session, bounds Bounds, now time.Time) error {
	c := &collection{s: s, bounds: bounds, now: now, pinned: map[cas.Digest]bool{}, kept: map[string]bool{},
		refs: map[cas.Digest]int{}, blobs: map[string]blob{}}
	for _, step := range []func(context.Context) error{c.pinHistory, c.readResults, c.readBlobs, c.readArchives, c.readWork, c.readBuilt, c.evict, c.dropBlobs} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if !s.Config.DryRun {
		s.Sweep()
		if err := errors.Join(sweepLocks(s), sweepRepros(s), s.BuiltToolchains().Sweep()); err != nil {
			return err
		}
	}
	return c.report()
}

// collection is the state of one CacheGC.
type collection struct {
	s      *session.Session
	bounds Bounds
	now    time.Time
	pinned map[cas.Digest]bool // blobs that stay
	kept   map[string]bool     // hashes of actions that stay
	items  []*item
	refs   map[cas.Digest]int // by how many results a blob is used
	blobs  map[string]blob    // by hash
	total  int64

	results, folders, dropped, inUse int
	archives, partials               int
	freed                            int64
}

type blob struct {
	size   int64
	stored time.Time
}

// item is something that can go: a result or a package with its blobs, a work folder, an unfinished download, or what is left of
// building a toolchain.
type item struct {
	used   time.Time
	action cas.Digest
	blobs  []cas.Digest
	broken bool
	folder *execroot.Lasting
	built  *rustbuild.Item
	size   int64 // of a folder or a download

	archive *pkgrepo.Reference
	partial *pkgrepo.Partial
}

// pinHistory pins what the last builds of this checkout, of all targets and profiles, consist of:
// the results whole, and of the inputs what is needed to tell what changed.
func (c *collection) pinHistory(context.Context) error {
	states, err := globdir.In(c.s.Config.Root, "out/*/state/*/*")
	if err != nil {
		return err
	}
	seen, messages := map[cas.Digest]bool{}, map[cas.Digest]bool{}
	for _, dir := range states {
		history := graph.OpenHistory(dir)
		for _, id := range history.IDs() {
			r := history.Get(id)
			if r == nil {
				continue
			}
			c.kept[r.Action.Digest().Hash] = true
			// What is lost already needs no pin.
			_ = c.s.Store.EachBlob(r.Output, seen, func(d cas.Digest, _ bool) { c.pinned[d] = true })
			_ = c.s.Store.EachBlob(r.Action.Inputs, messages, func(d cas.Digest, dir bool) {
				if dir {
					c.pinned[d] = true
				}
			})
		}
	}
	return nil
}

func (c *collection) readResults(ctx context.Context) error {
	_, err := c.s.Actions.Walk(func(key cas.Digest, r action.Result, info fs.FileInfo) error {
		it := &item{used: info.ModTime(), action: key}
		err := c.s.Store.EachBlob(r.Output, map[cas.Digest]bool{}, func(d cas.Digest, _ bool) {
			it.blobs = append(it.blobs, d)
			c.refs[d]++
		})
		it.broken = errors.As(err, new(*cas.MissingError))
		if err != nil && !it.broken {
			return err
		}
		c.items = append(c.items, it)
		return ctx.Err()
	})
	return err
}

func (c *collection) readBlobs(ctx context.Context) error {
	return c.s.Store.Walk(func(d cas.Digest, info fs.FileInfo) error {
		c.blobs[d.Hash] = blob{d.Size, cas.Stored(info)}
		c.total += d.Size
		return ctx.Err()
	})
}

func (c *collection) readWork(ctx context.Context) error {
	folders, err := c.s.Roots().Folders()
	if err != nil {
		return err
	}
	for _, f := range folders {
		_, size, err := session.SizeOf(ctx, f.Path)
		if err != nil {
			return err
		}
		c.total += size
		c.items = append(c.items, &item{used: f.Used, folder: &f, size: size})
	}
	return nil
}

// evict goes through the items, the least recently used first. Blobs that no result uses go in any
// case and count as gone already.
func (c *collection) evict(ctx context.Context) error {
	for hash, b := range c.blobs {
		if c.mayDrop(cas.Digest{Hash: hash, Size: b.size}, b) {
			c.total -= b.size
		}
	}
	sort.SliceStable(c.items, func(i, j int) bool { return c.items[i].used.Before(c.items[j].used) })
	for _, it := range c.items {
		if err := ctx.Err(); err != nil {
			return err
		}
		age := c.now.Sub(it.used)
		tooOld := c.bounds.Age > 0 && age > c.bounds.Age
		tooMuch := c.bounds.Size > 0 && c.total > c.bounds.Size
		if !it.broken && (age < freshTime || !tooOld && !tooMuch) {
			continue
		}
		if err := c.evictOne(it); err != nil {
			return err
		}
	}
	return nil
}

func (c *collection) evictOne(it *item) error {
	if it.folder != nil {
		return c.evictFolder(it)
	}
	if it.built != nil {
		return c.evictBuilt(it)
	}
	if it.archive != nil {
		return c.evictArchive(it)
	}
	if it.partial != nil {
		return c.evictPartial(it)
	}
	if c.kept[it.action.Hash] && !it.broken {
		return nil
	}
	c.results++
	c.release(it)
	if c.s.Config.DryRun {
		return nil
	}
	return c.s.Actions.Forget(it.action)
}

// release counts that an item's blobs have one user less.
func (c *collection) release(it *item) {
	for _, d := range it.blobs {
		c.refs[d]--
		if b, ok := c.blobs[d.Hash]; ok && c.mayDrop(d, b) {
			c.total -= b.size
		}
	}
}

func (c *collection) evictFolder(it *item) error {
	return c.evictBy(it, func() (bool, error) { return c.s.Roots().Remove(*it.folder) })
}

// evictBy removes an item and counts it. remove says no where somebody uses it.
func (c *collection) evictBy(it *item, remove func() (removed bool, err error)) error {
	removed := true
	if !c.s.Config.DryRun {
		var err error
		if removed, err = remove(); err != nil {
			return err
		}
	}
	if !removed {
		c.inUse++
		return nil
	}
	c.folders++
	c.freed += it.size
	c.total -= it.size
	return nil
}

// mayDrop tells whether nothing speaks for a blob any more.
func (c *collection) mayDrop(d cas.Digest, b blob) bool {
	return c.refs[d] == 0 && !c.pinned[d] && c.now.Sub(b.stored) > freshTime
}

func (c *collection) dropBlobs(ctx context.Context) error {
	for hash, b := range c.blobs {
		d := cas.Digest{Hash: hash, Size: b.size}
		if !c.mayDrop(d, b) {
			continue
		}
		c.dropped++
		c.freed += b.size
		if c.s.Config.DryRun {
			continue
		}
		if err := errors.Join(c.s.Store.Remove(d), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

func (c *collection) report() error {
	verb := "removed"
	if c.s.Config.DryRun {
		verb = "would remove"
	}
	fmt.Fprintf(c.s.Streams.Out, "%s %d results, %d blobs and %d work folders: %s; %s stay\n", verb, c.results, c.dropped, c.folders, ui.Bytes(c.freed), ui.Bytes(c.total))
	c.reportArchives(verb)
	if c.inUse > 0 {
		fmt.Fprintf(c.s.Streams.Out, "%d work folders are in use and stay\n", c.inUse)
	}
	if c.bounds.Size > 0 && c.total > c.bounds.Size {
		fmt.Fprintf(c.s.Streams.Out, "that is more than %s: the rest is what the last builds of this checkout consist of, or was used within the hour\n", ui.Bytes(c.bounds.Size))
	}
	return nil
}

// readBuilt adds the toolchains that were built, and the folders they were built in, to what can go.
func (c *collection) readBuilt(ctx context.Context) error {
	items, err := c.s.BuiltToolchains().Items()
	if err != nil {
		return err
	}
	for _, it := range items {
		size := rustbuild.OnDisk(it.Path)
		c.total += size
		c.items = append(c.items, &item{used: it.Used, built: &it, size: size})
	}
	return ctx.Err()
}

func (c *collection) evictBuilt(it *item) error {
	return c.evictBy(it, func() (bool, error) { return c.s.BuiltToolchains().Remove(*it.built) })
}

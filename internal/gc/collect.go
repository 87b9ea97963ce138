package gc

import (
	"context"
	"errors"
	"io/fs"
	"sort"
	"time"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/source"
)

// Bounds say what a collection leaves. Zero means no bound.
type Bounds struct {
	Size int64         // bytes of blobs and folders
	Age  time.Duration // since the last use
}

// Collection is what a collection removed, or would remove.
type Collection struct {
	DryRun   bool `json:"dry_run"`
	Results  int  `json:"results"`
	Blobs    int  `json:"blobs"`
	Folders  int  `json:"folders"`  // that tools worked in, or in which toolchains were built
	Unpacked int  `json:"unpacked"` // crates that cargo unpacked when it fetched them
	Archives int  `json:"archives"` // of packages; they are among the blobs
	Partial  int  `json:"partial"`  // unfinished downloads
	// InUse are folders that would have gone and that somebody works in.
	InUse int `json:"in_use"`
	// Freed and Left are bytes.
	Freed int64 `json:"freed_bytes"`
	Left  int64 `json:"left_bytes"`
	// Over says that more is left than the bound: the rest is what the last builds of the checkout consist of, or fresh.
	Over bool `json:"over_bound"`
}

// Collect removes what has not been used for longest until the cache keeps to the bounds. It never removes what the last
// builds of the checkout consist of, nor a folder in which something runs. now is the time that ages are reckoned from.
func (c *Cache) Collect(ctx context.Context, bounds Bounds, now time.Time, dryRun bool) (*Collection, error) {
	r := &run{cache: c, bounds: bounds, now: now, pinned: map[cas.Digest]bool{}, kept: map[string]bool{},
		users: map[cas.Digest]int{}, blobs: map[string]blob{}, done: Collection{DryRun: dryRun}}
	for _, step := range []func(context.Context) error{
		r.pinLastBuilds, r.readBlobs, r.readResults, r.readArchives, r.readWork, r.readToolchains, r.readUnpacked, r.evict, r.dropBlobs,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	r.done.Left = r.total
	r.done.Over = bounds.Size > 0 && r.total > bounds.Size
	if dryRun {
		return &r.done, nil
	}
	return &r.done, c.sweep()
}

// run is the state of one collection.
type run struct {
	cache  *Cache
	done   Collection
	bounds Bounds
	now    time.Time
	pinned map[cas.Digest]bool // blobs that stay
	kept   map[string]bool     // hashes of actions that stay
	items  []*item
	users  map[cas.Digest]int // how many results and archives use a blob
	blobs  map[string]blob    // by hash
	total  int64              // bytes
}

type blob struct {
	size   int64
	stored time.Time
}

// item is something that can go.
type item struct {
	used   time.Time
	blobs  []cas.Digest // that it keeps
	size   int64        // in bytes, of what lies outside of the store
	broken bool         // goes however young it is
	kept   bool         // stays however old it is, unless it is broken
	spare  bool         // nobody needs it: goes whatever the bounds are, unless it is fresh
	count  *int         // of the collection
	// remove says no where somebody works with it.
	remove func() (removed bool, err error)
}

// pinLastBuilds pins what the last builds consist of: the results whole, and of the inputs what is needed to tell what
// changed.
func (r *run) pinLastBuilds(context.Context) error {
	states, err := globdir.In(r.cache.Checkout, "out/*/state/*/*")
	if err != nil {
		return err
	}
	seen, messages := map[cas.Digest]bool{}, map[cas.Digest]bool{}
	for _, dir := range states {
		history := graph.OpenHistory(dir)
		for _, id := range history.IDs() {
			last := history.Get(id)
			if last == nil {
				continue
			}
			r.kept[last.Action.Digest().Hash] = true
			// What is lost already needs no pin.
			_ = r.cache.Store.EachBlob(last.Output, seen, func(d cas.Digest, _ bool) { r.pinned[d] = true })
			_ = r.cache.Store.EachBlob(last.Action.Inputs, messages, func(d cas.Digest, dir bool) {
				if dir {
					r.pinned[d] = true
				}
			})
		}
	}
	return nil
}

func (r *run) readBlobs(ctx context.Context) error {
	return r.cache.Store.Walk(func(d cas.Digest, info fs.FileInfo) error {
		r.blobs[d.Hash] = blob{d.Size, cas.Stored(info)}
		r.total += d.Size
		return ctx.Err()
	})
}

func (r *run) readResults(ctx context.Context) error {
	_, err := r.cache.Actions.Walk(func(key cas.Digest, result action.Result, info fs.FileInfo) error {
		it := &item{used: info.ModTime(), count: &r.done.Results, kept: r.kept[key.Hash],
			remove: func() (bool, error) { return true, r.cache.Actions.Forget(key) }}
		err := r.cache.Store.EachBlob(result.Output, map[cas.Digest]bool{}, func(d cas.Digest, _ bool) { it.blobs = append(it.blobs, d) })
		it.broken = errors.As(err, new(*cas.MissingError))
		if err != nil && !it.broken {
			return err
		}
		r.add(it)
		return ctx.Err()
	})
	return err
}

func (r *run) add(it *item) {
	for _, d := range it.blobs {
		r.users[d]++
	}
	r.total += it.size
	r.items = append(r.items, it)
}

// readArchives adds the archives of packages and unfinished downloads.
func (r *run) readArchives(ctx context.Context) error {
	refs, err := r.cache.Archives.References()
	if err != nil {
		return err
	}
	for _, ref := range refs {
		it := &item{used: ref.Used, count: &r.done.Archives, remove: func() (bool, error) { return true, ref.Forget() }}
		if _, there := r.blobs[ref.Blob.Hash]; there {
			it.blobs = []cas.Digest{ref.Blob}
		}
		it.broken = it.blobs == nil
		r.add(it)
	}
	partial, err := r.cache.Archives.Partials()
	if err != nil {
		return err
	}
	for _, p := range partial {
		r.add(&item{used: p.Used, size: p.Size, count: &r.done.Partial, remove: p.Remove})
	}
	return ctx.Err()
}

func (r *run) readWork(ctx context.Context) error {
	folders, err := r.cache.Work.Folders()
	if err != nil {
		return err
	}
	for _, f := range folders {
		_, size, err := FolderSize(ctx, f.Path)
		if err != nil {
			return err
		}
		r.add(&item{used: f.Used, size: size, count: &r.done.Folders, remove: func() (bool, error) { return r.cache.Work.Remove(f) }})
	}
	return nil
}

// readToolchains adds the toolchains that were built here, and the folders they were built in.
func (r *run) readToolchains(ctx context.Context) error {
	items, err := r.cache.Toolchains.Items()
	if err != nil {
		return err
	}
	for _, it := range items {
		r.add(&item{used: it.Used, size: rustbuild.OnDisk(it.Path), count: &r.done.Folders, remove: func() (bool, error) { return r.cache.Toolchains.Remove(it) }})
	}
	return ctx.Err()
}

// readUnpacked adds what cargo unpacked when it fetched.
func (r *run) readUnpacked(ctx context.Context) error {
	all, err := source.UnpackedIn(r.cache.CargoHome)
	if err != nil {
		return err
	}
	for _, u := range all {
		_, size, err := FolderSize(ctx, u.Path)
		if err != nil {
			return err
		}
		r.add(&item{used: u.Made, size: size, spare: true, count: &r.done.Unpacked, remove: u.Remove})
	}
	return nil
}

// evict goes through the items, the least recently used first. Blobs that no result uses go in any
// case and count as gone already.
func (r *run) evict(ctx context.Context) error {
	for hash, b := range r.blobs {
		if r.mayDrop(cas.Digest{Hash: hash, Size: b.size}, b) {
			r.total -= b.size
		}
	}
	sort.SliceStable(r.items, func(i, j int) bool { return r.items[i].used.Before(r.items[j].used) })
	for _, it := range r.items {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !r.mayGo(it) {
			continue
		}
		if err := r.evictOne(it); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) mayGo(it *item) bool {
	age := r.now.Sub(it.used)
	tooOld := r.bounds.Age > 0 && age > r.bounds.Age
	tooMuch := r.bounds.Size > 0 && r.total > r.bounds.Size
	return it.broken || !it.kept && age >= freshTime && (tooOld || tooMuch || it.spare)
}

func (r *run) evictOne(it *item) error {
	removed := true
	if !r.done.DryRun {
		var err error
		if removed, err = it.remove(); err != nil {
			return err
		}
	}
	if !removed {
		r.done.InUse++
		return nil
	}
	*it.count++
	r.done.Freed += it.size
	r.total -= it.size
	for _, d := range it.blobs {
		r.users[d]--
		if b, ok := r.blobs[d.Hash]; ok && r.mayDrop(d, b) {
			r.total -= b.size
		}
	}
	return nil
}

// mayDrop tells whether nothing speaks for a blob any more.
func (r *run) mayDrop(d cas.Digest, b blob) bool {
	return r.users[d] == 0 && !r.pinned[d] && r.now.Sub(b.stored) > freshTime
}

func (r *run) dropBlobs(ctx context.Context) (err error) {
	if !r.done.DryRun {
		// Also when it is cut short: what a checkout knows to be stored may be gone.
		defer func() { err = errors.Join(err, r.cache.Store.Renew()) }()
	}
	for hash, b := range r.blobs {
		d := cas.Digest{Hash: hash, Size: b.size}
		if !r.mayDrop(d, b) {
			continue
		}
		r.done.Blobs++
		r.done.Freed += b.size
		if r.done.DryRun {
			continue
		}
		if err := errors.Join(r.cache.Store.Remove(d), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

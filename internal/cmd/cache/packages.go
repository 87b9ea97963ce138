package cache

import (
	"context"
	"fmt"

	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// archiveStats says, behind the folders, how much of the store is packages.
func archiveStats(s *session.Session) error {
	refs, err := packages.Archives(s).References()
	if err != nil || len(refs) == 0 {
		return err
	}
	var size int64
	for _, r := range refs {
		size += r.Blob.Size
	}
	fmt.Fprintf(s.Streams.Out, "of cas: %d archives of packages, %s\n", len(refs), ui.Bytes(size))
	return nil
}

// verifyArchives drops the references to archives that are not whole. It comes after the store was verified.
func verifyArchives(s *session.Session) (dropped int, err error) {
	refs, err := packages.Archives(s).References()
	if err != nil {
		return 0, err
	}
	for _, r := range refs {
		if s.Store.Has(r.Blob) {
			continue
		}
		fmt.Fprintf(s.Streams.Out, "package with entry table %.12s: its archive is damaged or missing: dropped\n", r.Name())
		if err := r.Forget(); err != nil {
			return dropped, err
		}
		dropped++
	}
	return dropped, nil
}

// readArchives adds archives and unfinished downloads to what can be collected.
func (c *collection) readArchives(ctx context.Context) error {
	refs, err := packages.Archives(c.s).References()
	if err != nil {
		return err
	}
	for _, r := range refs {
		_, there := c.blobs[r.Blob.Hash]
		it := &item{used: r.Used, archive: &r, broken: !there}
		if there {
			it.blobs = append(it.blobs, r.Blob)
			c.refs[r.Blob]++
		}
		c.items = append(c.items, it)
	}
	partial, err := packages.Archives(c.s).Partials()
	if err != nil {
		return err
	}
	for _, p := range partial {
		c.total += p.Size
		c.items = append(c.items, &item{used: p.Used, partial: &p, size: p.Size})
	}
	return ctx.Err()
}

func (c *collection) evictArchive(it *item) error {
	c.archives++
	c.release(it)
	if c.s.Config.DryRun {
		return nil
	}
	return it.archive.Forget()
}

func (c *collection) evictPartial(it *item) error {
	removed := true
	if !c.s.Config.DryRun {
		var err error
		if removed, err = it.partial.Remove(); err != nil {
			return err
		}
	}
	if removed {
		c.partials++
		c.freed += it.size
		c.total -= it.size
	}
	return nil
}

// reportArchives adds packages to the report, if there is something to say.
func (c *collection) reportArchives(verb string) {
	if c.archives+c.partials > 0 {
		fmt.Fprintf(c.s.Streams.Out, "%s %d archives of packages, which are among the blobs, and %d unfinished downloads\n", verb, c.archives, c.partials)
	}
}

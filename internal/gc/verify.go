package gc

import (
	"context"
	"errors"
	"io/fs"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

// Verification is what a look at every byte of the cache found. What is named was dropped.
type Verification struct {
	Damaged    []cas.Digest `json:"damaged_blobs"`
	Incomplete []Incomplete `json:"incomplete_results"`
	// Unreadable counts results whose entry could not be read.
	Unreadable int      `json:"unreadable_results"`
	Packages   []string `json:"packages"` // entry tables whose archive is gone
	Blobs      int      `json:"blobs"`    // whole ones
	Results    int      `json:"results"`
}

// Incomplete is a result with a blob missing.
type Incomplete struct {
	Node    string `json:"step"`
	Problem string `json:"problem"`
}

// Dropped counts everything that was dropped.
func (v *Verification) Dropped() int {
	return len(v.Damaged) + len(v.Incomplete) + v.Unreadable + len(v.Packages)
}

// Verify hashes everything in the cache and drops what is damaged or incomplete; the next build makes it again.
func (c *Cache) Verify(ctx context.Context) (*Verification, error) {
	v := &Verification{}
	var err error
	if v.Damaged, v.Blobs, err = c.Store.Verify(ctx); err != nil {
		return nil, err
	}
	if err := c.verifyResults(ctx, v); err != nil {
		return nil, err
	}
	return v, c.verifyArchives(v)
}

func (c *Cache) verifyResults(ctx context.Context, v *Verification) error {
	var broken []cas.Digest
	unreadable, err := c.Actions.Walk(func(key cas.Digest, r action.Result, _ fs.FileInfo) error {
		v.Results++
		err := c.complete(r)
		if errors.As(err, new(*cas.MissingError)) {
			v.Incomplete = append(v.Incomplete, Incomplete{r.Node, err.Error()})
			broken = append(broken, key)
			return ctx.Err()
		}
		return errors.Join(err, ctx.Err())
	})
	v.Unreadable = unreadable
	for _, key := range broken {
		err = errors.Join(err, c.Actions.Forget(key))
	}
	return err
}

// complete looks whether an output is all here; the files of one that a remote cache has may be there.
func (c *Cache) complete(r action.Result) error {
	if r.Remote {
		return c.Store.EachBlob(r.Output, map[cas.Digest]bool{}, func(cas.Digest, bool) {})
	}
	return c.Store.Complete(r.Output)
}

// verifyArchives drops the references to archives that are not whole. It comes after the store was verified.
func (c *Cache) verifyArchives(v *Verification) error {
	refs, err := c.Archives.References()
	if err != nil {
		return err
	}
	for _, r := range refs {
		if c.Store.Has(r.Blob) {
			continue
		}
		if err := r.Forget(); err != nil {
			return err
		}
		v.Packages = append(v.Packages, r.Name())
	}
	return nil
}

package cas

import (
	"context"
	"sync"
)

// Upstream has blobs that a store may lack.
type Upstream interface {
	// Fetch puts those of the blobs that it has into the store, with [Store.PutAs]. A blob that it lacks is no error.
	Fetch(ctx context.Context, digests []Digest) error
}

// upstreamInUse is an upstream for as long as a build lasts.
type upstreamInUse struct {
	mu  sync.Mutex
	ctx context.Context
	up  Upstream // nil when none is in use
}

func (u *upstreamInUse) get() (context.Context, Upstream) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.ctx, u.up
}

// Use has reads that miss a blob ask an upstream first, until ctx ends or the function that it returns is called. What only looks at
// what is here (Has, Walk, Verify, Complete, EachBlob) does not ask.
func (s *Store) Use(ctx context.Context, up Upstream) (end func()) {
	set := func(ctx context.Context, up Upstream) {
		s.upstream.mu.Lock()
		defer s.upstream.mu.Unlock()
		s.upstream.ctx, s.upstream.up = ctx, up
	}
	set(ctx, up)
	return func() { set(nil, nil) }
}

// bring asks the upstream for one blob and tells whether it is here now.
func (s *Store) bring(d Digest) bool {
	ctx, up := s.upstream.get()
	return up != nil && up.Fetch(ctx, []Digest{d}) == nil && s.Has(d)
}

// Need asks the upstream for those of the blobs that are not here, all at once. Who reads one that nobody has is told then.
func (s *Store) Need(ctx context.Context, digests []Digest) error {
	_, up := s.upstream.get()
	if up == nil {
		return nil
	}
	var missing []Digest
	once := map[Digest]bool{}
	for _, d := range digests {
		if !once[d] && !s.Has(d) {
			missing = append(missing, d)
		}
		once[d] = true
	}
	if len(missing) == 0 {
		return nil
	}
	return up.Fetch(ctx, missing)
}

// NeedTree is [Store.Need] for everything below a root.
func (s *Store) NeedTree(ctx context.Context, root Digest) error {
	if _, up := s.upstream.get(); up == nil {
		return nil
	}
	var all []Digest
	err := s.EachBlob(root, map[Digest]bool{}, func(d Digest, _ bool) { all = append(all, d) })
	if err != nil {
		return err
	}
	return s.Need(ctx, all)
}

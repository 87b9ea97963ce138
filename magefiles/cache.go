//go:build mage

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/magefile/mage/mg"

	cmdcache "github.com/pannous/redox-clif/internal/cmd/cache"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/gc"
	"github.com/pannous/redox-clif/internal/session"
)

// Cache looks after the cache of results.
type Cache mg.Namespace

// Dir prints where the cache is.
func (Cache) Dir() error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdcache.Dir(s) })
}

// Stats prints what is in the cache, and how much of it.
func (Cache) Stats(ctx context.Context, json *bool) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdcache.Stats(ctx, s, isSet(json)) })
}

// Defaults of cache:gc.
const (
	defaultCacheGiB  = 20
	defaultCacheDays = 30
)

// Gc removes from the cache what was not used for longest. What is in use stays.
func (Cache) Gc(ctx context.Context, maxSize *float64, maxAge *int, dryRun *bool) error {
	return run(config.Flags{DryRun: dryRun}, func(s *session.Session) error {
		size, days := float64(defaultCacheGiB), defaultCacheDays
		if maxSize != nil {
			size = *maxSize
		}
		if maxAge != nil {
			days = *maxAge
		}
		if size <= 0 || days <= 0 {
			return fmt.Errorf("-maxsize and -maxage have to be above 0")
		}
		return cmdcache.GC(ctx, s, gc.Bounds{Size: int64(size * (1 << 30)), Age: time.Duration(days) * 24 * time.Hour})
	})
}

// Verify hashes the cache and drops what is damaged. The next build makes it again.
func (Cache) Verify(ctx context.Context) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdcache.Verify(ctx, s) })
}

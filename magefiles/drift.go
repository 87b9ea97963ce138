//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	cmdpin "github.com/pannous/redox-clif/internal/cmd/pin"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Drift is where something derived no longer matches what it is derived from.
type Drift mg.Namespace

// Check compares everything derived with its origin. It fails when anything drifted.
func (Drift) Check(ctx context.Context, all, json, strict, offline *bool, set *string) error {
	return run(config.Flags{Offline: offline, Set: set}, func(s *session.Session) error {
		return cmdpin.Drift(ctx, s, cmdpin.DriftFlags{All: isSet(all), JSON: isSet(json), Strict: isSet(strict)})
	})
}

// Lock writes recipes/lock.toml: what pinned sources hold.
func (Drift) Lock(ctx context.Context, json, offline *bool, set *string) error {
	return run(config.Flags{Offline: offline, Set: set}, func(s *session.Session) error { return cmdpin.DriftLock(ctx, s, isSet(json)) })
}

// Upstream tells how far the pins are behind upstream. It never fails on that.
func (Drift) Upstream(ctx context.Context, json *bool, set *string) error {
	return run(config.Flags{Set: set}, func(s *session.Session) error { return cmdpin.DriftUpstream(ctx, s, isSet(json)) })
}

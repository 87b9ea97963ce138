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

// Check compares everything derived with its origin; fails when anything drifted (also: mage drift), with -strict also when something could not be compared. -json, -offline.
func (Drift) Check(ctx context.Context, json, strict, offline *bool) error {
	return run(config.Flags{Offline: offline}, func(s *session.Session) error {
		return cmdpin.Drift(ctx, s, cmdpin.DriftFlags{JSON: isSet(json), Strict: isSet(strict)})
	})
}

// Lock writes recipes/lock.toml: what the pinned sources hold. -json, -offline.
func (Drift) Lock(ctx context.Context, json, offline *bool) error {
	return run(config.Flags{Offline: offline}, func(s *session.Session) error { return cmdpin.DriftLock(ctx, s, isSet(json)) })
}

// Upstream tells how far the pins are behind and which patches are satisfied there; never fails on it. -json, -profile.
func (Drift) Upstream(ctx context.Context, json *bool, profile *string) error {
	return run(config.Flags{Profile: profile}, func(s *session.Session) error { return cmdpin.DriftUpstream(ctx, s, isSet(json)) })
}

//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/pannous/redox-clif/internal/config"
)

// Drift is where something derived no longer matches what it is derived from.
type Drift mg.Namespace

// Check compares everything derived with its origin; fails when anything drifted (also: mage drift). -json, -offline.
func (Drift) Check(ctx context.Context, json, offline *bool) error {
	s, err := open(config.Flags{Offline: offline})
	if err != nil {
		return err
	}
	return s.Drift(ctx, yes(json))
}

// Lock writes recipes/lock.toml: what the pinned sources hold.
func (Drift) Lock(ctx context.Context, offline *bool) error {
	s, err := open(config.Flags{Offline: offline})
	if err != nil {
		return err
	}
	return s.DriftLock(ctx)
}

// Upstream tells how far the pins are behind and which patches are satisfied there; never fails on it. -json, -profile.
func (Drift) Upstream(ctx context.Context, json *bool, profile *string) error {
	s, err := open(config.Flags{Profile: profile})
	if err != nil {
		return err
	}
	return s.DriftUpstream(ctx, yes(json))
}

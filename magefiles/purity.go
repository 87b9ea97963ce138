//go:build mage

package main

import (
	"context"

	"github.com/pannous/redox-clif/internal/config"
)

// Purity lists what compiled every file of an image and where LLVM, clang or C have a part: purity IMAGE, or a recipe that makes one; without a name the real initfs.
func Purity(ctx context.Context, of *string, offline *bool, profile, backend *string) error {
	s, err := open(config.Flags{Offline: offline, Profile: profile, Backend: backend})
	if err != nil {
		return err
	}
	return s.Purity(ctx, text(of))
}

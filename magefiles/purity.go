//go:build mage

package main

import (
	"context"

	cmdinitfs "github.com/pannous/redox-clif/internal/cmd/initfs"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Purity lists what compiled every file of an image and where LLVM, clang or C have a part: purity IMAGE, or a recipe that makes one; without a name the real initfs; -json.
func Purity(ctx context.Context, of *string, offline, json *bool, profile, backend *string) error {
	return run(config.Flags{Offline: offline, Profile: profile, Backend: backend}, func(s *session.Session) error {
		return cmdinitfs.Purity(ctx, s, text(of), isSet(json))
	})
}

//go:build mage

package main

import (
	"context"

	cmdinitfs "github.com/pannous/redox-clif/internal/cmd/initfs"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Purity lists what compiled each file of an image. Every use of LLVM, clang and C is told with its reason.
func Purity(ctx context.Context, of *string, offline, json *bool, set, backend *string) error {
	return run(config.Flags{Offline: offline, Set: set, Backend: backend}, func(s *session.Session) error {
		return cmdinitfs.Purity(ctx, s, text(of), isSet(json))
	})
}

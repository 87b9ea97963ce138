//go:build mage

package main

import (
	"context"

	cmdcompare "github.com/pannous/redox-clif/internal/cmd/compare"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Diff compares programs by LLVM and by Cranelift. It compiles several hundred cases by both and boots them.
func (Test) Diff(ctx context.Context, accel *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdcompare.Diff(ctx, s, text(accel)) })
}

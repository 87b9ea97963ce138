//go:build mage

package main

import (
	"context"

	cmdcompare "github.com/pannous/redox-clif/internal/cmd/compare"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Diff compiles several hundred cases by LLVM and by Cranelift, boots them, and compares what they print.
func (Test) Diff(ctx context.Context) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdcompare.Diff(ctx, s) })
}

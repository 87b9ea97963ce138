//go:build mage

package main

import (
	"context"

	"github.com/pannous/redox-clif/internal/config"
)

// Diff compiles several hundred cases by LLVM and by Cranelift, boots them, and compares what they print.
func (Test) Diff(ctx context.Context) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.TestDiff(ctx)
}

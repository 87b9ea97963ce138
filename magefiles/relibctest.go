//go:build mage

package main

import (
	"context"

	cmdcompare "github.com/pannous/redox-clif/internal/cmd/compare"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Relibc boots relibc's own tests, linked with relibc by LLVM and by Cranelift, and compares what they print and what upstream expects; -only=NAME,FOLDER/ runs some of them, -accel.
func (Test) Relibc(ctx context.Context, only, accel *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdcompare.Relibc(ctx, s, text(only), text(accel)) })
}

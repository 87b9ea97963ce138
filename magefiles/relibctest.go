//go:build mage

package main

import (
	"context"

	cmdcompare "github.com/pannous/redox-clif/internal/cmd/compare"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Relibc runs relibc's own tests, with relibc by both backends. They are compared with each other and with what upstream expects.
func (Test) Relibc(ctx context.Context, only, accel *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdcompare.Relibc(ctx, s, text(only), text(accel)) })
}

//go:build mage

package main

import (
	"context"

	cmdpin "github.com/pannous/redox-clif/internal/cmd/pin"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Doctor says what this machine lacks, and what brings it.
func Doctor(ctx context.Context, network, json *bool) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdpin.Doctor(ctx, s, isSet(network), isSet(json)) })
}

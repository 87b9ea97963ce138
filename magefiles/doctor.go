//go:build mage

package main

import (
	"context"

	"github.com/pannous/redox-clif/internal/config"
)

// Doctor says what is missing on this machine, for what, and the command that brings it; -network, -json.
func Doctor(ctx context.Context, network, json *bool) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.Doctor(ctx, yes(network), yes(json))
}

//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	cmdpin "github.com/pannous/redox-clif/internal/cmd/pin"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Target is what is done with target specs.
type Target mg.Namespace

// Spec prints, writes or checks the JSON of a target spec.
func (Target) Spec(ctx context.Context, triple, compiler *string, write, check *bool) error {
	return run(config.Flags{}, func(s *session.Session) error {
		return cmdpin.TargetSpec(ctx, s, cmdpin.SpecOptions{Triple: text(triple), Compiler: text(compiler), Write: isSet(write), Check: isSet(check)})
	})
}

// List lists the target specs.
func (Target) List(ctx context.Context, json *bool) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdpin.TargetList(s, isSet(json)) })
}

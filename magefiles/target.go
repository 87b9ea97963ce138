//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
)

// Target is what is done with target specs.
type Target mg.Namespace

// Spec prints the JSON of a target spec: -triple=NAME, -compiler=1.96 or installed; -write writes targets/*.json, -check compares.
func (Target) Spec(ctx context.Context, triple, compiler *string, write, check *bool) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.TargetSpec(ctx, session.SpecOptions{Triple: text(triple), Compiler: text(compiler), Write: yes(write), Check: yes(check)})
}

// List lists the targets.
func (Target) List(ctx context.Context) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.TargetList()
}

// text is a flag's value, "" when it was not given.
func text(flag *string) string {
	if flag == nil {
		return ""
	}
	return *flag
}

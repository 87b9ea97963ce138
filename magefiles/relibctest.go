//go:build mage

package main

import (
	"context"

	"github.com/pannous/redox-clif/internal/config"
)

// Relibc boots relibc's own tests, linked with relibc by LLVM and by Cranelift, and compares what they print and what upstream expects; -only=NAME,FOLDER/ runs some of them, -accel.
func (Test) Relibc(ctx context.Context, only, accel *string) error {
	s, err := open(config.Flags{})
	if err != nil {
		return err
	}
	return s.TestRelibc(ctx, text(only), text(accel))
}

//go:build mage

package main

import (
	"errors"
	"os"
	"runtime/debug"
	"strings"

	"github.com/magefile/mage/mg"

	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/terminal"
)

// run opens a session with the flags of a target, does the target's work in it, and adds to a failure what is known to help. It is
// the one way in, so that no target is without.
func run(flags config.Flags, do func(*session.Session) error) error {
	// A run takes some 30 MB in all, and most last a tenth of a second: collecting garbage would be a tenth of that.
	debug.SetGCPercent(400)
	out := terminal.NewWriter(os.Stdout)
	open := func() (*session.Session, error) {
		s, err := session.Open(flags, os.Environ(), ".", mg.Verbose(), session.Streams{Out: out, Err: os.Stderr, Raw: os.Stdout})
		if s != nil {
			s.Reenter, s.Words = true, os.Args[1:]
		}
		return s, err
	}
	err := session.Run(open, do)
	if lost := out.Flush(); !errors.Is(err, lost) { // not twice, where the target said it
		err = errors.Join(err, lost)
	}
	return terminal.Error(session.Hinted(err))
}

// Flags that were not given are nil.

func isSet(flag *bool) bool { return flag != nil && *flag }

func text(flag *string) string { return orDefault(flag, "") }

func orDefault(flag *string, otherwise string) string {
	if flag == nil || *flag == "" {
		return otherwise
	}
	return *flag
}

func number(flag *int) int {
	if flag == nil {
		return 0
	}
	return *flag
}

// list splits at commas.
func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

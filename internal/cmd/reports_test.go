package cmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pannous/redox-clif/internal/cmd/boottest"
	"github.com/pannous/redox-clif/internal/cmd/compare"
	"github.com/pannous/redox-clif/internal/session/sessiontest"
)

// A report of an earlier run must not pass for that of a run that ended early, whatever ended it.
func TestNoEarlierReportIsLeft(t *testing.T) {
	s := sessiontest.InCheckout(t, map[string]string{"images/boot/login.toml": "image = 'none'\n[[step]]\nwait = 'x'\n", "images/boot/bad.toml": "x = 1\n"})
	ctx := t.Context()
	for report, run := range map[string]func() error{
		"boot-login.xml": func() error { return boottest.Run(ctx, s, "login", boottest.Flags{}) },
		"boot-bad.xml":   func() error { return boottest.Run(ctx, s, "bad", boottest.Flags{}) },
		"diff.xml":       func() error { return compare.Diff(ctx, s, "") },
		"relibc.xml":     func() error { return compare.Relibc(ctx, s, "", "") },
	} {
		file := filepath.Join(s.Config.Out(), "test", report)
		sessiontest.WriteFile(t, file, "<testsuite/>", 0o644)
		if err := run(); err == nil {
			t.Errorf("%s: nothing ended the run", report)
		}
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", report, err)
		}
	}
}

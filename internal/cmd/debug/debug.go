// Package debug is the targets that look into what crashed.
//
// It owns their words and the order in which programs are looked for. It must not know how symbols are read (packages crash and
// symbolise) nor how a guest is started.
package debug

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/crash"
	"github.com/pannous/redox-clif/internal/guest"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// Symbolise prints the traces of a guest's log in functions, files and lines. Without a log it is the newest serial log.
func Symbolise(_ context.Context, s *session.Session, log string, json bool) error {
	if log == "" {
		var err error
		if log, err = newestLog(s); err != nil {
			return err
		}
	}
	f, err := os.Open(log)
	if err != nil {
		return err
	}
	defer f.Close()
	stacks, err := guest.Programs(s).Stacks(f, s.SourceFile)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Relative(log), err)
	}
	if json {
		return ui.WriteJSON(s.Streams.Out, "symbolise", append([]crash.Stack{}, stacks...))
	}
	if len(stacks) == 0 {
		s.Say("%s has no trace: no registers, stack or backtrace with addresses", s.Relative(log))
		return nil
	}
	_, err = fmt.Fprint(s.Streams.Out, crash.Text(stacks, s.Relative(log)))
	return err
}

// newestLog is the serial log that was written last.
func newestLog(s *session.Session) (string, error) {
	entries, err := os.ReadDir(s.Config.Logs())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	newest, when := "", time.Time{}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasSuffix(e.Name(), ".serial.log") && info.ModTime().After(when) {
			newest, when = filepath.Join(s.Config.Logs(), e.Name()), info.ModTime()
		}
	}
	if newest == "" {
		return "", fmt.Errorf("no guest has left a log in %s: `mage test:boot NAME` does, and `mage symbolise -log=FILE` reads a log from elsewhere", s.Relative(s.Config.Logs()))
	}
	return newest, nil
}

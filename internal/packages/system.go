package packages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/symlink"
)

// System is an installed system as a folder: its root, or for an image a private copy of it.
type System struct {
	Name    string // for messages
	Root    string
	Private bool   // the folder goes away afterwards
	Done    func() // says what was done; nil if there was nothing to do
}

// open opens the root so that no link leads out of it. A root that is not there is nil.
func (sys *System) open() (*os.Root, error) {
	r, err := os.OpenRoot(sys.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return r, err
}

// readFile reads a file of a system, with its links followed as they are there: from its root.
func readFile(r *os.Root, p string) ([]byte, error) {
	p, err := symlink.Resolve(symlink.In(r), p)
	if err != nil {
		return nil, err
	}
	return r.ReadFile(filepath.FromSlash(p))
}

// State is what is installed.
func (sys *System) State() (*pkgrepo.State, error) {
	r, err := sys.open()
	if err != nil {
		return nil, err
	}
	var text []byte
	if r != nil {
		defer r.Close()
		if text, err = readFile(r, pkgrepo.StateFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", sys.Name, err)
		}
	}
	state, err := pkgrepo.ParseState(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", sys.Name, pkgrepo.StateFile, err)
	}
	return state, nil
}

// InTheWay knows pkgrepo's words for files that -force replaces.
var InTheWay = regexp.MustCompile(`is installed with it|belongs to no package`)

// Apply changes the folder in one step.
func (sys *System) Apply(ctx context.Context, change pkgrepo.Change) (*pkgrepo.Applied, error) {
	applied, err := pkgrepo.Apply(ctx, sys.Root, change, pkgar.ExtractOptions{NoSync: sys.Private})
	if err != nil && InTheWay.MatchString(err.Error()) {
		err = fmt.Errorf("%w\n  -force replaces what is in the way", err)
	}
	return applied, err
}

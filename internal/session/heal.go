package session

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/config"
)

// Run does a target's work in a session. Most damage in the cache is found and mended by the step that reads it. What only the
// target itself reads (what it exports, packs or boots) was up to date when it comes to light: the store has dropped it, and the work is
// done once more, with every byte of what is wanted looked at.
func Run(open func() (*Session, error), do func(*Session) error) error {
	s, err := open()
	if err != nil {
		return err
	}
	err = doAndClose(s, do)
	var lost *cas.MissingError
	if !errors.As(err, &lost) {
		return err
	}
	s.Say("%v: looking at all of it, and making again what is not whole", lost)
	if s, err = open(); err != nil {
		return err
	}
	s.distrust = true
	return doAndClose(s, do)
}

func doAndClose(s *Session, do func(*Session) error) error {
	defer s.closeRemote()
	return do(s)
}

// mendFolders makes room for the folders of the cache: where one is no folder, or not its owner's to use, nothing of it is left to
// be kept. What cannot be mended is for whoever needs it to say.
func mendFolders(cache string) {
	for _, name := range config.CacheParts() {
		if _, err := os.Lstat(filepath.Join(cache, name)); err == nil {
			_ = cachefile.MakeFolder(cache, name)
		}
	}
}

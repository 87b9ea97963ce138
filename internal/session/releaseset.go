package session

import (
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/releaseset"
)

// ReleaseSets are those of the checkout.
func (s *Session) ReleaseSets() (releaseset.Sets, error) {
	return releaseset.Load(s.Config.ToolchainDir())
}

// useSet gives the settings the release set that they name, or the active one. Where none is named, one that cannot be read is left to
// who needs its pin: there are targets that need none.
func useSet(cfg *config.Config) error {
	sets, err := releaseset.Load(cfg.ToolchainDir())
	if err != nil && cfg.Set == "" {
		return nil
	}
	if err != nil {
		return err
	}
	set, err := sets.Find(cfg.Set)
	if err != nil {
		return err
	}
	cfg.Set, cfg.SetPin, cfg.SetPinLock = set.Name, set.Pin, set.PinLock
	return nil
}

// InSet is the session with another release set. The toolchain and the recipes are those of the set, the cache is the same.
func (s *Session) InSet(name string) (*Session, error) {
	cfg := *s.Config
	cfg.Set, cfg.SetPin, cfg.SetPinLock = name, "", ""
	if err := useSet(&cfg); err != nil {
		return nil, err
	}
	other, err := open(&cfg, s.Streams)
	if err == nil {
		other.Reenter = s.Reenter
	}
	return other, err
}

// Package cacheparts says where the parts of a session's cache are, as package gc takes them.
//
// It owns nothing but that. It must not know what is done with the cache.
package cacheparts

import (
	"github.com/pannous/redox-clif/internal/gc"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/session"
)

// Of are the parts of the session's cache.
func Of(s *session.Session) *gc.Cache {
	return &gc.Cache{
		Dir: s.Config.Cache, Locks: s.Config.Locks(), Store: s.Store, Actions: s.Actions, Work: s.Roots(),
		Archives: packages.Archives(s), Toolchains: s.BuiltToolchains(), CargoHome: s.Config.Crates(), Checkout: s.Config.Root,
	}
}

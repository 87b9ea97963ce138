package session

import (
	"context"
	"os"

	"github.com/pannous/redox-clif/internal/rustbuild"
	"github.com/pannous/redox-clif/internal/targetspec"
	"github.com/pannous/redox-clif/internal/toolchain"
)

// LookAtToolchain finds out as much about the toolchain as there is. Only an unreadable pin is an error.
func (s *Session) LookAtToolchain(ctx context.Context) (*toolchain.Installed, error) {
	pin, err := toolchain.LoadPin(s.Config.Pin())
	if err != nil {
		return nil, err
	}
	i := &toolchain.Installed{Pin: pin}
	i.Problem = s.lookInto(ctx, i)
	return i, ctx.Err()
}

func (s *Session) lookInto(ctx context.Context, i *toolchain.Installed) error {
	from, err := s.ToolchainSources()
	if err != nil {
		return err
	}
	run := toolchain.Exec(s.ToolEnv())
	cache := s.Config.Toolchains()
	if i.Toolchain, err = toolchain.Find(ctx, from, i.Pin, run); err != nil {
		return err
	}
	version, err := i.Toolchain.AskVersion(ctx, run)
	if err != nil {
		return err
	}
	i.Version = &version
	if i.Identity, err = i.Toolchain.Identify(ctx, cache); err != nil {
		return err
	}
	if i.Spec, err = targetspec.Load(os.DirFS(s.Config.Targets()), s.Config.Target); err != nil {
		return err
	}
	i.Caps, err = i.Toolchain.Probe(ctx, run, i.Identity, i.Spec, cache)
	return err
}

// BuiltToolchains is where toolchains are built and kept.
func (s *Session) BuiltToolchains() rustbuild.Store {
	return rustbuild.Store{Dir: s.Config.BuiltToolchains()}
}

// ToolchainSources says where a toolchain may come from. The name of a toolchain that was built here is
// resolved once: another build of it, meanwhile, changes nothing for this run. While this process lives the toolchain is
// not collected.
func (s *Session) ToolchainSources() (toolchain.Sources, error) {
	from := toolchain.Sources{Directory: s.Config.Toolchain, Rustup: s.LookPath("rustup"), RustupHome: s.Config.RustupHome}
	store := s.BuiltToolchains()
	if s.Config.ToolchainName != "" {
		dir, err := store.Resolve(s.Config.ToolchainName)
		if err != nil {
			return from, err
		}
		from.Directory = dir
	}
	if s.UsedToolchain != nil || from.Directory == "" || !store.Has(from.Directory) {
		return from, nil
	}
	used, err := store.Use(from.Directory)
	s.UsedToolchain = used
	return from, err
}

// ManifestOf is the manifest of a toolchain that was built, here or elsewhere, or nil.
func ManifestOf(t *toolchain.Toolchain) *rustbuild.Manifest {
	if t == nil {
		return nil
	}
	m, err := rustbuild.ReadManifest(t.Dir)
	if err != nil {
		return nil
	}
	return m
}

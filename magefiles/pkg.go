//go:build mage

package main

import (
	"context"
	"os"

	"github.com/magefile/mage/mg"

	cmdpkg "github.com/pannous/redox-clif/internal/cmd/pkg"
	"github.com/pannous/redox-clif/internal/config"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/session"
)

// Pkg is packages: archives (pkgar), their repositories, and what is installed in a folder or an image.
type Pkg mg.Namespace

// Ls lists an archive, verified when a key is given.
func (Pkg) Ls(ctx context.Context, file string, key *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdpkg.Ls(ctx, s, file, text(key)) })
}

// Verify checks signature and data of an archive.
func (Pkg) Verify(ctx context.Context, file string, key *string) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdpkg.Verify(ctx, s, file, text(key)) })
}

// Extract unpacks an archive, all of it or nothing.
func (Pkg) Extract(ctx context.Context, file, dir string, key *string, insecure *bool) error {
	return run(config.Flags{}, func(s *session.Session) error {
		return cmdpkg.Extract(ctx, s, file, dir, text(key), isSet(insecure))
	})
}

// Create packs a recipe's staged tree as a signed archive.
func (Pkg) Create(ctx context.Context, name string, key, dir, out *string, lzma2, dryRun, offline *bool, j *int, set, backend *string) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline, Jobs: j, Set: set, Backend: backend}, func(s *session.Session) error {
		return cmdpkg.Create(ctx, s, name, cmdpkg.CreateFlags{Key: pkgKey(key), Dir: text(dir), Out: text(out), LZMA2: isSet(lzma2)})
	})
}

// Keygen makes a pair of keys to sign packages with.
func (Pkg) Keygen(dir string, passphrase *bool) error {
	return run(config.Flags{}, func(s *session.Session) error { return cmdpkg.Keygen(s, dir, isSet(passphrase), os.Stdin) })
}

// Fetch gets packages, and what they need, into the cache.
func (Pkg) Fetch(ctx context.Context, names string, repo, out *string, downgrade, dryRun, offline *bool) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline}, func(s *session.Session) error {
		return cmdpkg.Fetch(ctx, s, names, text(out), packages.Choice{Repo: text(repo), Downgrade: isSet(downgrade)})
	})
}

// Search lists the packages whose names contain a text.
func (Pkg) Search(ctx context.Context, substring string, repo *string, offline *bool) error {
	return run(config.Flags{Offline: offline}, func(s *session.Session) error {
		return cmdpkg.Search(ctx, s, substring, text(repo))
	})
}

// Info prints a package's description.
func (Pkg) Info(ctx context.Context, name string, repo *string, offline *bool) error {
	return run(config.Flags{Offline: offline}, func(s *session.Session) error { return cmdpkg.Info(ctx, s, name, text(repo)) })
}

// Tree prints what packages depend on.
func (Pkg) Tree(ctx context.Context, names string, repo *string, offline *bool) error {
	return run(config.Flags{Offline: offline}, func(s *session.Session) error { return cmdpkg.Tree(ctx, s, names, text(repo)) })
}

// Install installs packages and what they depend on.
func (Pkg) Install(ctx context.Context, names string, root, image, repo *string, force, downgrade, dryRun, offline *bool) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline}, func(s *session.Session) error {
		return cmdpkg.Install(ctx, s, names, pkgInstall(root, image, repo, force, downgrade))
	})
}

// Upgrade replaces installed packages by newer ones.
func (Pkg) Upgrade(ctx context.Context, root, image, repo *string, force, downgrade, dryRun, offline *bool) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline}, func(s *session.Session) error {
		return cmdpkg.Upgrade(ctx, s, pkgInstall(root, image, repo, force, downgrade))
	})
}

// Remove removes packages, and what only they needed.
func (Pkg) Remove(ctx context.Context, names string, root, image *string, force, dryRun *bool) error {
	return run(config.Flags{DryRun: dryRun}, func(s *session.Session) error {
		return cmdpkg.Remove(ctx, s, names, cmdpkg.SystemFlags{Root: text(root), Image: text(image)}, isSet(force))
	})
}

// Publish adds our packages to a signed repository.
func (Pkg) Publish(ctx context.Context, repository string, key, recipes, dir, name, version, depends *string, lzma2, dryRun, offline *bool, j *int, set, backend *string) error {
	return run(config.Flags{DryRun: dryRun, Offline: offline, Jobs: j, Set: set, Backend: backend}, func(s *session.Session) error {
		return cmdpkg.Publish(ctx, s, repository, cmdpkg.PublishFlags{Key: pkgKey(key), Recipes: text(recipes),
			Dir: text(dir), Name: text(name), Version: text(version), Depends: text(depends), LZMA2: isSet(lzma2)})
	})
}

func pkgKey(key *string) cmdpkg.Key { return cmdpkg.Key{Key: text(key), In: os.Stdin} }

func pkgInstall(root, image, repo *string, force, downgrade *bool) cmdpkg.InstallFlags {
	return cmdpkg.InstallFlags{SystemFlags: cmdpkg.SystemFlags{Root: text(root), Image: text(image)},
		Choice: packages.Choice{Repo: text(repo), Downgrade: isSet(downgrade)}, Force: isSet(force)}
}

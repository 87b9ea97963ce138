package packages

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session"
)

// Target is the name that repositories give to the target: packages do not depend on the compiler's backend.
func Target(s *session.Session) string { return strings.TrimSuffix(s.Config.Target, "-clif") }

// Arch is the architecture in the header of archives for the target.
func Arch(s *session.Session) pkgar.Arch {
	arch, _, _ := strings.Cut(s.Config.Target, "-")
	switch arch {
	case "aarch64":
		return pkgar.ArchAArch64
	case "x86_64":
		return pkgar.ArchX86_64
	case "i586", "i686":
		return pkgar.ArchX86
	case "riscv64gc":
		return pkgar.ArchRISCV64
	}
	return pkgar.ArchAny
}

// Archives are the packages in the cache: blobs of the store, with references that say which.
func Archives(s *session.Session) pkgrepo.Archives {
	return pkgrepo.Archives{Store: s.Store, Dir: s.Config.Packages()}
}

// JoinNames is a list of names for a line.
func JoinNames(names []pkgrepo.Name) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = string(n)
	}
	return strings.Join(words, ", ")
}

// CopyFile makes the file to a copy of another, as a whole or not at all.
func CopyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := renameio.NewPendingFile(to, renameio.WithPermissions(0o644), renameio.WithTempDir(filepath.Dir(to)))
	if err != nil {
		return err
	}
	defer func() { _ = out.Cleanup() }() // nothing after the replacement
	if _, err := out.ReadFrom(in); err != nil {
		return err
	}
	return out.CloseAtomicallyReplace()
}

package packages

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/symlink"
)

// libraryDirs are where the system's dynamic linker looks.
var libraryDirs = []string{"lib", "usr/lib"}

// Libraries tells which libraries the system has and keeps when packages come: what only an older version of one of them brought
// does not count.
func (sys *System) Libraries(coming []pkgrepo.Fetched) (have func(string) bool, err error) {
	r, err := sys.open()
	if err != nil {
		return nil, err
	}
	if r == nil {
		return func(string) bool { return false }, nil
	}
	defer r.Close()
	leaving, err := sys.filesOf(r, NamesOf(coming))
	if err != nil {
		return nil, err
	}
	there := staying(r, leaving)
	return func(library string) bool { return there[library] }, nil
}

// NamesOf are the names of packages, in their order.
func NamesOf(packages []pkgrepo.Fetched) []pkgrepo.Name {
	names := make([]pkgrepo.Name, len(packages))
	for i := range packages {
		names[i] = packages[i].Name
	}
	return names
}

// staying are the system's libraries without those of leaving, by base name.
func staying(r *os.Root, leaving map[string]bool) map[string]bool {
	there := map[string]bool{}
	for _, dir := range libraryDirs {
		dir, err := symlink.Resolve(symlink.In(r), dir) // /lib may be a link to /usr/lib
		if err != nil {
			continue // out of the system
		}
		entries, err := fs.ReadDir(r.FS(), dir)
		if err != nil {
			continue // not there
		}
		for _, e := range entries {
			if !leaving[path.Join(dir, e.Name())] {
				there[e.Name()] = true
			}
		}
	}
	return there
}

// filesOf are the paths of the installed versions of packages.
func (sys *System) filesOf(r *os.Root, packages []pkgrepo.Name) (map[string]bool, error) {
	paths := map[string]bool{}
	for _, name := range packages {
		file := pkgrepo.HeadFile(name)
		data, err := readFile(r, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sys.Name, err)
		}
		// It was verified when it was installed.
		head, err := pkgar.ReadHead(bytes.NewReader(data), int64(len(data)), pkgar.Options{Insecure: true})
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", sys.Name, file, err)
		}
		for _, e := range head.Entries {
			paths[e.Path] = true
		}
	}
	return paths, nil
}

// lostLibraryError: a program that stays needs a library that would go.
type lostLibraryError struct {
	file, library string
	owner         pkgrepo.Name // of the program; "" if it belongs to no package
}

func (e *lostLibraryError) Error() string {
	owner := "which belongs to no package"
	if e.owner != "" {
		owner = fmt.Sprintf("of package %s", e.owner)
	}
	return fmt.Sprintf("%s, %s, needs the library %s, which would go", e.file, owner, e.library)
}

// KeepsLibraries checks that every program that stays keeps its libraries when the installed versions of packages go and others
// bring the libraries of coming. All programs that would lose one are in the error.
func (sys *System) KeepsLibraries(ctx context.Context, gone []pkgrepo.Name, coming map[string]bool) error {
	r, err := sys.open()
	if r == nil || err != nil {
		return err
	}
	defer r.Close()
	leaving, err := sys.filesOf(r, gone)
	if err != nil {
		return err
	}
	there, lost := staying(r, leaving), map[string]bool{}
	for p := range leaving {
		if name := path.Base(p); slices.Contains(libraryDirs, path.Dir(p)) && !there[name] && !coming[name] {
			lost[name] = true
		}
	}
	if len(lost) == 0 {
		return nil
	}
	losing, err := programsOf(ctx, r, leaving, lost)
	if err != nil || len(losing) == 0 {
		return err
	}
	return sys.nameOwners(r, losing)
}

// programsOf finds the programs outside of leaving that need one of the libraries.
func programsOf(ctx context.Context, r *os.Root, leaving, libraries map[string]bool) ([]*lostLibraryError, error) {
	var found []*lostLibraryError
	err := fs.WalkDir(r.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || leaving[p] {
			return errors.Join(err, ctx.Err())
		}
		needed, err := neededBy(r, p)
		for _, name := range needed {
			if libraries[name] {
				found = append(found, &lostLibraryError{file: p, library: name})
			}
		}
		return err
	})
	return found, err
}

// neededBy lists the libraries that a file needs; none if it is no dynamic program.
func neededBy(r *os.Root, p string) ([]string, error) {
	f, err := r.Open(p)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var magic [len(elf.ELFMAG)]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil || string(magic[:]) != elf.ELFMAG {
		return nil, nil
	}
	program, err := elf.NewFile(f)
	if err != nil {
		return nil, nil // begins like a program and is none
	}
	names, err := program.DynString(elf.DT_NEEDED)
	if err != nil {
		return nil, nil // and neither does a damaged one start
	}
	return names, nil
}

// nameOwners completes the failures with the packages that have the programs.
func (sys *System) nameOwners(r *os.Root, losing []*lostLibraryError) error {
	state, err := sys.State()
	if err != nil {
		return err
	}
	for name := range state.Installed {
		files, err := sys.filesOf(r, []pkgrepo.Name{name})
		if err != nil {
			return err
		}
		for _, l := range losing {
			if files[l.file] {
				l.owner = name
			}
		}
	}
	var all *multierror.Error
	for _, l := range losing {
		all = multierror.Append(all, l)
	}
	return all
}

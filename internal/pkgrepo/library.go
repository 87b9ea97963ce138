package pkgrepo

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"github.com/pannous/redox-clif/internal/elfcheck"
	"github.com/pannous/redox-clif/internal/pkgar"
)

// LibraryDirs are where the system's dynamic linker looks.
func LibraryDirs() []string { return []string{"lib", "usr/lib"} }

// IsLibrary reports whether the dynamic linker would find the file p, a path in the system, by its base name.
func IsLibrary(p string) bool { return slices.Contains(LibraryDirs(), path.Dir(p)) }

// MissingLibraryError says that a program needs a library (DT_NEEDED) that would not be there.
type MissingLibraryError struct {
	Package Name
	File    string // the program
	Library string
	In      []Name // packages that have it
}

func (e *MissingLibraryError) Error() string {
	s := fmt.Sprintf("package %s: %s needs the library %s, which is not installed", e.Package, e.File, e.Library)
	if len(e.In) == 0 {
		return s + ", and no package has it"
	}
	return s + "; package " + strings.Trim(quoteList(e.In), "[]") + " has it"
}

// CheckLibraries resolves what every dynamic program of the packages needs, against these packages and what is installed: have
// reports whether there is a library of that name, and may be nil. Everything that is missing is in the error, each with the
// packages of the repositories that have it.
func (c *Client) CheckLibraries(ctx context.Context, fetched []Fetched, have func(library string) bool) error {
	provided := map[string]bool{}
	var needed []*MissingLibraryError
	for i := range fetched {
		if fetched[i].IsMeta() {
			continue
		}
		list, err := libraries(ctx, &fetched[i], provided)
		if err != nil {
			return fmt.Errorf("package %s: %w", fetched[i].Name, err)
		}
		needed = append(needed, list...)
	}
	needed = slices.DeleteFunc(needed, func(n *MissingLibraryError) bool { return provided[n.Library] || have != nil && have(n.Library) })
	if len(needed) == 0 {
		return nil
	}
	holders, err := c.Holders(ctx, needed)
	all := make([]error, 0, len(needed)+1)
	for _, n := range needed {
		n.In = holders[n.Library]
		all = append(all, n)
	}
	return joined(append(all, err))
}

// Libraries are the names of all libraries that packages bring. A package whose archive cannot be read brings none.
func Libraries(fetched []Fetched) map[string]bool {
	provided := map[string]bool{}
	for i := range fetched {
		if fetched[i].IsMeta() {
			continue
		}
		a, err := fetched[i].Open()
		if err != nil {
			continue
		}
		for j := range a.Entries {
			if IsLibrary(a.Entries[j].Path) {
				provided[path.Base(a.Entries[j].Path)] = true
			}
		}
		_ = a.Close() // it was only read
	}
	return provided
}

// libraries adds the libraries of a package to provided and lists what its programs need.
func libraries(ctx context.Context, f *Fetched, provided map[string]bool) ([]*MissingLibraryError, error) {
	a, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer a.Close()
	spool, err := os.CreateTemp("", "elf-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = spool.Close() }() // what it holds is of use only here
	// Nothing of it is left, however this process ends.
	if err := os.Remove(spool.Name()); err != nil {
		return nil, err
	}
	var list []*MissingLibraryError
	for i := range a.Entries {
		e := &a.Entries[i]
		if IsLibrary(e.Path) {
			provided[path.Base(e.Path)] = true
		}
		if e.IsLink() {
			continue
		}
		names, err := neededBy(ctx, a, i, spool)
		if err != nil {
			return nil, err
		}
		for _, library := range names {
			list = append(list, &MissingLibraryError{Package: f.Name, File: e.Path, Library: library})
		}
	}
	return list, nil
}

// errNotELF ends the unpacking of a file that is not a program.
var errNotELF = errors.New("not an ELF file")

// sniffer passes on ELF files only.
type sniffer struct {
	head []byte
	out  io.Writer
}

func (s *sniffer) Write(p []byte) (int, error) {
	if missing := len(elf.ELFMAG) - len(s.head); missing > 0 {
		s.head = append(s.head, p[:min(missing, len(p))]...)
		if !strings.HasPrefix(elf.ELFMAG, string(s.head)) {
			return 0, errNotELF
		}
	}
	return s.out.Write(p)
}

// neededBy lists the libraries that entry i needs; none if it is not a dynamic program. A program is unpacked to spool.
func neededBy(ctx context.Context, a *pkgar.Archive, i int, spool *os.File) ([]string, error) {
	if err := spool.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	s := &sniffer{out: spool}
	if err := a.WriteEntry(ctx, i, s); errors.Is(err, errNotELF) || err == nil && len(s.head) < len(elf.ELFMAG) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	size, err := spool.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	names, err := elfcheck.Needed(spool, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.Entries[i].Path, err)
	}
	return names, nil
}

// Holders finds the packages of all repositories that have the libraries, by their entry tables, which are kept in the cache.
// A package whose table cannot be had is in the error; the rest is found all the same.
func (c *Client) Holders(ctx context.Context, needed []*MissingLibraryError) (map[string][]Name, error) {
	wanted, holders := map[string]bool{}, map[string][]Name{}
	for _, n := range needed {
		wanted[n.Library] = true
	}
	indexes, err := c.Indexes(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, x := range indexes {
		var names []Name
		for _, name := range sortedKeys(x.Packages) {
			if n, err := ParseName(name); err == nil && x.Packages[name] != "" && !seen[name] {
				names = append(names, n)
				seen[name] = true
			}
		}
		heads, headErr := c.heads(ctx, c.repo(x.Repo), names, x.Packages)
		err = joined([]error{err, headErr})
		for i, head := range heads {
			if head == nil {
				continue
			}
			for j := range head.Entries {
				p := head.Entries[j].Path
				if library := path.Base(p); IsLibrary(p) && wanted[library] && !slices.Contains(holders[library], names[i]) {
					holders[library] = append(holders[library], names[i])
				}
			}
		}
	}
	return holders, err
}

// heads reads the heads of packages; one that fails is nil and in the error.
func (c *Client) heads(ctx context.Context, r *repo, names []Name, hashes map[string]string) ([]*pkgar.Head, error) {
	heads, failed := make([]*pkgar.Head, len(names)), make([]error, len(names))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, name := range names {
		group.Go(func() error {
			heads[i], failed[i] = c.head(ctx, r, name, hashes[string(name)])
			if failed[i] != nil {
				failed[i] = fmt.Errorf("entry table of package %s: %w", name, failed[i])
			}
			return nil
		})
	}
	_ = group.Wait() // failures are in failed, all of them
	return heads, joined(failed)
}

// head is the head of an archive: from the cache, or only as much of the archive as that.
func (c *Client) head(ctx context.Context, r *repo, name Name, blake3 string) (*pkgar.Head, error) {
	p := Package{Blake3: blake3}
	hash, err := p.TableHash()
	if err != nil {
		return nil, err
	}
	key, err := c.repoKey(ctx, r)
	if err != nil {
		return nil, err
	}
	w := &wanted{c: c, repo: r, name: name, hash: hash, key: key}
	cached := filepath.Join(c.config.CacheDir, "heads", w.base()+".pkgar_head")
	if data, err := os.ReadFile(cached); err == nil {
		if head, err := pkgar.ReadHead(bytes.NewReader(data), int64(len(data)), pkgar.Options{Key: &key}); err == nil && head.TableHash == hash {
			return head, nil
		}
	}
	if c.config.Offline {
		return nil, ErrOffline
	}
	// The connection is closed when the head is there.
	var head *pkgar.Head
	if err := c.downloads.Read(ctx, w.from(), func(r io.Reader) (err error) { head, err = w.head(r); return err }); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(cached), 0o755); err != nil {
		return nil, err
	}
	return head, renameio.WriteFile(cached, head.Marshal(), 0o644)
}

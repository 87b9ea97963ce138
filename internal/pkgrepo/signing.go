package pkgrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo/signedindex"
)

// signing makes the next signed index of a repository's target.
type signing struct {
	folder, target string
	key            pkgar.SecretKey
	before         *signedindex.Index // nil if there was none
	id             string             // of the repository
}

func openSigning(dir, target string, key pkgar.SecretKey) (*signing, error) {
	s := &signing{folder: filepath.Join(dir, target), target: target, key: key}
	before, err := indexIn(s.folder, target, key.Public())
	if err != nil {
		return nil, fmt.Errorf("%s: %w; put back the one that was there, or remove it: what the folder has is then signed as it is", s.file(), err)
	}
	s.before = before
	s.id, err = s.identity(dir)
	return s, err
}

func (s *signing) file() string { return filepath.Join(s.folder, signedindex.FileName) }

// indexIn is the signed index in the folder of a target, nil if there is none.
func indexIn(folder, target string, key pkgar.PublicKey) (*signedindex.Index, error) {
	data, err := os.ReadFile(filepath.Join(folder, signedindex.FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	x, _, err := verifyIndex(data, key, target)
	return x, err
}

// idFile has the identity of a repository, in its folder, for when its indexes are lost.
const idFile = ".id"

// identity is what the repository's indexes say, that of this target first, else its file, else a new one. It is the same from then on.
func (s *signing) identity(dir string) (string, error) {
	if s.before != nil && s.before.Repository != "" {
		return s.before.Repository, nil
	}
	others, err := globdir.In(dir, "*/"+signedindex.FileName)
	if err != nil {
		return "", err
	}
	for _, file := range others {
		folder := filepath.Dir(file)
		if x, err := indexIn(folder, filepath.Base(folder), s.key.Public()); err == nil && x != nil && x.Repository != "" {
			return x.Repository, nil
		}
	}
	file := filepath.Join(dir, idFile)
	if data, err := os.ReadFile(file); err == nil && signedindex.CheckID(strings.TrimSpace(string(data))) == nil {
		return strings.TrimSpace(string(data)), nil
	}
	id, err := signedindex.NewID()
	if err != nil {
		return "", err
	}
	return id, renameio.WriteFile(file, []byte(id+"\n"), 0o644)
}

// publish writes the index of what was published now and, of what the list has besides, of what is as the index before says. Without an
// index before, the rest is taken as it lies there: the folder is its owner's.
func (s *signing) publish(list []Published, names *Index, now time.Time) (*Publication, error) {
	done := &Publication{Packages: list, ID: s.id}
	x := &signedindex.Index{Target: s.target, Repository: s.id, Serial: s.serial(now), Date: signedindex.Date(now)}
	fresh := map[string]bool{}
	for i := range list {
		fresh[list[i].Name] = true
		x.Packages = append(x.Packages, s.since(indexed(&list[i].Package), x.Serial))
	}
	for _, name := range sortedKeys(names.Packages) {
		if fresh[name] {
			continue
		}
		p, adopted, err := s.kept(name, names.Packages[name])
		switch {
		case err != nil:
			return nil, fmt.Errorf("package %s: %w", name, err)
		case p == nil:
			done.Unlisted = append(done.Unlisted, Name(name))
			continue
		case adopted:
			done.Adopted = append(done.Adopted, Name(name))
		}
		x.Packages = append(x.Packages, s.since(*p, x.Serial))
	}
	done.Serial = x.Serial
	if s.same(x) {
		done.Serial = s.before.Serial
		return done, nil
	}
	data, err := x.Sign(s.key)
	if err != nil {
		return nil, err
	}
	_, err = writeChanged(s.file(), data)
	return done, err
}

// serial is higher than that of the index before, and than any that was signed before this moment by the same clock.
func (s *signing) serial(now time.Time) uint64 {
	next := uint64(max(1, now.Unix()))
	if s.before != nil {
		next = max(next, s.before.Serial+1)
	}
	return next
}

// since says from which index on a package is as it is.
func (s *signing) since(p signedindex.Package, serial uint64) signedindex.Package {
	p.Since = serial
	if s.before == nil {
		return p
	}
	if before := s.before.Find(p.Name); before != nil {
		if p.Since = before.Since; !equal(p, *before) {
			p.Since = serial
		}
	}
	return p
}

// same reports whether the index before says all that x does.
func (s *signing) same(x *signedindex.Index) bool {
	return s.before != nil && s.before.Repository == x.Repository && slices.EqualFunc(sortedPackages(x), s.before.Packages, equal)
}

func equal(a, b signedindex.Package) bool {
	depends := slices.Equal(a.Depends, b.Depends)
	a.Depends, b.Depends = nil, nil
	return depends && reflect.DeepEqual(a, b)
}

func sortedPackages(x *signedindex.Index) []signedindex.Package {
	return slices.SortedFunc(slices.Values(x.Packages), func(a, b signedindex.Package) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
}

// kept is what the index says of a package that was published earlier; nil if somebody else put it there or changed it since.
func (s *signing) kept(name, table string) (p *signedindex.Package, adopted bool, err error) {
	if s.before != nil {
		if p = s.before.Find(name); p == nil || p.Table != table {
			return nil, false, nil
		}
		return p, false, nil
	}
	p, err = s.adopt(name, table)
	return p, p != nil, err
}

// adopt reads the description and the archive of a package that no index vouches for; nil if they are not sound.
func (s *signing) adopt(name, table string) (*signedindex.Package, error) {
	if _, err := ParseName(name); err != nil {
		return nil, nil
	}
	data, err := os.ReadFile(filepath.Join(s.folder, name+".toml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p, err := ParsePackage(data)
	if err != nil || p.Name != name || p.Target != s.target || p.Blake3 != table {
		return nil, nil
	}
	if !p.IsMeta() {
		if err := s.adoptArchive(p); err != nil {
			return nil, nil
		}
	}
	one := indexed(p)
	return &one, nil
}

// adoptArchive checks the head of an archive and fills in its digest. Its data is what the digest says from now on.
func (s *signing) adoptArchive(p *Package) error {
	file, key := filepath.Join(s.folder, p.Name+".pkgar"), s.key.Public()
	a, err := pkgar.OpenFile(file, pkgar.Options{Key: &key})
	if err != nil {
		return err
	}
	defer a.Close()
	if a.TableHash.String() != p.Blake3 {
		return errors.New("the archive is another one")
	}
	p.NetworkSize = uint64(a.FileSize())
	p.Archive, err = fileSum(file)
	return err
}

// Package trust remembers what was seen of package repositories, so that nobody who only answers for one can take it back: its key, the
// serial of its signed index, the versions and archives of its packages, and which key signs the packages of a name.
//
// It owns the files with that memory, which outlive damage, and the judgement whether what is offered now goes back behind it. It must not
// know how repositories are read nor what a signature is: keys and digests are text here.
package trust

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/pannous/redox-clif/internal/pkgversion"
)

// Store is the folder with the memory of all repositories. Several processes may use it.
type Store struct{ Dir string }

// Repository is what is remembered of one repository.
type Repository struct {
	Key   string    `json:"key,omitempty"` // in hexadecimal, as first seen; "" if it was always given
	Since time.Time `json:"since,omitzero"`
	// Indexes are the signed indexes seen, by place and target.
	Indexes map[string]Index `json:"indexes,omitempty"`
	// IDs are the identities that its signed indexes have, by place and key with a space between.
	IDs map[string]string `json:"ids,omitempty"`
	// Packages are those of a repository without a signed index, by target and name with a slash between.
	Packages map[string]Package `json:"packages,omitempty"`
}

// Index is the newest signed index that was seen.
type Index struct {
	Key    string `json:"key"`
	ID     string `json:"id,omitempty"` // of the repository, "" in indexes of earlier versions
	Serial uint64 `json:"serial"`
	Digest string `json:"digest"` // of its signed bytes
}

// Package is a package of which no index vouches for anything but its archive.
type Package struct {
	Key     string   `json:"key"`              // that signed it; with another one everything begins anew
	Version string   `json:"version"`          // the highest seen
	Table   string   `json:"table"`            // the entry table of its archive
	Before  []string `json:"before,omitempty"` // tables that it had before, the newest last
}

// maxBefore bounds how many archives of a package are remembered.
const maxBefore = 256

// File is where a repository's memory lies; beside it a copy.
func (s Store) File(repo string) string {
	name := url.PathEscape(repo)
	if len(name) > maxName {
		name = fmt.Sprintf("%s-%x", name[:maxName], sha256.Sum256([]byte(repo)))
	}
	return filepath.Join(s.Dir, "repo-"+name+".json")
}

// maxName bounds what of a repository's name is in that of its file, which has to stay below 255 bytes.
const maxName = 120

// Copy is the second copy of a file of the store.
func Copy(path string) string { return path + copySuffix }

// Repository is the memory of a repository; the zero value if it was never seen.
func (s Store) Repository(repo string) (Repository, error) {
	var r Repository
	return r, file(s.File(repo)).load(&r)
}

// Update changes the memory of a repository; on an error of change it stays as it is.
func (s Store) Update(ctx context.Context, repo string, change func(*Repository) error) error {
	var r Repository
	return file(s.File(repo)).update(ctx, &r, func() error { return change(&r) })
}

// IndexProblem says why an index is not believed.
type IndexProblem string

// The problems of an index that is signed as it has to be.
const (
	Another   IndexProblem = "it is that of another repository with the same key"
	Fell      IndexProblem = "its serial fell"
	Different IndexProblem = "it has other content than the index of the same serial that was seen before"
)

// CheckIndex compares an index for a target with what was seen in that place; "" if nothing speaks against it. With another key, which the
// caller has reason to trust, everything begins anew.
func (r *Repository) CheckIndex(place, target string, x Index) IndexProblem {
	if id := r.IDs[place+" "+x.Key]; id != "" && id != x.ID {
		return Another
	}
	seen, ok := r.Indexes[place+" "+target]
	switch {
	case !ok || seen.Key != x.Key || x.Serial > seen.Serial:
		return ""
	case x.Serial < seen.Serial:
		return Fell
	case x.Digest != seen.Digest:
		return Different
	}
	return ""
}

// SawIndex remembers an index. The highest serial stays.
func (r *Repository) SawIndex(place, target string, x Index) {
	if x.ID != "" {
		if r.IDs == nil {
			r.IDs = map[string]string{}
		}
		r.IDs[place+" "+x.Key] = x.ID
	}
	at := place + " " + target
	if seen, ok := r.Indexes[at]; ok && seen.Key == x.Key && seen.Serial >= x.Serial {
		return
	}
	if r.Indexes == nil {
		r.Indexes = map[string]Index{}
	}
	r.Indexes[at] = x
}

// PackageError says that a package is not believed, since no index is there to vouch for what differs from what was seen before.
type PackageError struct{ Name, Problem string }

func (e *PackageError) Error() string { return fmt.Sprintf("package %s: %s", e.Name, e.Problem) }

// Offer is a package as a repository has it now.
type Offer struct{ Target, Name, Key, Version, Table string }

func (o Offer) at() string { return o.Target + "/" + o.Name }

// CheckOrder refuses a version or an archive of a package that was followed by a newer one before.
func (r *Repository) CheckOrder(o Offer) error {
	seen, ok := r.Packages[o.at()]
	if !ok || seen.Key != o.Key {
		return nil
	}
	if o.Table == "" {
		return &PackageError{o.Name, fmt.Sprintf("a metapackage is offered, which would take away the files of version %s", seen.Version)}
	}
	if pkgversion.Older(o.Version, seen.Version) {
		return &PackageError{o.Name, fmt.Sprintf("version %s is offered, and %s was seen before", o.Version, seen.Version)}
	}
	if o.Table != seen.Table && slices.Contains(seen.Before, o.Table) {
		return &PackageError{o.Name, fmt.Sprintf("an archive is offered (version %s) that was followed by another one before (version %s)", o.Version, seen.Version)}
	}
	return nil
}

// CheckName refuses an archive that was seen as another package's.
func (r *Repository) CheckName(o Offer) error {
	for key, p := range r.Packages {
		if key != o.at() && (p.Table == o.Table || slices.Contains(p.Before, o.Table)) {
			return &PackageError{o.Name, fmt.Sprintf("its archive was seen before as that of %s: one archive does not serve two names", key)}
		}
	}
	return nil
}

// SawPackage remembers a package whose archive was verified. What is older than what was seen before changes nothing.
func (r *Repository) SawPackage(o Offer) {
	if r.CheckOrder(o) != nil {
		return
	}
	if r.Packages == nil {
		r.Packages = map[string]Package{}
	}
	seen, ok := r.Packages[o.at()]
	next := Package{Key: o.Key, Version: o.Version, Table: o.Table, Before: seen.Before}
	if ok && seen.Table != o.Table {
		next.Before = append(slices.Clone(seen.Before), seen.Table)
		next.Before = next.Before[max(0, len(next.Before)-maxBefore):]
	}
	r.Packages[o.at()] = next
}

// Name is who was the first to have a package of a name.
type Name struct {
	Key   string    `json:"key"`
	Repo  string    `json:"repo"`
	Since time.Time `json:"since"`
}

// NamesFile is where the keys of names lie; beside it a copy.
func (s Store) NamesFile() string { return filepath.Join(s.Dir, "names.json") }

// Names are the keys that packages came from, by target and name with a slash between.
func (s Store) Names() (map[string]Name, error) {
	names := map[string]Name{}
	return names, file(s.NamesFile()).load(&names)
}

// UpdateNames changes the keys of names; on an error of change they stay as they are.
func (s Store) UpdateNames(ctx context.Context, change func(map[string]Name) error) error {
	names := map[string]Name{}
	return file(s.NamesFile()).update(ctx, &names, func() error { return change(names) })
}

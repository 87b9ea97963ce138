package pkgrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/globdir"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo/signedindex"
	"github.com/pannous/redox-clif/internal/secretkey"
)

// Publishing is one package to publish.
type Publishing struct {
	Name    Name
	Version string
	// Tree is the folder with the package's files. Empty makes a metapackage, which has no version either.
	Tree      string
	Arch      pkgar.Arch
	Packaging pkgar.Packaging
	Depends   []Name
	Source    Source
}

// Published says what was written.
type Published struct {
	Package
	Changed   bool     // false if the same archive and description were there already
	EmptyDirs []string // folders that the archive cannot record
}

// Publication says what Publish did.
type Publication struct {
	Packages []Published
	Serial   uint64 // of the signed index
	ID       string // of the repository, in its signed index
	// Adopted are packages that others had put into a repository without a signed index, and that the index vouches for now.
	Adopted []Name
	// Unlisted are packages of the list that the signed index does not have, since others added or changed them after it was signed.
	Unlisted []Name
}

// Publish adds packages to the repository in the folder dir, for one target, and makes the repository if there is none. The
// files are static: any web server can offer dir. Packages published before stay; one of the same name is replaced. A
// repository that has another key is not touched.
//
// Archives are written first, then descriptions, then the list, then the signed index, each by renaming. A client that reads in
// between sees an archive that does not fit its description, which it refuses and can fetch again. now is the date of the index, and
// the lowest serial that it can have, so that one that was lost is followed by a higher one.
func Publish(ctx context.Context, dir, target string, key pkgar.SecretKey, now time.Time, packages []Publishing) (*Publication, error) {
	if err := checkPublishing(target, key, packages); err != nil {
		return nil, err
	}
	folder := filepath.Join(dir, target)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	lock, err := lockfile.Wait(ctx, filepath.Join(dir, ".lock"), func() {})
	if err != nil {
		return nil, fmt.Errorf("lock the repository: %w", err)
	}
	defer lock.Release()
	if err := errors.Join(sweepPublished(folder), noSecrets(dir)); err != nil {
		return nil, err
	}
	if err := publishKey(filepath.Join(dir, KeyFile), key.Public()); err != nil {
		return nil, err
	}
	index, err := readIndex(filepath.Join(folder, "repo.toml"))
	if err != nil {
		return nil, err
	}
	if err := caseConflicts(index, packages); err != nil {
		return nil, err
	}
	signing, err := openSigning(dir, target, key)
	if err != nil {
		return nil, err
	}
	list := make([]Published, len(packages))
	for i, p := range packages {
		if list[i], err = publishArchive(ctx, folder, target, key, p); err != nil {
			return nil, fmt.Errorf("package %s: %w", p.Name, err)
		}
	}
	for i := range list {
		if err := publishDescription(folder, &list[i]); err != nil {
			return nil, fmt.Errorf("package %s: %w", list[i].Name, err)
		}
		index.Packages[list[i].Name] = list[i].Blake3
		delete(index.Outdated, list[i].Name)
	}
	if _, err = writeChanged(filepath.Join(folder, "repo.toml"), index.TOML()); err != nil {
		return nil, err
	}
	return signing.publish(list, index, now)
}

// caseConflicts refuses a name that differs from a published one in case only: where a file system tells no case, one would take the
// other's place.
func caseConflicts(index *Index, packages []Publishing) error {
	var bad []error
	for other := range index.Packages {
		for _, p := range packages {
			if string(p.Name) != other && strings.EqualFold(string(p.Name), other) {
				bad = append(bad, fmt.Errorf("package %s differs in case only from %s, which is there", p.Name, other))
			}
		}
	}
	return joined(bad)
}

// noSecrets refuses a repository with a secret key in it, of whatever name: all of the folder is offered to everybody.
func noSecrets(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return secretkey.CheckFile(path)
	})
}

// sweepPublished removes what a killed run left half-written; the repository is locked.
func sweepPublished(folder string) error {
	for _, pattern := range []string{"*.pkgar" + newSuffix, ".*.pkgar" + newSuffix + "-*", ".*.toml[0-9]*", "." + signedindex.FileName + "[0-9]*"} {
		left, err := globdir.In(folder, pattern)
		if err != nil {
			return err
		}
		for _, file := range left {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// newSuffix ends the name of an archive that may replace a published one.
const newSuffix = ".new"

func checkPublishing(target string, key pkgar.SecretKey, packages []Publishing) error {
	if key.IsZero() {
		return errors.New("no secret key to sign with")
	}
	if target == "" || target != filepath.Base(target) || target == "." || target == ".." {
		return fmt.Errorf("target %q is not a name", target)
	}
	seen, folded := map[Name]bool{}, map[string]Name{}
	var bad []error
	for _, p := range packages {
		if _, err := ParseName(string(p.Name)); err != nil {
			bad = append(bad, err)
		}
		for _, d := range p.Depends {
			if _, err := ParseName(string(d)); err != nil {
				bad = append(bad, fmt.Errorf("package %s: depends: %w", p.Name, err))
			}
		}
		other, ok := folded[strings.ToLower(string(p.Name))]
		folded[strings.ToLower(string(p.Name))] = p.Name
		switch {
		case ok && other != p.Name:
			bad = append(bad, fmt.Errorf("packages %s and %s differ in case only", other, p.Name))
		case seen[p.Name]:
			bad = append(bad, fmt.Errorf("package %s is there twice", p.Name))
		case p.Tree == "" && p.Version != "":
			bad = append(bad, fmt.Errorf("package %s has a version and no files", p.Name))
		case p.Tree != "" && p.Version == "":
			bad = append(bad, fmt.Errorf("package %s has files and no version, which clients take for a metapackage", p.Name))
		}
		seen[p.Name] = true
	}
	return joined(bad)
}

func publishKey(file string, key pkgar.PublicKey) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return renameio.WriteFile(file, key.TOML(), 0o644)
	}
	if err != nil {
		return err
	}
	old, err := pkgar.ParsePublicKey(data)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if old != key {
		return fmt.Errorf("%s: repository has the key %v, not %v: its clients would refuse the packages", file, old, key)
	}
	return nil
}

func readIndex(file string) (*Index, error) {
	index := &Index{}
	data, err := os.ReadFile(file)
	if err == nil {
		index, err = ParseIndex(data)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if index.Packages == nil {
		index.Packages = map[string]string{}
	}
	return index, nil
}

func publishArchive(ctx context.Context, folder, target string, key pkgar.SecretKey, p Publishing) (Published, error) {
	out := Published{Package: Package{Name: string(p.Name), Version: p.Version, Target: target, Source: p.Source, Depends: p.Depends}}
	if p.Tree == "" {
		return out, nil
	}
	file := filepath.Join(folder, string(p.Name)+".pkgar")
	fresh := file + newSuffix
	result, err := pkgar.CreateFile(ctx, fresh, p.Tree, pkgar.CreateOptions{Key: key, Arch: p.Arch, Packaging: p.Packaging})
	if err != nil {
		return out, err
	}
	out.Blake3 = result.Head.TableHash.String()
	out.StorageSize, out.NetworkSize = uint64(result.Bytes), uint64(result.Head.FileSize())
	out.EmptyDirs = result.EmptyDirs
	if out.Archive, err = fileSum(fresh); err != nil {
		return out, err
	}
	if sum, err := fileSum(file); err == nil && sum == out.Archive && sameHead(file, result.Head) {
		return out, os.Remove(fresh)
	}
	out.Changed = true
	return out, os.Rename(fresh, file)
}

// sameHead reports whether the file is an archive with the same head and length, hence with the same data.
func sameHead(file string, head *pkgar.Head) bool {
	key := head.PublicKey
	old, err := pkgar.OpenFile(file, pkgar.Options{Key: &key})
	if err != nil {
		return false
	}
	defer old.Close()
	return bytes.Equal(old.Head.Marshal(), head.Marshal())
}

func publishDescription(folder string, p *Published) error {
	changed, err := writeChanged(filepath.Join(folder, p.Name+".toml"), p.TOML())
	p.Changed = p.Changed || changed
	return err
}

// writeChanged leaves a file alone that has the content already, so that its time keeps telling when it changed.
func writeChanged(file string, data []byte) (bool, error) {
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, data) {
		return false, nil
	}
	return true, renameio.WriteFile(file, data, 0o644)
}

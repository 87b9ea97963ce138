// Package crates makes what a Cargo.lock names a folder that cargo takes the crates from, in place of the network.
//
// It owns the form of such a folder (one directory source of cargo's for each source that the lock names, and the
// configuration that puts them in the place of these sources), which crates of a lock a build needs, and what stands for
// one that it does not need. It must not know where crates come from, run anything, or know recipes and steps.
//
// The folder:
//
//	config.toml                   for `cargo --config`; its paths are relative to the folder around this one
//	registry/NAME-VERSION/        crates of the registry; registry-…/ those of another one
//	git/REPOSITORY-COMMIT/tree/   a repository
//	git/REPOSITORY-COMMIT/crates/ links to the packages in it
//
// Sources of the facts: the Cargo reference (source replacement, the lock file, `cargo metadata`) and cargo's own reader of
// directory sources (src/sources/directory.rs) as of 1.94: it reads the manifest of every package of the lock, and the files
// only of those that are compiled.
package crates

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Crate is a package of a registry.
type Crate struct {
	Name, Version string
	Source        string // as Cargo.lock writes it
	SHA256        string // of the .crate file, lower-case hex
}

// Repository is a git source: one commit.
type Repository struct {
	Source   string // as Cargo.lock writes it, without the commit
	URL      string
	Commit   string
	Packages []Package // that are taken from it
}

// Package is one that is taken from a repository.
type Package struct{ Name, Version string }

// Lock is what a Cargo.lock takes from elsewhere.
type Lock struct {
	Crates       []Crate
	Repositories []Repository
}

// Sources as Cargo.lock writes the registry that is meant when none is named.
var cratesIO = []string{"registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"}

// ReadLock reads a Cargo.lock of any version.
func ReadLock(text []byte) (*Lock, error) {
	var raw struct {
		Package []struct {
			Name, Version, Source, Checksum string
		}
		Metadata map[string]any // of version 1: the checksums
	}
	if err := toml.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("Cargo.lock: %w", err)
	}
	lock := &Lock{}
	repositories := map[string]int{}
	for _, p := range raw.Package {
		if !isFileName(p.Name) || !isFileName(p.Version) {
			return nil, fmt.Errorf("Cargo.lock: %q %q is no name and version of a package", p.Name, p.Version)
		}
		source, commit, _ := strings.Cut(p.Source, "#")
		switch {
		case p.Source == "":
		case strings.HasPrefix(source, "git+"):
			at, known := repositories[p.Source]
			if !known {
				at = len(lock.Repositories)
				repositories[p.Source] = at
				where, _, _ := strings.Cut(strings.TrimPrefix(source, "git+"), "?")
				lock.Repositories = append(lock.Repositories, Repository{Source: source, URL: where, Commit: commit})
			}
			lock.Repositories[at].Packages = append(lock.Repositories[at].Packages, Package{p.Name, p.Version})
		default:
			sum, _ := raw.Metadata[fmt.Sprintf("checksum %s %s (%s)", p.Name, p.Version, p.Source)].(string)
			c := Crate{p.Name, p.Version, p.Source, cmp.Or(p.Checksum, sum)}
			if !checksum.MatchString(c.SHA256) {
				return nil, fmt.Errorf("Cargo.lock has no checksum of %s %s: `cargo update --workspace` writes it", c.Name, c.Version)
			}
			lock.Crates = append(lock.Crates, c)
		}
	}
	return lock, nil
}

// Mended tells why a Cargo.lock cannot be what cargo made of another one by dropping what is not needed, nil when it can: no package may
// be new, or another. A checksum that is not known before may come.
func Mended(before, after []byte) error {
	var b, a struct {
		Package []struct{ Name, Version, Source, Checksum string }
	}
	if err := errors.Join(toml.Unmarshal(before, &b), toml.Unmarshal(after, &a)); err != nil {
		return err
	}
	known := map[[3]string]string{}
	for _, p := range b.Package {
		known[[3]string{p.Name, p.Version, p.Source}] = p.Checksum
	}
	for _, p := range a.Package {
		sum, ok := known[[3]string{p.Name, p.Version, p.Source}]
		if p.Source != "" && (!ok || sum != "" && sum != p.Checksum) {
			return fmt.Errorf("%s %s is not the one that was locked", p.Name, p.Version)
		}
	}
	return nil
}

var (
	checksum = regexp.MustCompile(`^[0-9a-f]{64}$`)
	fileName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*$`)
)

// isFileName tells of a name of a lock, which may be anybody's text, whether it can be part of a path.
func isFileName(text string) bool { return fileName.MatchString(text) }

// Folder is where a crate has its place, a slash path.
func (c Crate) Folder() string { return path.Join(registryFolder(c.Source), c.Name+"-"+c.Version) }

func registryFolder(source string) string {
	if slices.Contains(cratesIO, source) {
		return "registry"
	}
	return "registry-" + short(source)
}

// Folder is where a repository has its place, a slash path.
func (r Repository) Folder() string {
	name := "repository"
	if u, err := url.Parse(r.URL); err == nil {
		if base := strings.TrimSuffix(path.Base(u.Path), ".git"); isFileName(base) {
			name = base
		}
	}
	return path.Join("git", name+"-"+short(r.URL+"#"+r.Commit))
}

// short is enough of a digest to tell a few names apart.
func short(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}

// Package source brings a recipe's source to this machine and writes it out as
// a plain tree.
//
// It owns the kinds of source, the user's overrides and mirrors, the local
// store of what was fetched, and the verification of all of it: a commit by
// git itself, an archive by its SHA-256 or BLAKE3, a crate by its SHA-256, always
// before anything is visible under its final name. It must not know recipes, patches or how
// trees are hashed; it reads no environment and prints nothing.
//
// What is fetched is identified by its content, so a mirror changes nothing
// about a source's identity, while an override does.
package source

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/git"
)

// Source is one of Git, Archive, Crate and Path.
type Source interface {
	// Validate returns all faults at once.
	Validate() error
	// String is short and for people.
	String() string
}

var (
	_ Source = Git{}
	_ Source = Archive{}
	_ Source = Crate{}
	_ Source = Path("")
)

// Git is a repository at a full commit.
type Git struct {
	URL    string // see git.CheckURL
	Commit string // 40 lower-case hex digits: a shorter name may mean another commit tomorrow
	// Submodules by their slash path in the tree. They are explicit: what the
	// tree's own .gitmodules says is not followed.
	Submodules map[string]Git
}

// Archive is a tar file: plain or compressed with gzip, bzip2 or xz.
type Archive struct {
	URL    string // http, https or a local file
	SHA256 string // lower-case hex, of the file as downloaded
	Blake3 string // the same, in place of SHA256 or beside it
	Strip  int    // leading path components dropped
}

// Crate is a package of the crate registry.
type Crate struct {
	Name, Version string
	SHA256        string // lower-case hex, of the .crate file: Cargo.lock's checksum
}

// Path is a folder on this machine.
type Path string

var (
	commitHex = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sumHex    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	crateName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)
	version   = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*$`)
)

// Validate implements Source.
func (g Git) Validate() error {
	var faults *multierror.Error
	if err := git.CheckURL(g.URL); err != nil {
		faults = multierror.Append(faults, fmt.Errorf("git = %w", err))
	}
	if !commitHex.MatchString(g.Commit) {
		faults = multierror.Append(faults, fmt.Errorf("commit = %q must be a full commit, 40 lower-case hex digits", g.Commit))
	}
	for _, at := range g.submodulePaths() {
		sub := g.Submodules[at]
		if err := checkPath(at); err != nil {
			faults = multierror.Append(faults, fmt.Errorf("submodule: %w", err))
		}
		if err := sub.Validate(); err != nil {
			for _, fault := range multierror.Append(nil, err).Errors {
				faults = multierror.Append(faults, fmt.Errorf("submodule %s: %w", at, fault))
			}
		}
	}
	return faults.ErrorOrNil()
}

// Validate implements Source.
func (a Archive) Validate() error {
	var faults *multierror.Error
	if a.URL == "" {
		faults = multierror.Append(faults, errors.New("archive is no URL"))
	}
	if err := a.digests().validate(); err != nil {
		faults = multierror.Append(faults, err)
	}
	if a.Strip < 0 {
		faults = multierror.Append(faults, fmt.Errorf("strip = %d is negative", a.Strip))
	}
	return faults.ErrorOrNil()
}

// Validate implements Source.
func (c Crate) Validate() error {
	var faults *multierror.Error
	if !crateName.MatchString(c.Name) {
		faults = multierror.Append(faults, fmt.Errorf("crate = %q is no crate name", c.Name))
	}
	if !version.MatchString(c.Version) {
		faults = multierror.Append(faults, fmt.Errorf("version = %q must be a full version", c.Version))
	}
	if !sumHex.MatchString(c.SHA256) {
		faults = multierror.Append(faults, fmt.Errorf("sha256 = %q must be 64 lower-case hex digits", c.SHA256))
	}
	return faults.ErrorOrNil()
}

// Validate implements Source.
func (p Path) Validate() error {
	if p == "" {
		return errors.New("path is empty")
	}
	return nil
}

func (g Git) String() string     { return g.URL + " at " + g.Commit[:min(12, len(g.Commit))] }
func (a Archive) String() string { return a.URL }
func (c Crate) String() string   { return "crate " + c.Name + " " + c.Version }
func (p Path) String() string    { return string(p) }

func (g Git) submodulePaths() []string {
	paths := make([]string, 0, len(g.Submodules))
	for p := range g.Submodules {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	return paths
}

// checkPath accepts clean relative slash paths that stay inside a tree.
func checkPath(name string) error {
	switch {
	case name == "" || name == "." || strings.ContainsRune(name, 0) || !filepath.IsLocal(filepath.FromSlash(name)):
		return fmt.Errorf("path %q leaves the tree", name)
	case path.Clean(name) != name:
		return fmt.Errorf("path %q is not clean, write %q", name, path.Clean(name))
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.EqualFold(part, ".git") {
			return fmt.Errorf("path %q is git's own", name)
		}
	}
	return nil
}

// Package cargoedit fits a Cargo workspace of somebody else's to a build that
// has its sources as folders: git dependencies become paths, registry versions
// or nothing, members that are not wanted go, and Cargo.lock follows.
//
// It owns which tables of a manifest hold dependencies, and the text of
// Cargo.lock. It must not know where replacements come from, run cargo, or
// touch anything but Cargo.toml and Cargo.lock files in a tree that was
// materialised for the build. It exists because cargo's own [patch] still asks
// an unreachable source, and because cargo resolves a whole workspace however
// few packages are built.
//
// Sources of the format facts: the Cargo reference (manifest, workspaces,
// overriding dependencies) and, for Cargo.lock versions 3 and 4, what cargo
// 1.94 writes: packages by name, version and source; a dependency is "name",
// with the version when the name is not unique, with the source when that is
// not unique either; no source means a path.
package cargoedit

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/google/renameio/v2"
)

// Replacement puts something in the place of every dependency on a git URL.
// Exactly one of Dir, Version and Remove is given.
type Replacement struct {
	URL string // compared without "git+", ".git", trailing slash, query and fragment

	// Dir is a folder that holds the crates, at any depth; the crate is found
	// by its package name.
	Dir string
	// As is where cargo will see Dir: a slash path relative to the tree's root,
	// such as "../deps/relibc". Empty: Dir itself, relative to the tree.
	As string

	Version string // exact version of the crate registry
	Remove  bool   // the dependency, its features, or the [patch] entry goes
}

// Edit is one changed key of a manifest.
type Edit struct {
	File string // slash path in the tree
	Key  string // "dependencies.redox-rt"
	From string // what was there: a git URL, "member", "patch"
	To   string // a path, "=1.2.3", or "" when it went
}

// LockChange is one package of a Cargo.lock that went or changed its source.
type LockChange struct {
	File string // slash path in the tree
	Name string
	From string // "0.1.0 git+https://…#…"
	To   string // "0.1.0" (a path), "0.36.7 registry+…", or "" when it went
}

// Report says what was changed, in a fixed order, for people and for digests.
// Paths are relative to the folder that the function was given.
type Report struct {
	Edits []Edit
	Lock  []LockChange
	// Resolve lists why a Cargo.lock cannot be right as it stands. Without an
	// entry for its file, cargo takes it with --locked. Otherwise cargo has to
	// write it once: `cargo update --workspace --offline` keeps every locked
	// version it can and drops what is not needed.
	Resolve []Reason
}

// Reason is why a Cargo.lock has to be written by cargo.
type Reason struct {
	File string // slash path in the tree
	Why  string
}

// NeedsResolve says whether cargo has to rewrite that Cargo.lock ("Cargo.lock",
// "bootstrap/Cargo.lock").
func (r *Report) NeedsResolve(file string) bool {
	return slices.ContainsFunc(r.Resolve, func(reason Reason) bool { return reason.File == file })
}

// Empty says whether nothing was changed.
func (r *Report) Empty() bool { return len(r.Edits)+len(r.Lock) == 0 }

// Add appends another report, of a later edit of the same tree.
func (r *Report) Add(other *Report) {
	r.Edits = append(r.Edits, other.Edits...)
	r.Lock = append(r.Lock, other.Lock...)
	r.Resolve = append(r.Resolve, other.Resolve...)
}

func (r Replacement) validate() error {
	n := 0
	for _, given := range []bool{r.Dir != "", r.Version != "", r.Remove} {
		if given {
			n++
		}
	}
	if n != 1 || r.URL == "" {
		return fmt.Errorf("replacement of %q: exactly one of a folder, a version and removal is needed", r.URL)
	}
	return nil
}

// files lists the files of that name below root as slash paths, without
// cargo's target folders and git's.
func files(root, name string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			isTarget := d.Name() == "target" && exists(filepath.Join(filepath.Dir(p), "Cargo.toml"))
			if p != root && (d.Name() == ".git" || isTarget) {
				return fs.SkipDir
			}
			return nil
		}
		if d.Name() == name && d.Type().IsRegular() {
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			found = append(found, filepath.ToSlash(rel))
		}
		return nil
	})
	sort.Strings(found)
	return found, err
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// writeFile replaces a file by renaming, so that a hard link into a store
// keeps its content.
func writeFile(name string, data []byte) error { return renameio.WriteFile(name, data, 0o644) }

// crate is a package found in a replacement's folder.
type crate struct {
	dir     string // slash path below the folder
	version string
	err     error // why the version is not known
	deps    []dependency
}

// crates indexes the packages below a folder by name. Of two with one name the
// one nearer to the top counts: copies further down are test data or vendored.
func crates(dir string) (map[string]crate, error) {
	names, err := files(dir, manifestName)
	if err != nil {
		return nil, err
	}
	sort.SliceStable(names, func(i, j int) bool { return strings.Count(names[i], "/") < strings.Count(names[j], "/") })
	found := map[string]crate{}
	for _, name := range names {
		m, err := readManifest(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			continue // test data; if it is asked for, it will be missing
		}
		pkg := m.packageName()
		if _, ok := found[pkg]; ok || pkg == "" {
			continue
		}
		version, err := m.version(dir)
		found[pkg] = crate{dir: path.Dir(name), version: version, err: err, deps: m.dependencies()}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no Cargo package", dir)
	}
	return found, nil
}

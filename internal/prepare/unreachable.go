package prepare

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/pannous/redox-clif/internal/cargoedit"
	"github.com/pannous/redox-clif/internal/cas"
)

// unreachable lists the folders in the _deps of a workspace that are of packages which nothing in the workspace
// needs, as slash paths relative to its root: of relibc, programs use redox-rt and not the C library's thousands
// of files. Beside the packages that are needed, a list leaves the folders that belong to no package, and
// the manifests and single files on the way to them (a workspace's inherited keys, a README that
// a crate's documentation includes).
func unreachable(root string) ([]string, error) {
	deps := filepath.Join(root, cargoedit.DepsFolder)
	if _, err := os.Stat(deps); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	reachable, err := cargoedit.Reach(root, nil)
	if err != nil {
		return nil, err
	}
	needed, around := map[string]bool{}, map[string]bool{}
	for _, dir := range reachable {
		needed[dir] = true
		for up := path.Dir(dir); up != "."; up = path.Dir(up) {
			around[up] = true
		}
	}
	var found []string
	owner := map[string]string{} // of each folder: the package it belongs to, "" for none
	err = filepath.WalkDir(deps, func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		owner[rel] = owner[path.Dir(rel)]
		if isPackage(p) {
			owner[rel] = rel
		}
		if of := owner[rel]; of == "" || needed[of] || around[rel] {
			return nil
		}
		found = append(found, rel)
		return fs.SkipDir
	})
	return found, err
}

// dropUnreachable takes folders out of a workspace, but for what a file that stays names by a path: relibc's
// redox-rt has modules in the folder of the C library.
func (s *Sources) dropUnreachable(workspace *cas.Tree, folders []string) error {
	in := func(p string) bool {
		for dir := p; dir != "."; dir = path.Dir(dir) {
			if _, ok := slices.BinarySearch(folders, dir); ok {
				return true
			}
		}
		return false
	}
	slices.Sort(folders)
	left := map[string]cas.Entry{}
	var stay []string
	for p, e := range workspace.Entries {
		if in(p) {
			left[p] = e
		} else if strings.HasPrefix(p, cargoedit.DepsFolder+"/") {
			stay = append(stay, p)
		}
	}
	for p := range left {
		delete(workspace.Entries, p)
	}
	return s.restoreNamed(workspace, left, stay)
}

// literal is a string of Rust that has a path out of a folder in it.
var literal = regexp.MustCompile(`"([^"\n]*\.\./[^"\n]*)"`)

// restoreNamed puts those of the left files back into a tree that its Rust files name by a path with "../" in it (a
// module's path attribute, include!, a build script), relative to the file or to its package; and what these name
// in turn.
func (s *Sources) restoreNamed(tree *cas.Tree, left map[string]cas.Entry, files []string) error {
	for len(files) > 0 {
		file := files[len(files)-1]
		files = files[:len(files)-1]
		e := tree.Entries[file]
		if path.Ext(file) != ".rs" || e.Dir || e.Link != "" {
			continue
		}
		text, err := s.o.Store.ReadAll(e.Digest)
		if err != nil {
			return err
		}
		if !bytes.Contains(text, []byte("../")) {
			continue
		}
		for _, found := range literal.FindAllSubmatch(text, -1) {
			for _, from := range []string{path.Dir(file), packageAround(tree, file)} {
				files = append(files, restore(tree, left, path.Join(from, string(found[1])))...)
			}
		}
	}
	return nil
}

// restore puts a file back, or all that is below a folder.
func restore(tree *cas.Tree, left map[string]cas.Entry, name string) []string {
	var back []string
	for p, e := range left {
		if p == name || strings.HasPrefix(p, name+"/") {
			back = append(back, p)
			tree.Entries[p] = e
		}
	}
	for _, p := range back {
		delete(left, p)
	}
	return back
}

// packageAround is the innermost folder around a file that has a manifest, "." when there is none.
func packageAround(tree *cas.Tree, file string) string {
	dir := path.Dir(file)
	for ; dir != "."; dir = path.Dir(dir) {
		if _, ok := tree.Entries[dir+"/Cargo.toml"]; ok {
			break
		}
	}
	return dir
}

// isPackage tells whether a folder is that of a package.
func isPackage(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "Cargo.toml"))
	if err != nil || !strings.Contains(string(text), "package") {
		return false
	}
	var m struct {
		Package map[string]any `toml:"package"`
	}
	// One that cannot be read is kept: cargo has the better message.
	_, err = toml.Decode(string(text), &m)
	return err == nil && m.Package != nil
}

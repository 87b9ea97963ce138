package cargoedit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// DepsFolder is where a workspace keeps the sources that were brought into it.
const DepsFolder = "_deps"

// Enclose copies the crates that manifests below root reach by a path outside of root into
// root/_deps, and excludes that folder from the workspace. tree is the source that root is a folder
// of; what lies outside of it is refused.
//
// It exists for reproducible bytes: cargo hashes a path dependency by its path relative to the
// workspace root when it lies inside, and by its absolute path when it does not; that hash is in the
// symbol names of the crate and of everything that uses it (measured with cargo 1.94 and 1.97).
func Enclose(tree, root string) (*Report, error) {
	report := &Report{}
	if err := excludeDeps(root, report); err != nil {
		return nil, err
	}
	e := &encloser{tree: tree, root: root, report: report, brought: map[string]string{}}
	return report, e.enclose(root, root)
}

type encloser struct {
	tree, root string
	report     *Report
	brought    map[string]string // original folder -> copy
}

// enclose goes over the manifests below dir, whose paths are still meant from where it was: orig.
func (e *encloser) enclose(dir, orig string) error {
	names, err := files(dir, manifestName)
	if err != nil {
		return err
	}
	for _, name := range names {
		m, err := readManifest(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		for _, d := range m.dependencies() {
			if err := e.dependency(m, d, dir, orig); err != nil {
				return fmt.Errorf("%s: %s: %w", name, d.keyString(), err)
			}
		}
		if err := m.save(); err != nil {
			return err
		}
	}
	return nil
}

// dependency points one path dependency to a place inside the workspace.
func (e *encloser) dependency(m *manifest, d dependency, dir, orig string) error {
	path := d.text("path")
	// Cargo does not look at the dev-dependencies of a crate that is no member.
	if path == "" || d.kind == "dev-dependencies" && dir != e.root {
		return nil
	}
	rel, err := filepath.Rel(dir, m.dir())
	if err != nil {
		return err
	}
	from := filepath.Join(orig, rel, filepath.FromSlash(path))
	if inside(from, orig) {
		return nil
	}
	to := from
	if !inside(from, e.root) {
		if to, err = e.bring(from); err != nil {
			return err
		}
	}
	back, err := filepath.Rel(m.dir(), to)
	if err != nil {
		return err
	}
	back = filepath.ToSlash(back)
	name, err := filepath.Rel(e.root, m.file)
	if err != nil {
		return err
	}
	e.report.Edits = append(e.report.Edits, Edit{File: filepath.ToSlash(name), Key: d.keyString(), From: path, To: back})
	return m.doc.Set(back, append(slices.Clone(d.key), "path")...)
}

// bring copies a crate of the source into the workspace, once.
func (e *encloser) bring(from string) (string, error) {
	if to, ok := e.brought[from]; ok {
		return to, nil
	}
	if !inside(from, e.tree) {
		return "", errors.New("the path leaves the source")
	}
	if inside(e.root, from) {
		return "", errors.New("the path leads to a folder around the workspace, which cannot be copied into itself")
	}
	rel, err := filepath.Rel(e.tree, from)
	if err != nil {
		return "", err
	}
	to := e.place(strings.ReplaceAll(filepath.ToSlash(rel), "/", "-"))
	e.brought[from] = to
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return "", err
	}
	return to, e.enclose(to, from)
}

// place is a folder in _deps that nothing has: a/b and a-b are two crates, and a replaced source may be there.
func (e *encloser) place(name string) string {
	for {
		to := filepath.Join(e.root, DepsFolder, name)
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return to
		}
		name += "_"
	}
}

func inside(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && (rel == "." || filepath.IsLocal(rel))
}

// excludeDeps keeps cargo from taking the crates below _deps for members.
func excludeDeps(root string, report *Report) error {
	m, err := readManifest(filepath.Join(root, manifestName))
	if err != nil {
		return err
	}
	workspace := sub(m.top, "workspace")
	if workspace == nil {
		return nil
	}
	list, _ := workspace["exclude"].([]any)
	var all []string
	for _, e := range list {
		if s, ok := e.(string); ok {
			all = append(all, s)
		}
	}
	if slices.Contains(all, DepsFolder) {
		return nil
	}
	if err := m.doc.Set(append(all, DepsFolder), "workspace", "exclude"); err != nil {
		return err
	}
	report.Edits = append(report.Edits, Edit{File: manifestName, Key: "workspace.exclude", To: DepsFolder})
	return m.save()
}

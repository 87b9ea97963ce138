package crates

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Find tells of the packages below a folder where they are, as slash paths. Of two with one name the one nearer to the top
// counts: copies further down are test data.
func Find(tree string) (map[string]string, error) {
	var dirs []string
	names := map[string]string{}
	err := filepath.WalkDir(tree, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "Cargo.toml" || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(tree, filepath.Dir(p))
		if name := packageName(text); name != "" {
			dir := filepath.ToSlash(rel)
			names[dir] = name
			dirs = append(dirs, dir)
		}
		return err
	})
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(depth(a), depth(b)) })
	found := map[string]string{}
	for _, dir := range dirs {
		if _, known := found[names[dir]]; !known {
			found[names[dir]] = dir
		}
	}
	return found, err
}

func depth(dir string) int {
	if dir == "." {
		return 0
	}
	return 1 + strings.Count(dir, "/")
}

// packageName is the name of the package that a manifest describes; "" without one.
func packageName(manifest []byte) string {
	var top struct{ Package, Project struct{ Name string } }
	if toml.Unmarshal(manifest, &top) != nil {
		return ""
	}
	return cmp.Or(top.Package.Name, top.Project.Name)
}

// Complete makes the package in a folder of a repository one that a directory source can have.
func Complete(tree, dir string) error {
	at := filepath.Join(tree, filepath.FromSlash(dir))
	manifest := filepath.Join(at, "Cargo.toml")
	member, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	for up := dir; up != "."; {
		up = path.Dir(up)
		root, err := os.ReadFile(filepath.Join(tree, filepath.FromSlash(up), "Cargo.toml"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		whole, err := inherit(member, root)
		if err != nil {
			return err
		}
		if !bytes.Equal(whole, member) {
			if err := os.WriteFile(manifest, whole, 0o644); err != nil {
				return err
			}
			break
		}
	}
	return os.WriteFile(filepath.Join(at, ChecksumName), []byte(GitChecksum), 0o644)
}

// inherit gives the manifest of a member the tables of its workspace from which it takes keys: in a directory source cargo
// looks for the workspace of a package in the package itself.
func inherit(member, workspace []byte) ([]byte, error) {
	var top, root table
	if err := toml.Unmarshal(member, &top); err != nil {
		return nil, err
	}
	if err := toml.Unmarshal(workspace, &root); err != nil {
		return nil, err
	}
	given, _ := root["workspace"].(table)
	if given == nil || top["workspace"] != nil {
		return member, nil
	}
	own := table{}
	for _, key := range []string{"package", "dependencies", "lints"} {
		if v, ok := given[key]; ok {
			own[key] = v
		}
	}
	if pkg, _ := top["package"].(table); pkg != nil && pkg["workspace"] != nil {
		delete(pkg, "workspace")
		var b bytes.Buffer
		if err := toml.NewEncoder(&b).Encode(top); err != nil {
			return nil, err
		}
		member = b.Bytes()
	}
	var b strings.Builder
	if err := toml.NewEncoder(&b).Encode(table{"workspace": own}); err != nil {
		return nil, err
	}
	return append(append(bytes.TrimRight(member, "\n"), "\n\n"...), b.String()...), nil
}

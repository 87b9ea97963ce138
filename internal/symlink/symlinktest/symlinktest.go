// Package symlinktest makes small trees full of symbolic links, for the tests of whatever takes trees of others.
//
// It owns the generator alone, and must not know what is right.
package symlinktest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Tree is folders, files and links by slash path. What is above each is a folder of the tree.
type Tree struct {
	Dirs  []string
	Files []string
	Links map[string]string
}

// names are few, so that links meet what is there.
var names = []string{"a", "b", "c"}

// Generate makes a tree: with absolute, some of its links begin at the root.
func Generate(r *rand.Rand, absolute bool) *Tree {
	t := &Tree{Links: map[string]string{}}
	taken := map[string]bool{}
	dirs := []string{"."}
	for range 4 + r.IntN(8) {
		p := path.Join(dirs[r.IntN(len(dirs))], names[r.IntN(len(names))])
		if taken[p] {
			continue
		}
		taken[p] = true
		switch r.IntN(5) {
		case 0, 1:
			t.Dirs = append(t.Dirs, p)
			dirs = append(dirs, p)
		case 2:
			t.Files = append(t.Files, p)
		default:
			t.Links[p] = target(r, absolute)
		}
	}
	return t
}

func target(r *rand.Rand, absolute bool) string {
	var parts []string
	for range 1 + r.IntN(4) {
		parts = append(parts, append(names, "..", "..", ".")[r.IntN(len(names)+3)])
	}
	text := strings.Join(parts, "/")
	if absolute && r.IntN(4) == 0 {
		return "/" + text
	}
	return text
}

// Lead makes the absolute links lead below a folder of this machine, as somebody else's tree may.
func (t *Tree) Lead(outside string) {
	for p, target := range t.Links {
		if path.IsAbs(target) {
			t.Links[p] = outside + target
		}
	}
}

// Snapshot is everything below a folder, links not followed: for a comparison before and after.
func Snapshot(dir string) (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case d.Type()&os.ModeSymlink != 0:
			var target string
			target, err = os.Readlink(p)
			text += " -> " + target
		case d.Type().IsRegular():
			var content []byte
			content, err = os.ReadFile(p)
			text += " " + info.ModTime().String() + " " + string(content)
		}
		all[p] = text
		return err
	})
	return all, err
}

// Probes are paths to follow: all of the tree's, and one more step from each link.
func (t *Tree) Probes() []string {
	probes := slices.Concat(t.Dirs, t.Files)
	for p := range t.Links {
		probes = append(probes, p)
		for _, next := range append(names, "..") {
			probes = append(probes, p+"/"+next)
		}
	}
	slices.Sort(probes)
	return probes
}

// Make writes the tree into a folder that is there and empty. A file's content is its path.
func (t *Tree) Make(dir string) error {
	for _, p := range t.Dirs {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(p)), 0o755); err != nil {
			return err
		}
	}
	for _, p := range t.Files {
		if err := os.WriteFile(filepath.Join(dir, filepath.FromSlash(p)), []byte(p), 0o644); err != nil {
			return err
		}
	}
	for p, to := range t.Links {
		if err := os.Symlink(to, filepath.Join(dir, filepath.FromSlash(p))); err != nil {
			return err
		}
	}
	return nil
}

// String lists the links.
func (t *Tree) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "folders %v, files %v", t.Dirs, t.Files)
	for _, p := range slices.Sorted(maps.Keys(t.Links)) {
		fmt.Fprintf(&b, ", %s -> %s", p, t.Links[p])
	}
	return b.String()
}

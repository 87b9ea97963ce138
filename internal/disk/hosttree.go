package disk

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/unixmode"
)

// HostFile is one file, link or folder below a folder of the host.
type HostFile struct {
	info fs.FileInfo
	link string
}

// same reports whether a file was not replaced. Files are never written to in place, so the inode tells.
func (f HostFile) same(other HostFile) bool {
	if f.info.Mode().Type() != other.info.Mode().Type() {
		return false
	}
	if f.info.Mode().IsRegular() {
		return os.SameFile(f.info, other.info) && f.info.Mode() == other.info.Mode()
	}
	return f.link == other.link
}

// HostTree reads what is below a folder, by slash path.
func HostTree(top string) (map[string]HostFile, error) {
	files := map[string]HostFile{}
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == top {
			return err
		}
		var f HostFile
		if f.info, err = d.Info(); err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			if f.link, err = os.Readlink(name); err != nil {
				return err
			}
		}
		files[filepath.ToSlash(strings.TrimPrefix(name, top+string(filepath.Separator)))] = f
		return nil
	})
	return files, err
}

// Changes are the operations that make of the tree before the tree after, which lies in top. New files belong to root; one that
// takes the place of another keeps its owner.
func Changes(top string, before, after map[string]HostFile) []redoxfs.Op {
	var gone, fresh []string
	for p, old := range before {
		if now, ok := after[p]; !ok || now.info.Mode().Type() != old.info.Mode().Type() {
			gone = append(gone, p)
		}
	}
	for p, now := range after {
		if old, ok := before[p]; !ok || !now.same(old) {
			fresh = append(fresh, p)
		}
	}
	sort.Strings(gone)
	slices.Reverse(gone) // what is in a folder goes before the folder
	sort.Strings(fresh)  // and comes after it
	var ops []redoxfs.Op
	for _, p := range gone {
		ops = append(ops, redoxfs.Op{Op: redoxfs.OpRemove, Path: "/" + p})
	}
	for _, p := range fresh {
		ops = append(ops, after[p].op(top, p))
	}
	return ops
}

// op makes the file in an image.
func (f HostFile) op(top, p string) redoxfs.Op {
	mode := unixmode.Bits(f.info.Mode())
	switch {
	case f.info.IsDir():
		return redoxfs.Op{Op: redoxfs.OpDir, Path: "/" + p, Mode: &mode}
	case f.link != "":
		return redoxfs.Op{Op: redoxfs.OpLink, Path: "/" + p, Target: f.link}
	}
	return redoxfs.Op{Op: redoxfs.OpFile, Path: "/" + p, From: filepath.Join(top, filepath.FromSlash(p)), Mode: &mode}
}

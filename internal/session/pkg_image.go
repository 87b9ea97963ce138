package session

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/redoxfs"
)

// onImage lets do work on a copy of an image's files, and then makes the same changes in the image: all of them or none.
// The image is locked meanwhile.
func (s *Session) onImage(ctx context.Context, path string, sys *system, do func(*system) error) error {
	path = s.orDefaultImage(path)
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("%w; `mage image` builds one, and -root=DIR takes a folder", err)
	}
	if s.Config.DryRun {
		return s.onCopy(ctx, path, sys, do)
	}
	return s.edit(ctx, path, func(e *disk.Editor) error {
		// One folder for each image, so that the next run removes what a killed one has left; the editor's lock is the folder's as well.
		dir := filepath.Join(s.pkgOut(), fmt.Sprintf(".image-%.12x", sha256.Sum256([]byte(e.Path))))
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		sys.name, sys.root, sys.private = s.relative(e.Path), filepath.Join(dir, "root"), true
		before, err := copyOut(ctx, e.Tool, e.Path, sys.root)
		if err != nil {
			return fmt.Errorf("%s: reading its files: %w", sys.name, err)
		}
		if err := do(sys); err != nil || sys.done == nil {
			return err
		}
		after, err := hostTree(sys.root)
		if err != nil {
			return err
		}
		if err := e.Edit(ctx, changes(sys.root, before, after)); err != nil {
			return wayOut(fmt.Errorf("%s is as it was: %w", sys.name, err))
		}
		return nil
	})
}

// onCopy lets do look at a copy of an image's files, for -dryrun: nothing is built, and the image is only read.
func (s *Session) onCopy(ctx context.Context, path string, sys *system, do func(*system) error) error {
	if _, err := os.Stat(s.toolPath()); err != nil {
		return fmt.Errorf("%w; -dryrun builds nothing, and only %s can read images: `mage recipe:build %s`", err, toolRecipe, toolRecipe)
	}
	dir, clean, err := s.pkgScratch("image")
	if err != nil {
		return err
	}
	defer clean()
	sys.name, sys.root, sys.private = s.relative(path), filepath.Join(dir, "root"), true
	if _, err := copyOut(ctx, s.toolPath(), path, sys.root); err != nil {
		return fmt.Errorf("%s: reading its files: %w", sys.name, err)
	}
	return do(sys)
}

// copyOut copies the files of an image to a folder that is not there yet.
func copyOut(ctx context.Context, tool, image, dir string) (map[string]hostFile, error) {
	v, err := disk.Volume(tool, image)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return nil, err
	}
	if _, err := v.Get(ctx, "/", dir); err != nil {
		return nil, err
	}
	return hostTree(dir)
}

// hostFile is one file, link or folder below a folder of the host.
type hostFile struct {
	info fs.FileInfo
	link string
}

// same reports whether a file was not replaced. Files are never written to in place, so the inode tells.
func (f hostFile) same(other hostFile) bool {
	if f.info.Mode().Type() != other.info.Mode().Type() {
		return false
	}
	if f.info.Mode().IsRegular() {
		return os.SameFile(f.info, other.info) && f.info.Mode() == other.info.Mode()
	}
	return f.link == other.link
}

// hostTree reads what is below a folder, by slash path.
func hostTree(top string) (map[string]hostFile, error) {
	files := map[string]hostFile{}
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == top {
			return err
		}
		var f hostFile
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

// changes are the operations that make of the tree before the tree after, which lies in top. New files belong to root; one that
// takes the place of another keeps its owner.
func changes(top string, before, after map[string]hostFile) []redoxfs.Op {
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
func (f hostFile) op(top, p string) redoxfs.Op {
	mode := permissions(f.info.Mode())
	switch {
	case f.info.IsDir():
		return redoxfs.Op{Op: redoxfs.OpDir, Path: "/" + p, Mode: &mode}
	case f.link != "":
		return redoxfs.Op{Op: redoxfs.OpLink, Path: "/" + p, Target: f.link}
	}
	return redoxfs.Op{Op: redoxfs.OpFile, Path: "/" + p, From: filepath.Join(top, filepath.FromSlash(p)), Mode: &mode}
}

// permissions are the Unix permission bits of a mode, setuid and the like included.
func permissions(m fs.FileMode) uint16 {
	bits := uint16(m.Perm())
	for flag, bit := range map[fs.FileMode]uint16{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&flag != 0 {
			bits |= bit
		}
	}
	return bits
}

package pkgar

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
)

// stagePrefix starts the names of the folders in which archives are unpacked, beside their destination.
const stagePrefix = ".pkgar-"

// dirMode is the mode of folders, which archives do not record.
const dirMode = 0o755

// ExtractOptions says how to extract.
type ExtractOptions struct {
	// NoSync leaves writing to the disk to the operating system. A crash of the machine, not of the process, may then lose
	// the contents of files that are visible already. Right for folders that can be made again.
	NoSync bool
}

// ExtractResult says what was done.
type ExtractResult struct {
	Files, Links int
	Bytes        int64    // unpacked bytes of files
	Replaced     []string // paths that existed in the destination before, sorted
}

// Extract makes the archive's files appear in the folder dir, all of them or none: they are unpacked and checked beside dir, and
// become visible with one rename. If dir has other files, they stay: a copy of dir made of hard links is completed and exchanged
// with dir. Files in dir that are in the archive are replaced; a folder is never replaced by a file, nor anything by a folder,
// and nothing is written through a link of dir. A process that is killed leaves at most a folder named .pkgar-*, which the
// next Extract beside it removes.
//
// An archive that is not verified goes only into a new or empty folder: ErrNotFresh.
func (a *Archive) Extract(ctx context.Context, dir string, opt ExtractOptions) (*ExtractResult, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	fresh, err := isFresh(dir)
	if err != nil {
		return nil, err
	}
	if !fresh && !a.verified {
		return nil, fmt.Errorf("%w: %s", ErrNotFresh, dir)
	}
	stage, err := newStage(dir)
	if err != nil {
		return nil, err
	}
	result, err := a.extractStaged(ctx, stage, dir, fresh, opt)
	return result, errors.Join(err, stage.remove())
}

func (a *Archive) extractStaged(ctx context.Context, stage *stage, dir string, fresh bool, opt ExtractOptions) (*ExtractResult, error) {
	result, err := a.Unpack(ctx, stage.tree)
	if err != nil {
		return nil, err
	}
	if !fresh {
		if result.Replaced, err = mergeTree(ctx, dir, stage.tree); err != nil {
			return nil, err
		}
	}
	if err := stage.finish(ctx, dir, fresh, opt.NoSync); err != nil {
		return nil, err
	}
	return result, nil
}

// Update changes the folder dir in one step. change gets a copy of dir that is made of hard links: it may add, replace and
// remove files, but must not write to one. It may use the folder around the copy, which is private and goes away afterwards, for
// files on the same file system. If change succeeds the copy and dir are exchanged, else dir stays as it is. A dir
// that does not exist is made. As with Extract, a killed process leaves at most a folder that the next one removes.
func Update(ctx context.Context, dir string, opt ExtractOptions, change func(tree string) error) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	fresh, err := isFresh(dir)
	if err != nil {
		return err
	}
	stage, err := newStage(dir)
	if err != nil {
		return err
	}
	if !fresh {
		_, err = mergeTree(ctx, dir, stage.tree)
	}
	if err == nil {
		err = change(stage.tree)
	}
	if err == nil {
		err = stage.finish(ctx, dir, fresh, opt.NoSync)
	}
	return errors.Join(err, stage.remove())
}

// isFresh reports whether dir does not exist or is an empty folder.
func isFresh(dir string) (bool, error) {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if !info.IsDir() {
		return false, fmt.Errorf("%s is not a folder", dir)
	}
	names, err := os.ReadDir(dir)
	return len(names) == 0, err
}

// Unpack unpacks and checks everything into the folder tree, which has to be empty and private: on an error, part of the files
// is there. Since no path leads through a link, which the head was checked for, names can be joined without looking at every
// component again, as os.Root would for every file.
func (a *Archive) Unpack(ctx context.Context, tree string) (*ExtractResult, error) {
	if err := a.makeFolders(tree); err != nil {
		return nil, err
	}
	sizes := make([]int64, len(a.Entries))
	err := a.each(ctx, func(ctx context.Context, w *worker, i int) error {
		if a.Entries[i].IsLink() {
			return w.extractLink(ctx, tree, i)
		}
		var err error
		sizes[i], err = w.extractFile(ctx, tree, i)
		return err
	})
	if err != nil {
		return nil, err
	}
	result := &ExtractResult{}
	for i := range a.Entries {
		if a.Entries[i].IsLink() {
			result.Links++
			continue
		}
		result.Files++
		result.Bytes += sizes[i]
	}
	return result, nil
}

func (a *Archive) makeFolders(tree string) error {
	made := map[string]bool{".": true}
	var make func(dir string) error
	make = func(dir string) error {
		if made[dir] {
			return nil
		}
		made[dir] = true
		if err := make(path.Dir(dir)); err != nil {
			return err
		}
		name := filepath.Join(tree, filepath.FromSlash(dir))
		if err := os.Mkdir(name, dirMode); err != nil {
			return err
		}
		return os.Chmod(name, dirMode) // not left to the umask
	}
	for i := range a.Entries {
		if err := make(path.Dir(a.Entries[i].Path)); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) extractLink(ctx context.Context, tree string, i int) error {
	target, err := w.linkTarget(ctx, i)
	if err != nil {
		return err
	}
	return os.Symlink(target, filepath.Join(tree, filepath.FromSlash(w.a.Entries[i].Path)))
}

func (w *worker) extractFile(ctx context.Context, tree string, i int) (n int64, err error) {
	e := &w.a.Entries[i]
	f, err := os.OpenFile(filepath.Join(tree, filepath.FromSlash(e.Path)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if n, err = w.unpack(ctx, i, f); err != nil {
		return n, err
	}
	return n, f.Chmod(e.FileMode())
}

// mergeTree completes tree with what is in dir, as hard links, and returns the paths in both.
func mergeTree(ctx context.Context, dir, tree string) (replaced []string, err error) {
	modes := map[string]fs.FileMode{}
	err = filepath.WalkDir(dir, func(old string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, old)
		if err != nil {
			return err
		}
		name := filepath.Join(tree, rel)
		staged, err := os.Lstat(name)
		switch {
		case err == nil && staged.IsDir() != d.IsDir():
			return fmt.Errorf("%s: the package has a %s where there is a %s", old, kindOf(staged.Mode()), kindOf(d.Type()))
		case err == nil && !d.IsDir():
			replaced = append(replaced, filepath.ToSlash(rel))
			return nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return err
		case d.IsDir():
			info, infoErr := d.Info()
			if infoErr != nil {
				return infoErr
			}
			modes[name] = info.Mode()
			if err != nil {
				return os.Mkdir(name, 0o700)
			}
			return nil
		default:
			return cloneFile(old, name, d.Type())
		}
	})
	if err != nil {
		return nil, err
	}
	sort.Strings(replaced)
	// Last, so that a folder without write permission can be filled.
	for name, mode := range modes {
		if err := os.Chmod(name, mode); err != nil {
			return nil, err
		}
	}
	return replaced, nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "folder"
	case m&fs.ModeSymlink != 0:
		return "link"
	default:
		return "file"
	}
}

// cloneFile makes name the same file as old. A link is made again, because a hard link to it would follow it on some systems.
func cloneFile(old, name string, kind fs.FileMode) error {
	if kind&fs.ModeSymlink == 0 {
		return os.Link(old, name)
	}
	target, err := os.Readlink(old)
	if err != nil {
		return err
	}
	return os.Symlink(target, name)
}

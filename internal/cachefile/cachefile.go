// Package cachefile opens the files of a cache, whatever has become of them.
//
// It owns one rule: what is not a regular file that can be read (a folder, a pipe, a socket, a link, wherever it leads) is
// no file of a cache. It is put out of the way and counts as absent, because a cache makes again what it does not
// have. Nothing here waits for the other end of a pipe or follows a link. It must not know what is in a file.
//
// It is not for files of users: theirs may be links, and are never removed.
package cachefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Open opens a regular file for reading. One that may not be read gets its rights back where it is ours. The error for anything
// else at the path, which is removed, is that of a file that does not exist.
func Open(path string) (*os.File, error) {
	return open(path, os.O_RDONLY, 0)
}

// OpenWritable opens a regular file for reading and writing and makes it when there is none.
func OpenWritable(path string, perm fs.FileMode) (*os.File, error) {
	f, err := open(path, os.O_RDWR|os.O_CREATE, perm)
	if errors.Is(err, errCleared) {
		f, err = open(path, os.O_RDWR|os.O_CREATE, perm)
	}
	return f, err
}

// Create makes a file empty, or anew.
func Create(path string, perm fs.FileMode) (*os.File, error) {
	f, err := OpenWritable(path, perm)
	if err != nil {
		return nil, err
	}
	if err := f.Truncate(0); err != nil {
		_ = f.Close() // nothing was written
		return nil, err
	}
	return f, nil
}

// Read is the content of a regular file, see [Open].
func Read(path string) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, info.Size())
	n, err := io.ReadFull(f, b)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil // it was cut meanwhile
	}
	return b[:n], err
}

// Stat is what the inode of a regular file says, without removing anything else that is there.
func Stat(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, absent("stat", path)
	}
	return info, err
}

// errCleared is the error for what was put out of the way: for the caller there is no such file.
var errCleared = clearedError{}

type clearedError struct{}

func (clearedError) Error() string        { return "it was no file, and has been removed" }
func (clearedError) Is(target error) bool { return target == fs.ErrNotExist }

func absent(op, path string) error { return &fs.PathError{Op: op, Path: path, Err: errCleared} }

func open(path string, flags int, perm fs.FileMode) (*os.File, error) {
	const careful = unix.O_NONBLOCK | unix.O_NOFOLLOW
	f, err := os.OpenFile(path, flags|careful, perm)
	if errors.Is(err, fs.ErrPermission) && allow(path) {
		f, err = os.OpenFile(path, flags|careful, perm)
	}
	if err == nil {
		if info, statErr := f.Stat(); statErr != nil || info.Mode().IsRegular() {
			return f, statErr
		}
		_ = f.Close() // nothing was written
		return nil, clearAway(path, absent("open", path))
	}
	if isOther(path) {
		return nil, clearAway(path, absent("open", path))
	}
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil, absent("open", path) // what should be its folder is none: MakeFolder mends that
	}
	return nil, err
}

// allow gives a file's owner the right to it, and to look into its folder.
func allow(path string) bool {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrPermission) {
		if dir, statErr := os.Stat(filepath.Dir(path)); statErr == nil && os.Chmod(filepath.Dir(path), dir.Mode().Perm()|0o700) == nil {
			info, err = os.Lstat(path)
		}
	}
	return err == nil && info.Mode().IsRegular() && os.Chmod(path, info.Mode().Perm()|0o600) == nil
}

// isOther tells whether there is something at a path, and it is no regular file.
func isOther(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && !info.Mode().IsRegular()
}

func clearAway(path string, otherwise error) error {
	if err := Clear(path); err != nil {
		return err
	}
	return otherwise
}

// Clear removes what is at a path, unless it is a regular file: one that another process has put there in the meantime stays.
func Clear(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil || info.Mode().IsRegular():
		return err
	case info.IsDir():
		return clearFolder(path)
	}
	// Renamed first, so that it is known what is removed: of two processes that find a pipe, the second would remove
	// the file that the first has made in its place.
	aside, err := os.MkdirTemp(filepath.Dir(path), ".cleared-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	taken := filepath.Join(aside, "it")
	if err := os.Rename(path, taken); err != nil {
		return ignoreAbsent(err)
	}
	if info, err := os.Lstat(taken); err == nil && info.Mode().IsRegular() {
		_ = os.Link(taken, path) // where there is a newer one by now, that one stays
	}
	return nil
}

// clearFolder never removes a file that has come in the folder's place: every name it removes is one in a folder.
func clearFolder(dir string) error {
	_ = os.Chmod(dir, 0o755)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, unix.ENOTDIR) {
		return ignoreAbsent(err)
	}
	for _, e := range entries {
		if err := RemoveAll(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, unix.ENOTDIR) {
			return err
		}
	}
	err = unix.Rmdir(dir)
	if errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return ignoreAbsent(err)
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// RemoveAll removes a tree, also one with folders whose rights forbid it.
func RemoveAll(path string) error {
	err := os.RemoveAll(path)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if e != nil && e.IsDir() {
			_ = os.Chmod(p, 0o755)
		}
		return nil // what cannot be listed now is tried by the removal
	})
	return os.RemoveAll(path)
}

// MakeFolder makes the folder rel below top, a folder of the cache: what is in its place, or in that of a folder between, and is
// no folder, is put out of the way. A link to a folder is one: people keep parts of a cache on other disks.
func MakeFolder(top, rel string) error {
	dir := filepath.Join(top, rel)
	if info, err := os.Stat(dir); err == nil && isUsable(info) {
		return nil
	}
	at := top
	for part := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
		at = filepath.Join(at, part)
		info, err := os.Stat(at)
		switch {
		case err == nil && isUsable(info):
		case err == nil && info.IsDir():
			_ = os.Chmod(at, info.Mode().Perm()|0o700)
		default:
			// No folder, or none yet: what is left of it is for MkdirAll to say. Not os.Remove: another goroutine may just have
			// made the folder, and it is empty.
			_ = unix.Unlink(at)
		}
	}
	return os.MkdirAll(dir, 0o755)
}

func isUsable(info fs.FileInfo) bool { return info.IsDir() && info.Mode().Perm()&0o700 == 0o700 }

// Rename gives a finished file its name, also where a folder has that.
func Rename(from, to string) error {
	err := os.Rename(from, to)
	if err == nil || !isOther(to) {
		return err
	}
	if err := Clear(to); err != nil {
		return err
	}
	return os.Rename(from, to)
}

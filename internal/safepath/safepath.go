// Package safepath tells whether a folder can be changed by another user of the machine: then what is read there is theirs to choose.
//
// It owns that rule, which is the one that ssh has for its files: the folder and all above it belong to this user or to root, and
// nobody else can write to them, but for folders with the sticky bit (/tmp), where nobody can take away what is another's. It must not know
// what the folder is for.
package safepath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/process"
)

// Error says that others can change what is in Dir.
type Error struct {
	Path string // that was asked for
	Dir  string // it, one above it, or one right in it
	Why  string
	Mend string // a command
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s %s, so that others choose what is found there: `%s`", e.Path, e.Dir, e.Why, e.Mend)
}

// Check looks at a folder, at those above it up to the root, with links followed, and at the folders right in it. One that is not there yet is
// judged by the first that is.
func Check(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	folders, err := Folders(path)
	if err != nil {
		return err
	}
	for _, dir := range folders {
		if err := check(path, dir); err != nil {
			return err
		}
	}
	return nil
}

// Folders are those that [Check] looks at, by absolute paths.
func Folders(path string) ([]string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	at, err := existing(path)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, from := range []string{path, at} { // as it is written, whose links may be others', and where it leads
		for dir := from; ; dir = filepath.Dir(dir) {
			all = append(all, dir)
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return append(all, inside(path)...), nil
}

// existing is where a path leads, or the nearest above it that is there.
func existing(path string) (string, error) {
	for {
		at, err := filepath.EvalSymlinks(path)
		if err == nil {
			return at, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return "", err
		}
		path = filepath.Dir(path)
	}
}

// inside are the folders in a folder; none where it is not there yet, or no folder, which whoever uses it says.
func inside(path string) []string {
	entries, _ := os.ReadDir(path)
	var all []string
	for _, e := range entries {
		if e.IsDir() {
			all = append(all, filepath.Join(path, e.Name()))
		}
	}
	return all
}

func check(path, dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	refused := func(why string, mend ...string) error {
		return &Error{Path: path, Dir: dir, Why: why, Mend: process.Quote(append(mend, dir))}
	}
	const others = 0o022
	sticky := info.Mode()&fs.ModeSticky != 0
	switch owner, known := ownerOf(info); {
	case known && owner != 0 && owner != os.Geteuid() && !unmapped(owner):
		return refused(fmt.Sprintf("belongs to the user %d", owner), "sudo", "chown", fmt.Sprint(os.Geteuid()))
	case info.IsDir() && info.Mode().Perm()&others != 0 && !sticky:
		return refused(fmt.Sprintf("can be written to by others (mode %04o)", info.Mode().Perm()), "chmod", "go-w")
	}
	return nil
}

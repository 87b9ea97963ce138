package git

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/cachefile"
)

// boundaryText is no "gitdir: ...", so that whoever searches upwards for a repository stops here and finds none.
const boundaryText = "Nothing below this folder belongs to a repository around it: this file ends the search for one.\n"

// Bound makes a folder in which and below which no repository around it is found. It does so with a file: the git program
// has GIT_CEILING_DIRECTORIES for that, but the libraries (of cargo itself, which would leave out what a foreign
// .gitignore names, and of build scripts that stamp a commit) do not know it.
func Bound(dir string) error {
	name := filepath.Join(dir, ".git")
	if is, err := isBound(name); is || err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := cachefile.OpenWritable(name, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(boundaryText)
	return errors.Join(err, f.Truncate(int64(len(boundaryText))), f.Close())
}

// isBound tells whether there is something that ends a search: a file, whatever is in it, or a repository, which stays.
func isBound(name string) (bool, error) {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil || info.Mode().IsRegular():
		return err == nil, err
	case info.IsDir():
		in, err := os.ReadDir(name)
		return len(in) > 0, err
	}
	return false, nil // a link, a pipe
}

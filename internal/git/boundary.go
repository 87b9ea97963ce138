package git

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// boundaryText is no "gitdir: ...", so that whoever searches upwards for a repository stops here and finds none.
const boundaryText = "Nothing below this folder belongs to a repository around it: this file ends the search for one.\n"

// Bound makes a folder in which and below which no repository around it is found. It does so with a file: the git program
// has GIT_CEILING_DIRECTORIES for that, but the libraries (of cargo itself, which would leave out what a foreign
// .gitignore names, and of build scripts that stamp a commit) do not know it.
func Bound(dir string) error {
	name := filepath.Join(dir, ".git")
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(boundaryText), 0o644)
}

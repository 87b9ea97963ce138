// Package globdir finds files by a pattern below a folder whose own name is no pattern.
//
// filepath.Glob reads the whole path as a pattern: in a checkout or cache in a folder such as "work [old]" it finds
// nothing and says nothing.
//
// It owns the difference between the folder and the pattern. It must not know what is looked for.
package globdir

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// In returns the paths below dir that match a slash pattern as of [path.Match], sorted, with dir in front. The pattern may
// begin with "../". What cannot be read matches nothing; the only error is [path.ErrBadPattern].
func In(dir, pattern string) ([]string, error) {
	pattern = path.Clean(pattern)
	for pattern == ".." || strings.HasPrefix(pattern, "../") {
		dir, pattern = filepath.Join(dir, ".."), strings.TrimPrefix(strings.TrimPrefix(pattern, ".."), "/")
	}
	if pattern == "" {
		pattern = "."
	}
	found, err := fs.Glob(os.DirFS(dir), pattern)
	for i, name := range found {
		found[i] = filepath.Join(dir, filepath.FromSlash(name))
	}
	return found, err
}

// Package foldcase knows when two names of a tree are one file: on a file system that does not tell upper from lower case, or one way to
// write a letter from another, as that of macOS does not unless it is asked to.
//
// It owns how names are compared, and how a folder is asked. It must not know what the names are of.
package foldcase

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Names are the paths of one tree. The zero value has none.
type Names struct{ seen map[string]string }

// Add takes a slash path, with the folders above it. other is a path that would be the same file or folder though it is written
// differently, "" when there is none.
func (n *Names) Add(name string) (other string) {
	if n.seen == nil {
		n.seen = map[string]string{}
	}
	for ; name != "." && name != "/"; name = path.Dir(name) {
		key := fold(name)
		before, known := n.seen[key]
		if known && before != name {
			return before
		}
		if known {
			return "" // and so are the folders above it
		}
		n.seen[key] = name
	}
	return ""
}

// fold is the same for names that may be one file. File systems differ in detail (that of macOS compares Unicode 9); here more names
// are the same than in any.
func fold(name string) string {
	if isASCII(name) {
		return strings.ToLower(name)
	}
	return norm.NFD.String(cases.Fold().String(norm.NFD.String(name)))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// In tells whether the file system of a folder, which is there and may be written, takes two names that differ by case for one.
func In(dir string) (bool, error) {
	name := ".case-" + strings.ToLower(rand.Text())
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return false, err
	}
	defer os.Remove(file)
	_, err := os.Lstat(filepath.Join(dir, strings.ToUpper(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// SameFileError says that a tree cannot be laid out in a folder.
type SameFileError struct{ Dir, One, Other string }

// Error names both, and the way out.
func (e *SameFileError) Error() string {
	return fmt.Sprintf("%s and %s are one file in %s, whose file system does not tell them apart: %s", e.One, e.Other, e.Dir, Remedy)
}

// Remedy is what helps where a file system takes two names for one.
const Remedy = "put the cache on a volume that is case-sensitive (macOS: Disk Utility, a new APFS volume with that format; then REDOX_CACHE=/Volumes/NAME)"

// Package symlink follows symbolic links in a tree as a kernel does whose root is the top of the tree.
//
// It owns where a path of such a tree ends. It must not know what the tree is made of: a folder of this machine, a tree of
// the content store, an archive, an image. The text of a link alone does not tell: of x/a -> .. and x/b -> a/.., both look as
// if they stayed inside, and the second leads out.
//
// One rule holds for every tree of somebody else's. An absolute target is a path of the system that the tree is for, and
// begins at the top. A relative one that would go above the top leads out: in such a system it means nothing, and on this
// machine it is somebody else's file.
package symlink

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Readlink is the target of the link at a clean slash path relative to the top; ok is false for anything else, and for
// what is not there.
type Readlink func(path string) (target string, ok bool)

// maxLinks is how many links Linux follows on the way to one file.
const maxLinks = 40

// ErrLoop is for a path that goes through more links than a kernel follows.
var ErrLoop = errors.New("too many links, or links in a circle")

// LeavesError is for a path that goes above the top.
type LeavesError struct {
	Path string // that was followed
	// Link and Target are the link that goes there; Link is "" when the path itself does.
	Link, Target string
}

func (e *LeavesError) Error() string {
	if e.Link == "" || e.Link == e.Path {
		return fmt.Sprintf("%s leads out of the tree", shown(e.Path, e.Target))
	}
	return fmt.Sprintf("%s leads out of the tree, by way of %s", e.Path, shown(e.Link, e.Target))
}

func shown(link, target string) string {
	if target == "" {
		return link
	}
	return link + " -> " + target
}

// Resolve is the path, clean and without links on the way or at its end, that p stands for; "." is the top. What is not
// there has no links. The error is a *LeavesError or ErrLoop.
func Resolve(readlink Readlink, p string) (string, error) {
	at, rest := ".", p
	var last LeavesError
	for links := 0; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			if at == "." {
				return "", &LeavesError{p, last.Link, last.Target}
			}
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, name)
		target, ok := readlink(next)
		if !ok {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: %w", p, ErrLoop)
		}
		last.Link, last.Target = next, target
		if path.IsAbs(target) {
			at = "."
		}
		rest = target + "/" + rest
	}
	return at, nil
}

// Leaving are the errors of those of a tree's links that lead out of it, in the order of their paths. Links in a circle lead
// nowhere, and so not out.
func Leaving(links map[string]string) []*LeavesError {
	readlink := func(p string) (string, bool) {
		target, ok := links[p]
		return target, ok
	}
	var found []*LeavesError
	for _, p := range slices.Sorted(maps.Keys(links)) {
		var leaves *LeavesError
		if _, err := Resolve(readlink, p); errors.As(err, &leaves) {
			found = append(found, leaves)
		}
	}
	return found
}

// In reads the links of a folder of this machine.
func In(root *os.Root) Readlink {
	return func(p string) (string, bool) {
		target, err := root.Readlink(filepath.FromSlash(p))
		return filepath.ToSlash(target), err == nil
	}
}

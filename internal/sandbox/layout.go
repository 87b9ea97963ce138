package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// kind is what a place of the sandbox is.
type kind string

const (
	readOnly  kind = "ro"    // what lies there outside, not to be written
	readWrite kind = "rw"    // what lies there outside
	link      kind = "link"  // a symbolic link
	empty     kind = "empty" // an empty folder, over what lies there outside
)

// place is one thing that a process sees, with all below it.
type place struct {
	Kind kind   `json:"kind"`
	At   string `json:"at"`
	// From is what lies there where that is another path outside, or what a link says.
	From string `json:"from,omitempty"`
}

// systemFolders hold the programs and libraries of the system. What is not there is left out. Of /etc it is what the loader and
// names like /usr/bin/cc lead through: the rest tells of this machine and its users. Nix's profiles are links into its store.
var systemFolders = []string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
	"/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
	"/nix/store", "/run/current-system", "/nix/var/nix/profiles/default",
}

const tmp = "/tmp"

// layout collects places by path.
type layout map[string]place

// newLayout has the folders of the system. hidden are folders that must not be seen even where one of those has them.
func newLayout(system, hidden []string) (layout, error) {
	l := layout{}
	for _, dir := range system {
		if err := l.add(readOnly, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	for _, dir := range hidden {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			continue // what is not there needs no hiding
		}
		if l.shows(real) {
			l[real] = place{Kind: empty, At: real}
		}
	}
	return l, nil
}

// add makes a path visible, with the links that lead to it.
func (l layout) add(k kind, path string) error {
	real, err := l.follow(path)
	if err != nil {
		return err
	}
	if k == readOnly && l.shows(filepath.Join(real, "x")) {
		return nil
	}
	l[real] = place{Kind: k, At: real}
	return nil
}

// mostLinks is how many links lead to a file at most, as Linux counts.
const mostLinks = 40

// follow adds the links on the way of a path, and returns the path without them.
func (l layout) follow(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("the sandbox takes no relative path: %q", path)
	}
	at, rest, links := "/", split(path), 0
	for len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		to, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if links++; links > mostLinks {
			return "", fmt.Errorf("%s: too many links", path)
		}
		if !l.shows(next) {
			l[next] = place{Kind: link, At: next, From: to}
		}
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = slices.Concat(split(to), rest)
	}
	return at, nil
}

func split(path string) []string {
	return strings.FieldsFunc(filepath.Clean(path), func(r rune) bool { return r == filepath.Separator })
}

// shows tells whether a path is seen by what was added above it.
func (l layout) shows(path string) bool {
	p, ok := l.above(path)
	return ok && (p.Kind == readOnly || p.Kind == readWrite) && p.From == ""
}

// above is the place nearest above a path.
func (l layout) above(path string) (place, bool) {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if p, ok := l[dir]; ok {
			return p, true
		}
		if dir == filepath.Dir(dir) {
			return place{}, false
		}
	}
}

// places are in order: what lies above comes first.
func (l layout) places() []place {
	var all []place
	for _, p := range l {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b place) int { return strings.Compare(a.At, b.At) })
	return all
}

package initfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/pannous/redox-clif/internal/symlink"
)

// Kind is what a node is.
type Kind int

// The kinds an initfs can hold.
const (
	File Kind = iota
	Dir
	Link
)

func (k Kind) String() string {
	switch k {
	case File:
		return "file"
	case Dir:
		return "directory"
	case Link:
		return "link"
	}
	return fmt.Sprintf("kind %d", int(k))
}

// Node is one file, directory or link.
type Node struct {
	Name string // one path component; empty for the root
	Kind Kind
	// Perm holds 12 permission bits. V1 stores them. V2 stores only whether a
	// file is executable; its readers see 0444, 0555 and 0555 for directories.
	Perm     uint16
	Content  Content // files
	Target   string  // links: relative to the link's directory, slash-separated
	Children []*Node // directories; sorted bytewise by name when read

	// Where it was found; set by Open, ignored by the writer.
	Inode  int
	Offset int64 // of the data, in bytes from the image's start
}

// Exec reports whether any execute bit is set.
func (n *Node) Exec() bool { return n.Perm&0o111 != 0 }

// Size is the length of a file's content or a link's target in bytes.
func (n *Node) Size() int64 {
	switch {
	case n.Kind == Link:
		return int64(len(n.Target))
	case n.Kind == File && n.Content != nil:
		return n.Content.Size()
	}
	return 0
}

// Child returns the child with that name, or nil.
func (n *Node) Child(name string) *Node {
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// Lookup finds a node by its slash-separated path from n, without following
// links. It returns an error that wraps fs.ErrNotExist and names the component.
func (n *Node) Lookup(name string) (*Node, error) {
	cur := n
	for _, part := range strings.Split(strings.Trim(name, "/"), "/") {
		if part == "" || part == "." {
			continue
		}
		if cur.Kind != Dir {
			return nil, fmt.Errorf("%s: %q is a %s, not a directory: %w", name, cur.Name, cur.Kind, fs.ErrNotExist)
		}
		next := cur.Child(part)
		if next == nil {
			return nil, fmt.Errorf("%s: no %q there: %w", name, part, fs.ErrNotExist)
		}
		cur = next
	}
	return cur, nil
}

// Walk calls fn for n and everything under it, parents first, in the order of
// Children. The root's path is ".". fn may return fs.SkipDir.
func (n *Node) Walk(fn func(path string, n *Node) error) error {
	err := walk(n, ".", fn)
	if errors.Is(err, fs.SkipDir) || errors.Is(err, fs.SkipAll) {
		return nil
	}
	return err
}

func walk(n *Node, at string, fn func(string, *Node) error) error {
	if err := fn(at, n); err != nil {
		return err
	}
	for _, c := range n.Children {
		if err := walk(c, path.Join(at, c.Name), fn); err != nil && !errors.Is(err, fs.SkipDir) {
			return err
		}
	}
	return nil
}

// Content is the bytes of a file; it is opened only while it is written, so a
// tree of many files holds no descriptors.
type Content interface {
	Size() int64 // in bytes; the stream must have exactly that many
	Open() (io.ReadCloser, error)
}

// Copier is content that knows a better way to be copied than being read. It writes exactly Size bytes.
type Copier interface {
	Content
	CopyTo(ctx context.Context, w io.Writer) error
}

// Bytes is content held in memory.
func Bytes(b []byte) Content { return memory(b) }

type memory []byte

func (m memory) Size() int64                  { return int64(len(m)) }
func (m memory) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m)), nil }

// FileContent is the content of a regular file, whose size is taken now: if the
// file changes before it is written, writing fails.
func FileContent(name string) (Content, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	return hostFile{name, info.Size()}, nil
}

type hostFile struct {
	name string
	size int64
}

func (h hostFile) Size() int64                  { return h.size }
func (h hostFile) Open() (io.ReadCloser, error) { return os.Open(h.name) }

// section is content inside an image that stays open.
type section struct {
	r        io.ReaderAt
	off, len int64
}

func (s section) Size() int64 { return s.len }
func (s section) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.NewSectionReader(s.r, s.off, s.len)), nil
}

// checkName says what is wrong with a path component.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("empty name")
	case name == "." || name == "..":
		return fmt.Errorf("name %q is not allowed", name)
	case len(name) > MaxNameLen:
		return fmt.Errorf("name of %d bytes, at most %d are allowed", len(name), MaxNameLen)
	case strings.ContainsAny(name, "/\x00"):
		return fmt.Errorf("name %q has a slash or a NUL", name)
	}
	return nil
}

// checkTreeName adds what the bootstrap's directory listing asks for: it
// answers EIO for a directory with a name that is not UTF-8.
func checkTreeName(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if !utf8.ValidString(name) {
		return fmt.Errorf("name %q is not UTF-8", name)
	}
	return nil
}

// sorted returns the children in bytewise order without changing the tree.
func sorted(children []*Node) []*Node {
	out := append([]*Node(nil), children...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// storedTarget converts the target of a link that stays inside, as a Node holds it, into the image's form. dir
// is the link's directory from the root ("." for the root).
func storedTarget(g geometry, dir, target string) string {
	if g.targetsRoot {
		return path.Join(dir, target)
	}
	return target
}

// checkTarget refuses what can be no link's target anywhere.
func checkTarget(target string) error {
	switch {
	case target == "":
		return errors.New("empty link target")
	case strings.Contains(target, "\x00"):
		return fmt.Errorf("link target %q has a NUL", target)
	}
	return nil
}

// outside tells which of an image's links lead out of it, and how. Upstream's archiver makes such links of absolute ones.
func outside(g geometry, links map[string]string) map[string]error {
	found, relative := map[string]error{}, map[string]string{}
	for p, target := range links {
		if path.IsAbs(target) {
			found[p] = fmt.Errorf("link target %q is absolute: readers take targets as relative and would mangle it; write it relative to the link", target)
			continue
		}
		// Where targets are stored from the root, what "x/.." means is settled then, whatever x is.
		relative[p] = nodeTarget(g, path.Dir(p), storedTarget(g, path.Dir(p), target))
		if g.targetsRoot && escapes(path.Join(path.Dir(p), target)) {
			relative[p] = target
		}
	}
	for _, leaves := range symlink.Leaving(relative) {
		found[leaves.Path] = fmt.Errorf("link target %q leaves the image: %w", links[leaves.Path], leaves)
	}
	return found
}

func escapes(clean string) bool { return clean == ".." || strings.HasPrefix(clean, "../") }

// nodeTarget is the inverse of storedTarget. A stored target that no writer of
// ours would produce is returned as it is; Verify reports it.
func nodeTarget(g geometry, dir, stored string) string {
	if !g.targetsRoot || stored == "" || path.IsAbs(stored) || escapes(path.Clean(stored)) {
		return stored
	}
	return relative(dir, path.Clean(stored))
}

// relative expresses the clean path to, seen from the clean directory from.
func relative(from, to string) string {
	var a, b []string
	if from != "." {
		a = strings.Split(from, "/")
	}
	if to != "." {
		b = strings.Split(to, "/")
	}
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	out := strings.Repeat("../", len(a)) + strings.Join(b, "/")
	if out = strings.TrimSuffix(out, "/"); out == "" {
		return "."
	}
	return out
}

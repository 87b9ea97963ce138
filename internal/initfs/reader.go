package initfs

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// Image is an opened image. Its nodes' contents read from the underlying
// reader, which must stay open as long as they are used.
type Image struct {
	Version    Version
	Size       int64 // in bytes, the same as the file's length
	Entry      uint64
	BuildTime  Time // V1 only
	InodeCount int
	Root       *Node
	// Bootstrap is the bootstrap's ELF without its padding; nil when the image
	// has none. The package comment says how its length is found.
	Bootstrap Content

	r       io.ReaderAt
	geo     geometry
	inodes  []inode
	extents []extent
	named   []uint16 // how many dirents name each inode
}

// inode is one record of the table.
type inode struct {
	word     uint32 // V1: type<<28|mode, V2: type
	off, len int64
	uid, gid uint32
}

// extent is a part of the image that something refers to.
type extent struct {
	off, len int64
	what     string // the structure's name in the package comment
	node     *Node  // whose it is, if anyone's
}

// Open reads an image's structure: every offset, length, number and name is
// checked, and what it allocates is bounded by the image's size and the
// format's limits. It does not read file contents. An image without a bootstrap
// opens; Verify reports it.
func Open(r io.ReaderAt, size int64) (*Image, error) {
	h, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	img := &Image{
		Version: h.version, Size: size, Entry: h.entry, BuildTime: h.time, InodeCount: h.inodeCount,
		r: r, geo: h.version.geometry(), named: make([]uint16, h.inodeCount),
	}
	img.use(0, img.geo.headerSize, "header", nil)
	if err := img.readInodes(h); err != nil {
		return nil, err
	}
	tree := treeReader{img: img, strings: map[[2]int64]string{}}
	if img.Root, err = tree.read(h.root); err != nil {
		return nil, err
	}
	if err := img.findBootstrap(); err != nil {
		return nil, err
	}
	return img, nil
}

// ImageFile is an Image in an open file.
type ImageFile struct {
	*Image
	f *os.File
}

// Close closes the file; the nodes' contents cannot be read afterwards.
func (f *ImageFile) Close() error { return f.f.Close() }

// OpenFile opens an image by its name.
func OpenFile(name string) (*ImageFile, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for who writes to it
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err != nil {
		_ = f.Close()
		return nil, err
	}
	img, err := Open(f, info.Size())
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &ImageFile{img, f}, nil
}

// Walk visits the tree; see Node.Walk.
func (img *Image) Walk(fn func(path string, n *Node) error) error { return img.Root.Walk(fn) }

func (img *Image) use(off, length int64, what string, n *Node) {
	if length > 0 {
		img.extents = append(img.extents, extent{off, length, what, n})
	}
}

// bytes reads a range that was checked to lie inside the image.
func (img *Image) bytes(off, length int64, field string) ([]byte, error) {
	b := make([]byte, length)
	if n, err := img.r.ReadAt(b, off); n < len(b) {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("offset %#x, %s: %w", off, field, err)
	}
	return b, nil
}

func (img *Image) readInodes(h header) error {
	table, err := img.bytes(h.inodeTable, int64(h.inodeCount)*img.geo.inodeSize, "inode table")
	if err != nil {
		return err
	}
	img.use(h.inodeTable, int64(len(table)), "inode table", nil)
	le := binary.LittleEndian
	img.inodes = make([]inode, h.inodeCount)
	for i := range img.inodes {
		at := int64(i) * img.geo.inodeSize
		rec := table[at : at+img.geo.inodeSize]
		n := inode{word: le.Uint32(rec), len: int64(le.Uint32(rec[4:])), off: int64(le.Uint32(rec[8:]))}
		if img.Version == V1 {
			n.uid, n.gid = le.Uint32(rec[12:]), le.Uint32(rec[16:])
		}
		if n.off+n.len > img.Size {
			return bad(h.inodeTable+at+4, fmt.Sprintf("inode %d", i), "data %#x..%#x is outside the file of %#x bytes", n.off, n.off+n.len, img.Size)
		}
		img.inodes[i] = n
	}
	return nil
}

// kindPerm decodes an inode's first word.
func (img *Image) kindPerm(word uint32) (Kind, uint16, error) {
	t, perm := word, uint16(0o444)
	if img.Version == V1 {
		t, perm = word>>28, uint16(word&0o7777)
	}
	switch t {
	case img.geo.dirType:
		if img.Version == V2 {
			perm = 0o555
		}
		return Dir, perm, nil
	case img.geo.linkType:
		if img.Version == V2 {
			perm = 0o777
		}
		return Link, perm, nil
	case img.geo.fileType:
		return File, perm, nil
	case img.geo.execType: // V2 only: in V1 it is fileType
		return File, 0o555, nil
	}
	return 0, 0, fmt.Errorf("unknown type %d", t)
}

// treeReader builds the tree within budgets: a hostile image may point many
// directories at the same dirents and many dirents at the same names.
type treeReader struct {
	img      *Image
	strings  map[[2]int64]string
	entries  int   // dirents read
	textSize int64 // bytes of names and targets read
}

// pending is a directory whose dirents are to be read.
type pending struct {
	node *Node
	path string
}

func (t *treeReader) read(root int) (*Node, error) {
	node, err := t.node(root, "", ".", ".")
	if err != nil {
		return nil, err
	}
	if node.Kind != Dir {
		return nil, bad(t.inodeAt(root), fmt.Sprintf("inode %d", root), "the root is a %s, want a directory", node.Kind)
	}
	t.img.named[root]++
	// An explicit stack: depth is the image's choice.
	for stack := []pending{{node, "."}}; len(stack) > 0; {
		top := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if err := t.children(top); err != nil {
			return nil, err
		}
		for _, c := range top.node.Children {
			if c.Kind == Dir {
				stack = append(stack, pending{c, path.Join(top.path, c.Name)})
			}
		}
	}
	return node, nil
}

func (t *treeReader) inodeAt(i int) int64 {
	return t.img.extents[1].off + int64(i)*t.img.geo.inodeSize
}

// node makes the Node of an inode; dir is the path of the directory it is in.
func (t *treeReader) node(number int, name, at, dir string) (*Node, error) {
	img := t.img
	rec := img.inodes[number]
	field := fmt.Sprintf("inode %d (%s)", number, at)
	kind, perm, err := img.kindPerm(rec.word)
	if err != nil {
		return nil, bad(t.inodeAt(number), field, "%v", err)
	}
	n := &Node{Name: name, Kind: kind, Perm: perm, Inode: number, Offset: rec.off}
	switch kind {
	case File:
		n.Content = section{img.r, rec.off, rec.len}
		img.use(rec.off, rec.len, "data", n)
	case Link:
		if rec.len > MaxPathLen {
			return nil, bad(t.inodeAt(number)+4, field, "link target of %d bytes, at most %d are allowed", rec.len, MaxPathLen)
		}
		stored, err := t.text(rec.off, rec.len, field)
		if err != nil {
			return nil, err
		}
		n.Target = nodeTarget(img.geo, dir, stored)
		img.use(rec.off, rec.len, "link target", n)
	case Dir:
		img.use(rec.off, rec.len, "dirents", n)
	}
	return n, nil
}

func (t *treeReader) children(dir pending) error {
	img, rec := t.img, t.img.inodes[dir.node.Inode]
	field := fmt.Sprintf("dirents of %s", dir.path)
	if rec.len%direntSize != 0 {
		return bad(rec.off, field, "%d bytes, not a multiple of %d", rec.len, direntSize)
	}
	count := int(rec.len / direntSize)
	// Every inode is named once, save for files an image may name twice; more
	// dirents than there can be inodes is a directory read over and over.
	if t.entries += count; t.entries > MaxInodes {
		return bad(rec.off, field, "more than %d dirents in the image", MaxInodes)
	}
	raw, err := img.bytes(rec.off, rec.len, field)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	names := make(map[string]bool, count)
	for i := range count {
		at := rec.off + int64(i)*direntSize
		d := raw[i*direntSize:]
		n, err := t.dirent(dir, at, int(le.Uint16(d)), int64(le.Uint32(d[4:])), int64(le.Uint16(d[2:])))
		if err != nil {
			return err
		}
		if names[n.Name] {
			return bad(at, field, "%q is there twice", n.Name)
		}
		names[n.Name] = true
		dir.node.Children = append(dir.node.Children, n)
	}
	dir.node.Children = sorted(dir.node.Children)
	return nil
}

func (t *treeReader) dirent(dir pending, at int64, number int, nameOff, nameLen int64) (*Node, error) {
	img := t.img
	field := fmt.Sprintf("dirent in %s", dir.path)
	if number >= len(img.inodes) {
		return nil, bad(at, field+", inode", "%d of %d inodes", number, len(img.inodes))
	}
	if nameOff+nameLen > img.Size {
		return nil, bad(at+4, field+", name_off", "name %#x..%#x is outside the file of %#x bytes", nameOff, nameOff+nameLen, img.Size)
	}
	if nameLen > MaxNameLen {
		return nil, bad(at+2, field+", name_len", "%d, at most %d are allowed", nameLen, MaxNameLen)
	}
	name, err := t.text(nameOff, nameLen, field+", name")
	if err != nil {
		return nil, err
	}
	if err := checkName(name); err != nil {
		return nil, bad(nameOff, field+", name", "%v", err)
	}
	full := path.Join(dir.path, name)
	if len(full) > MaxPathLen {
		return nil, bad(at, field, "path of %d bytes, at most %d are allowed", len(full), MaxPathLen)
	}
	n, err := t.node(number, name, full, dir.path)
	if err != nil {
		return nil, err
	}
	if n.Kind == Dir && img.named[number] > 0 {
		return nil, bad(at, field+", inode", "directory inode %d is named twice or contains itself (%s)", number, full)
	}
	img.named[number]++
	img.use(nameOff, nameLen, "name", n)
	return n, nil
}

// text reads a short string. Honest images have each of them once or share
// equal ones, so all different ranges together are at most the image's size.
func (t *treeReader) text(off, length int64, field string) (string, error) {
	key := [2]int64{off, length}
	if s, ok := t.strings[key]; ok {
		return s, nil
	}
	if t.textSize += length; t.textSize > t.img.Size {
		return "", bad(off, field, "names and link targets overlap: together they are longer than the image")
	}
	b, err := t.img.bytes(off, length, field)
	if err != nil {
		return "", err
	}
	s := strings.Clone(string(b))
	t.strings[key] = s
	return s, nil
}

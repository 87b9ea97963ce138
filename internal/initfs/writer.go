package initfs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/reserve"
	"github.com/pannous/redox-clif/internal/secretkey"
)

// Bootstrap is the program the kernel starts.
type Bootstrap struct {
	Content Content // the raw ELF
	Entry   uint64  // its e_entry; the caller has checked the ELF
}

// Time is a point in time as V1 stores it.
type Time struct {
	Sec  uint64 // since 1970
	Nsec uint32
}

// Spec is everything an image is made of. Equal specs give equal bytes.
type Spec struct {
	Version   Version
	Bootstrap Bootstrap
	Root      *Node
	BuildTime Time  // V1 only; zero for reproducible images
	MaxSize   int64 // bytes; 0 means DefaultMaxSize
	Share     bool  // files with equal bytes get one copy; see the package comment
	// KeepOutside writes links that lead out of the image as they are. Without it they are refused: it is for images that have
	// them already.
	KeepOutside bool
}

// Summary tells what was written.
type Summary struct {
	Size   int64 // of the image in bytes
	Inodes int
	Saved  int64 // bytes not written because of Spec.Share, in whole pages
}

// Write writes an image. Everything that can be wrong with the spec is found
// and reported, all at once, before the first byte. A file that changes its
// size meanwhile is an error. Files are opened one at a time.
func Write(ctx context.Context, w io.Writer, spec Spec) (Summary, error) {
	l, err := plan(spec)
	if err != nil {
		return Summary{}, err
	}
	l.reserve(w)
	if err := l.write(ctx, w); err != nil {
		return Summary{}, err
	}
	return Summary{Size: l.size, Inodes: len(l.nodes), Saved: l.saved}, nil
}

// WriteFile writes an image beside name and renames it into place after a sync,
// so that name is always an old or a whole new image.
func WriteFile(ctx context.Context, name string, spec Spec) (Summary, error) {
	return writeFile(ctx, name, spec, 0o644)
}

func writeFile(ctx context.Context, name string, spec Spec, perm os.FileMode) (Summary, error) {
	// Without the directory renameio may choose TMPDIR.
	pending, err := renameio.NewPendingFile(name, renameio.WithTempDir(filepath.Dir(name)), renameio.WithPermissions(perm), renameio.IgnoreUmask())
	if err != nil {
		return Summary{}, err
	}
	defer pending.Cleanup()
	sum, err := Write(ctx, &reserve.Writer{File: pending.File}, spec)
	if err != nil {
		return Summary{}, err
	}
	return sum, pending.CloseAtomicallyReplace()
}

// placed is a node with its place in the image.
type placed struct {
	*Node
	path     string
	children []*placed
	inode    int
	target   string // as stored
	off, len int64
	shared   bool // the data is written by another node
}

// layout is an image whose every offset is known.
type layout struct {
	spec      Spec
	geo       geometry
	root      *placed
	nodes     []*placed // by inode number
	files     []*placed // in the order of their data
	table     int64     // offset of the inode table
	dirents   int64
	names     int64
	targets   int64
	size      int64
	saved     int64
	bootstrap int64 // length
}

// plan checks the spec and gives everything its place.
func plan(spec Spec) (*layout, error) {
	if spec.Version != V1 && spec.Version != V2 {
		return nil, fmt.Errorf("initfs layout %d: want 1 or 2", int(spec.Version))
	}
	l := &layout{spec: spec, geo: spec.Version.geometry()}
	var problems *multierror.Error
	report := func(err error) { problems = multierror.Append(problems, err) }
	l.checkBootstrap(report)
	l.number(report)
	l.checkSecrets(report)
	if err := problems.ErrorOrNil(); err != nil {
		return nil, err
	}
	if err := l.place(); err != nil {
		return nil, err
	}
	return l, nil
}

// checkSecrets refuses secret keys: an image is for others.
func (l *layout) checkSecrets(report func(error)) {
	for _, n := range l.nodes {
		if n.Content == nil || !secretkey.Possible(n.Content.Size()) {
			continue
		}
		r, err := n.Content.Open()
		if err == nil {
			err = errors.Join(secretkey.Check(n.path, r), r.Close())
		}
		if err != nil {
			report(err)
		}
	}
}

func (l *layout) checkBootstrap(report func(error)) {
	b := l.spec.Bootstrap
	if b.Content == nil || b.Content.Size() <= 0 {
		report(errors.New("no bootstrap: the kernel would fault at FFFFFFFFFFFFFFFF"))
		return
	}
	l.bootstrap = b.Content.Size()
	if b.Entry == NoEntry {
		report(errors.New("bootstrap entry FFFFFFFFFFFFFFFF: that is what the upstream tool writes when there is no bootstrap; the kernel would fault there"))
		return
	}
	if low, high := uint64(ImageBase+BootstrapOffset), uint64(ImageBase+BootstrapOffset+l.bootstrap); b.Entry < low || b.Entry >= high {
		report(fmt.Errorf("bootstrap entry %#x is outside the bootstrap, which the kernel maps at %#x..%#x", b.Entry, low, high))
	}
	head := make([]byte, 32)
	r, err := b.Content.Open()
	if err != nil {
		report(fmt.Errorf("bootstrap: %w", err))
		return
	}
	defer r.Close()
	n, _ := io.ReadFull(r, head)
	if !bytes.HasPrefix(head[:n], []byte("\x7fELF")) || n < len(head) {
		report(errors.New("bootstrap is not an ELF file"))
	} else if e := binary.LittleEndian.Uint64(head[0x18:]); e != b.Entry {
		report(fmt.Errorf("bootstrap entry %#x is not the ELF's own, %#x", b.Entry, e))
	}
}

// number checks the tree and gives out inode numbers: parents first, siblings
// by name, and in V2 the root last.
func (l *layout) number(report func(error)) {
	root := l.spec.Root
	if root == nil || root.Kind != Dir {
		report(errors.New("the root is not a directory"))
		return
	}
	seen := map[*Node]bool{}
	l.root = &placed{Node: root, path: "."}
	if l.spec.Version == V1 {
		l.nodes = append(l.nodes, l.root)
	}
	l.descend(l.root, seen, report)
	l.setTargets(report)
	if l.spec.Version == V2 {
		l.nodes = append(l.nodes, l.root)
	}
	if len(l.nodes) > MaxInodes {
		report(fmt.Errorf("%d inodes, at most %d fit", len(l.nodes), MaxInodes))
	}
	for i, n := range l.nodes {
		n.inode = i
	}
}

func (l *layout) descend(dir *placed, seen map[*Node]bool, report func(error)) {
	if seen[dir.Node] {
		report(fmt.Errorf("%s: the directory contains itself or is in the tree twice", dir.path))
		return
	}
	seen[dir.Node] = true
	previous := ""
	for i, c := range sorted(dir.Children) {
		if err := checkTreeName(c.Name); err != nil {
			report(fmt.Errorf("%s: %w", dir.path, err))
			continue
		}
		p := &placed{Node: c, path: path.Join(dir.path, c.Name)}
		if len(p.path) > MaxPathLen {
			report(fmt.Errorf("%.64s…: path of %d bytes, at most %d are allowed", p.path, len(p.path), MaxPathLen))
			continue
		}
		if i > 0 && c.Name == previous {
			report(fmt.Errorf("%s: twice in the tree", p.path))
		}
		previous = c.Name
		l.check(p, report)
		dir.children = append(dir.children, p)
		l.nodes = append(l.nodes, p)
		if c.Kind == Dir {
			l.descend(p, seen, report)
		}
	}
}

func (l *layout) check(p *placed, report func(error)) {
	if p.Perm&^0o7777 != 0 {
		report(fmt.Errorf("%s: permissions %#o have more than 12 bits", p.path, p.Perm))
	}
	switch p.Kind {
	case File:
		if p.Content == nil {
			report(fmt.Errorf("%s: a file without content", p.path))
		}
	case Link:
		if err := checkTarget(p.Target); err != nil {
			report(fmt.Errorf("%s: %w", p.path, err))
		}
	case Dir:
	default:
		report(fmt.Errorf("%s: unknown %s", p.path, p.Kind))
	}
}

// setTargets gives the links their targets as they are stored. Where one leads depends on the others.
func (l *layout) setTargets(report func(error)) {
	links := map[string]string{}
	for _, n := range l.nodes {
		if n.Kind == Link {
			links[n.path] = n.Target
		}
	}
	leaving := outside(l.geo, links)
	for _, n := range l.nodes {
		switch err := leaving[n.path]; {
		case n.Kind != Link:
		case err == nil:
			n.target = storedTarget(l.geo, path.Dir(n.path), n.Target)
		case l.spec.KeepOutside:
			n.target = n.Target // as nodeTarget has read it
		default:
			report(fmt.Errorf("%s: %w", n.path, err))
		}
	}
}

// place computes every offset: data first, on pages, then the packed tables.
func (l *layout) place() error {
	end := pageUp(BootstrapOffset + l.bootstrap)
	sharer := newSharer(l.spec.Share, l.nodes)
	for _, n := range l.nodes {
		if n.Kind != File {
			continue
		}
		n.len = n.Content.Size()
		if n.len < 0 || n.len > MaxImageSize {
			return fmt.Errorf("%s: %d bytes do not fit the format's u32", n.path, n.len)
		}
		twin, err := sharer.twin(n)
		if err != nil {
			return err
		}
		if twin != nil {
			n.off, n.shared = twin.off, true
			l.saved += pageUp(n.len)
			continue
		}
		n.off = end
		end += pageUp(n.len)
		l.files = append(l.files, n)
	}
	l.placeTables(end)
	maxSize := l.spec.MaxSize
	if maxSize == 0 {
		maxSize = DefaultMaxSize
	}
	if l.size > maxSize || l.size > MaxImageSize {
		return fmt.Errorf("the image would have %d bytes, the limit is %d; largest file: %s", l.size, min(maxSize, MaxImageSize), l.largest())
	}
	return nil
}

func (l *layout) placeTables(end int64) {
	l.table = end
	end += l.geo.inodeSize * int64(len(l.nodes))
	l.dirents = end
	var names int64
	for _, n := range l.nodes {
		if n.Kind == Dir {
			n.off, n.len = end, direntSize*int64(len(n.children))
			end += n.len
		}
		names += int64(len(n.Name))
	}
	names -= int64(len(l.root.Name))
	l.names = end
	end += names
	l.targets = end
	for _, n := range l.nodes {
		if n.Kind == Link {
			n.off, n.len = end, int64(len(n.target))
			end += n.len
		}
	}
	l.size = end
}

func (l *layout) largest() string {
	name, size := "none", int64(-1)
	for _, f := range l.files {
		if f.len > size {
			name, size = f.path, f.len
		}
	}
	return fmt.Sprintf("%s (%d bytes)", name, size)
}

// reserve tells the size of the image to an output that can make use of it.
func (l *layout) reserve(w io.Writer) {
	switch w := w.(type) {
	case *os.File:
		reserve.File(w, l.size)
	case interface{ Reserve(size int64) }:
		w.Reserve(l.size)
	}
}

// write streams the planned image.
func (l *layout) write(ctx context.Context, w io.Writer) error {
	out := &padder{w: w}
	if err := out.bytes(l.header()); err != nil {
		return err
	}
	if err := out.content(ctx, BootstrapOffset, l.spec.Bootstrap.Content); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	for _, f := range l.files {
		if f.len == 0 {
			continue
		}
		if err := out.content(ctx, f.off, f.Content); err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	if err := out.pad(l.table); err != nil {
		return err
	}
	return out.bytes(l.tables())
}

func (l *layout) header() []byte {
	h := make([]byte, l.geo.headerSize)
	le := binary.LittleEndian
	copy(h, magic)
	le.PutUint32(h[atInodeTable:], uint32(l.table))
	if l.spec.Version == V1 {
		le.PutUint64(h[atV1Sec:], l.spec.BuildTime.Sec)
		le.PutUint32(h[atV1Nsec:], l.spec.BuildTime.Nsec)
	} else {
		le.PutUint16(h[atV2Root:], uint16(l.root.inode))
	}
	le.PutUint16(h[atInodeCount:], uint16(len(l.nodes)))
	le.PutUint64(h[atEntry:], l.spec.Bootstrap.Entry)
	le.PutUint64(h[l.geo.sizeAt:], uint64(l.size))
	le.PutUint16(h[l.geo.pageAt:], PageSize)
	return h
}

func (l *layout) tables() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, l.size-l.table)
	for _, n := range l.nodes {
		b = le.AppendUint32(b, l.typeWord(n))
		b = le.AppendUint32(b, uint32(n.len))
		b = le.AppendUint32(b, uint32(n.off))
		if l.spec.Version == V1 {
			b = append(b, make([]byte, 8)...) // uid, gid
		}
	}
	name := l.names
	for _, n := range l.nodes {
		for _, c := range n.children {
			b = le.AppendUint16(b, uint16(c.inode))
			b = le.AppendUint16(b, uint16(len(c.Name)))
			b = le.AppendUint32(b, uint32(name))
			name += int64(len(c.Name))
		}
	}
	for _, n := range l.nodes {
		for _, c := range n.children {
			b = append(b, c.Name...)
		}
	}
	for _, n := range l.nodes {
		b = append(b, n.target...)
	}
	return b
}

func (l *layout) typeWord(n *placed) uint32 {
	var t uint32
	switch {
	case n.Kind == Dir:
		t = l.geo.dirType
	case n.Kind == Link:
		t = l.geo.linkType
	case n.Exec():
		t = l.geo.execType
	default:
		t = l.geo.fileType
	}
	if l.spec.Version == V1 {
		return t<<28 | uint32(n.Perm)
	}
	return t
}

// padder writes at growing offsets, with zeros in between.
type padder struct {
	w   io.Writer
	at  int64
	buf []byte
}

var zeros [PageSize]byte

func (p *padder) bytes(b []byte) error {
	n, err := p.w.Write(b)
	p.at += int64(n)
	return err
}

func (p *padder) pad(to int64) error {
	for p.at < to {
		if err := p.bytes(zeros[:min(to-p.at, PageSize)]); err != nil {
			return err
		}
	}
	return nil
}

// copyBuffer was measured on a warm page cache: from 1 MiB on the kernel
// allocates large folios for the output, below that packing takes a third more.
const copyBuffer = 1 << 20

func (p *padder) content(ctx context.Context, at int64, c Content) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.pad(at); err != nil {
		return err
	}
	if c, ok := c.(Copier); ok {
		return p.copied(ctx, c)
	}
	r, err := c.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if p.buf == nil {
		p.buf = make([]byte, copyBuffer)
	}
	// The wrappers keep io from choosing its own way around the buffer.
	n, err := io.CopyBuffer(onlyWriter{p.w}, &io.LimitedReader{R: ctxReader{ctx, r}, N: c.Size()}, p.buf)
	p.at += n
	if err != nil {
		return err
	}
	if n < c.Size() {
		return fmt.Errorf("the file changed while it was packed: %d bytes are left of %d", n, c.Size())
	}
	if extra, _ := r.Read(p.buf[:1]); extra != 0 {
		return fmt.Errorf("the file changed while it was packed: it is longer than the %d bytes it had", c.Size())
	}
	return nil
}

// copied has content write itself.
func (p *padder) copied(ctx context.Context, c Copier) error {
	w := &exactly{w: p.w, left: c.Size()}
	err := c.CopyTo(ctx, w)
	p.at += c.Size() - w.left
	if err == nil && w.left > 0 {
		err = fmt.Errorf("the file changed while it was packed: %d bytes are left of %d", c.Size()-w.left, c.Size())
	}
	return err
}

// exactly refuses what is more than the size that was planned: it would lie where the next file begins.
type exactly struct {
	w    io.Writer
	left int64
}

func (e *exactly) Write(b []byte) (int, error) {
	if int64(len(b)) > e.left {
		return 0, errors.New("the file changed while it was packed: it is longer than it was")
	}
	n, err := e.w.Write(b)
	e.left -= int64(n)
	return n, err
}

type onlyWriter struct{ io.Writer }

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

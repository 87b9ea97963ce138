package initfs

import (
	"encoding/binary"
	"fmt"
	"io"
	"sort"
	"unicode/utf8"

	"github.com/hashicorp/go-multierror"
)

// Verify reports everything that is wrong with an image that opened, each with
// its offset: structures that overlap, data off its page or not padded with
// zeros, inodes nobody names, a bootstrap that is missing or is not where its
// entry points. The result is a *multierror.Error, or nil.
func (img *Image) Verify() error {
	var problems *multierror.Error
	report := func(err error) { problems = multierror.Append(problems, err) }
	img.verifyBootstrap(report)
	img.verifyExtents(report)
	img.verifyInodes(report)
	img.verifyTree(report)
	return problems.ErrorOrNil()
}

// Bootable reports what would stop the image from reaching init, beyond
// Verify: the bootstrap runs /scheme/initfs/bin/init and follows no links.
func (img *Image) Bootable() error {
	if img.Bootstrap == nil {
		return bad(atEntry, "bootstrap_entry", "no bootstrap")
	}
	n, err := img.Root.Lookup("bin/init")
	if err != nil {
		return fmt.Errorf("the bootstrap runs bin/init: %w", err)
	}
	if n.Kind != File || !n.Exec() {
		return fmt.Errorf("bin/init is a %s with permissions %#o: the bootstrap needs an executable file and follows no links", n.Kind, n.Perm)
	}
	return nil
}

// OutsideLink is a link that leads out of the image. It is no damage: Redox may have something there.
type OutsideLink struct {
	Path   string `json:"path"`
	Target string `json:"target"`
	Why    string `json:"why"`
}

// OutsideLinks are the links of the image that lead out of it, in the order of the tree.
func (img *Image) OutsideLinks() []OutsideLink {
	links, order := map[string]string{}, []string{}
	_ = img.Walk(func(at string, n *Node) error {
		if n.Kind == Link {
			links[at], order = n.Target, append(order, at)
		}
		return nil
	})
	var all []OutsideLink
	leaving := outside(img.geo, links)
	for _, at := range order {
		if err := leaving[at]; err != nil {
			all = append(all, OutsideLink{at, links[at], err.Error()})
		}
	}
	return all
}

func (img *Image) verifyBootstrap(report func(error)) {
	if img.Entry == NoEntry || img.Bootstrap == nil {
		report(bad(atEntry, "bootstrap_entry", "%#x: no bootstrap, the kernel would fault", img.Entry))
		return
	}
	low, high := uint64(ImageBase+BootstrapOffset), uint64(ImageBase+BootstrapOffset+img.Bootstrap.Size())
	if img.Entry < low || img.Entry >= high {
		report(bad(atEntry, "bootstrap_entry", "%#x is outside the bootstrap, which is mapped at %#x..%#x", img.Entry, low, high))
	}
	h := make([]byte, 0x20)
	if _, err := img.r.ReadAt(h, BootstrapOffset); err != nil || string(h[:4]) != "\x7fELF" {
		report(bad(BootstrapOffset, "bootstrap", "not an ELF file"))
		return
	}
	if e := binary.LittleEndian.Uint64(h[0x18:]); e != img.Entry {
		report(bad(atEntry, "bootstrap_entry", "%#x, but the ELF's own entry is %#x", img.Entry, e))
	}
}

// verifyExtents reports overlaps. The same range twice is fine for file data,
// names and link targets: their readers only ever read them.
func (img *Image) verifyExtents(report func(error)) {
	list := append([]extent(nil), img.extents...)
	sort.SliceStable(list, func(i, j int) bool { return list[i].off < list[j].off })
	var last extent
	for i, e := range list {
		same := e.off == last.off && e.len == last.len && e.what == last.what && e.what != "dirents"
		if i > 0 && e.off < last.off+last.len && !same {
			report(bad(e.off, e.label(), "overlaps the %s at %#x..%#x", last.label(), last.off, last.off+last.len))
		}
		if i == 0 || e.off+e.len > last.off+last.len {
			last = e
		}
		if e.what == "data" {
			img.verifyData(e, report)
		}
	}
}

func (e extent) label() string {
	if e.node == nil || e.node.Name == "" {
		return e.what
	}
	return e.what + " of " + e.node.Name
}

// verifyData checks what mmap asks for.
func (img *Image) verifyData(e extent, report func(error)) {
	if e.off%PageSize != 0 {
		report(bad(e.off, e.label(), "not on a page of its own"))
		return
	}
	end := e.off + e.len
	tail := make([]byte, min(pageUp(end), img.Size)-end)
	if n, err := img.r.ReadAt(tail, end); n < len(tail) && err != nil && err != io.EOF {
		report(fmt.Errorf("offset %#x, %s: %w", end, e.label(), err))
	} else if !allZero(tail) {
		report(bad(end, e.label(), "the rest of its last page is not zero"))
	}
}

func (img *Image) verifyInodes(report func(error)) {
	table := img.extents[1].off
	for i, n := range img.inodes {
		at, field := table+int64(i)*img.geo.inodeSize, fmt.Sprintf("inode %d", i)
		switch {
		case img.named[i] == 0:
			report(bad(at, field, "no directory names it"))
		case img.named[i] > 1:
			report(bad(at, field, "named %d times", img.named[i]))
		}
		if n.uid != 0 || n.gid != 0 {
			report(bad(at+12, field, "uid %d, gid %d: the upstream tool writes 0", n.uid, n.gid))
		}
		if img.Version == V1 && n.word&0x0fff_f000 != 0 {
			report(bad(at, field, "reserved bits set in %#x", n.word))
		}
	}
}

func (img *Image) verifyTree(report func(error)) {
	_ = img.Walk(func(at string, n *Node) error {
		if !utf8.ValidString(n.Name) {
			report(bad(n.Offset, at, "the name is not UTF-8: listing the directory fails"))
		}
		if n.Kind == Link {
			if err := checkTarget(n.Target); err != nil {
				report(bad(n.Offset, at, "%v", err))
			}
		}
		return nil
	})
}

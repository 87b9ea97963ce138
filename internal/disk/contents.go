package disk

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sort"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/symlink"
)

// Item is one thing that a reference leads to.
type Item struct {
	// Path is below the reference, with slashes; "" for the reference itself.
	Path string
	Host string // file of the host with the content; "" for directories and links
	Dir  bool
	Link string // target, for a link
	Mode uint16 // permission bits
}

// Resolve finds what a reference of a description leads to.
type Resolve func(ctx context.Context, ref string) ([]Item, error)

// Contents are the files of an image's RedoxFS, as operations on an empty one.
func (d *Description) Contents(ctx context.Context, resolve Resolve) ([]redoxfs.Op, error) {
	c := d.collect(ctx, resolve)
	c.parents()
	return c.sorted()
}

func (d *Description) collect(ctx context.Context, resolve Resolve) *contents {
	c := &contents{d: d, ctx: ctx, resolve: resolve, ops: map[string]redoxfs.Op{}, from: map[string]string{}}
	c.boot()
	for _, t := range d.Trees {
		c.tree(t.From, path.Join("/", t.To))
	}
	c.users()
	if d.Hostname != "" {
		c.text("/etc/hostname", d.Hostname+"\n", 0o644)
	}
	for _, f := range d.Dirs {
		m, _ := mode(f.Mode, 0o755) // checked when it was read
		c.add("[[dir]]", redoxfs.Op{Op: redoxfs.OpDir, Path: f.Path, Mode: &m, UID: &f.UID, GID: &f.GID})
	}
	for _, f := range d.Files {
		c.file(f)
	}
	for _, l := range d.Links {
		c.add("[[link]]", redoxfs.Op{Op: redoxfs.OpLink, Path: l.Path, Target: l.Target})
	}
	return c
}

// Additions are what a description brings into an image that exists, where it replaces what is there: the same without the
// folders above that nobody named.
func (d *Description) Additions(ctx context.Context, resolve Resolve) ([]redoxfs.Op, error) {
	if err := d.checkPlaces(); err != nil {
		return nil, err
	}
	return d.collect(ctx, resolve).sorted()
}

// contents collects operations by path.
type contents struct {
	d       *Description
	ctx     context.Context
	resolve Resolve
	ops     map[string]redoxfs.Op
	from    map[string]string
	errs    *multierror.Error
}

func (c *contents) fail(err error) {
	if err != nil {
		c.errs = multierror.Append(c.errs, err)
	}
}

func (c *contents) add(from string, op redoxfs.Op) {
	if !strings.HasPrefix(op.Path, "/") || path.Clean(op.Path) != op.Path {
		c.fail(fmt.Errorf("%s: %q is no absolute path", from, op.Path))
		return
	}
	if before, taken := c.ops[op.Path]; taken && !(before.Op == redoxfs.OpDir && op.Op == redoxfs.OpDir) {
		c.fail(fmt.Errorf("%s is placed by %s and by %s", op.Path, c.from[op.Path], from))
		return
	}
	c.ops[op.Path], c.from[op.Path] = op, from
}

func (c *contents) text(to, text string, mode uint16) {
	c.add("the description", redoxfs.Op{Op: redoxfs.OpFile, Path: to, Text: &text, Mode: &mode})
}

// boot places kernel and initfs under both pairs of names: loaders before 2026-03 read boot/, later ones
// usr/lib/boot/. Both are real directories with copies, for the loader follows no links.
func (c *contents) boot() {
	for _, b := range [][2]string{{"kernel", c.d.Boot.Kernel}, {"initfs", c.d.Boot.Initfs}} {
		name, ref := b[0], b[1]
		if ref == "" {
			continue
		}
		items, err := c.resolve(c.ctx, ref)
		if err == nil && (len(items) != 1 || items[0].Host == "") {
			err = errors.New("is no single file")
		}
		if err != nil {
			c.fail(fmt.Errorf("%s %q: %w", name, ref, err))
			continue
		}
		for _, dir := range []string{"/boot", "/usr/lib/boot"} {
			m := uint16(0o644)
			c.add("[boot]", redoxfs.Op{Op: redoxfs.OpFile, Path: dir + "/" + name, From: items[0].Host, Mode: &m})
		}
	}
}

func (c *contents) tree(ref, to string) {
	items, err := c.resolve(c.ctx, ref)
	if err != nil {
		c.fail(fmt.Errorf("tree %q: %w", ref, err))
	}
	for _, i := range items {
		c.add(fmt.Sprintf("tree %q", ref), i.op(path.Join(to, i.Path)))
	}
}

func (i Item) op(to string) redoxfs.Op {
	m := i.Mode
	switch {
	case i.Dir:
		return redoxfs.Op{Op: redoxfs.OpDir, Path: to, Mode: &m}
	case i.Link != "":
		return redoxfs.Op{Op: redoxfs.OpLink, Path: to, Target: i.Link}
	}
	return redoxfs.Op{Op: redoxfs.OpFile, Path: to, From: i.Host, Mode: &m}
}

func (c *contents) file(f File) {
	op := redoxfs.Op{Op: redoxfs.OpFile, Path: f.To, Text: f.Text, UID: &f.UID, GID: &f.GID}
	usual := uint16(0o644)
	if f.From != "" {
		items, err := c.resolve(c.ctx, f.From)
		if err == nil && (len(items) != 1 || items[0].Host == "") {
			err = errors.New("is no single file; [[tree]] takes folders")
		}
		if err != nil {
			c.fail(fmt.Errorf("file %q: %w", f.From, err))
			return
		}
		op.From, usual = items[0].Host, items[0].Mode
	}
	m, _ := mode(f.Mode, usual) // checked when it was read
	op.Mode = &m
	if f.Replace {
		delete(c.ops, f.To)
	}
	c.add("[[file]]", op)
}

// users writes the three files that redox_users reads, and makes the homes.
func (c *contents) users() {
	if len(c.d.Users) == 0 {
		return
	}
	var passwd, shadow, group strings.Builder
	known := map[uint32]bool{}
	for _, g := range c.d.Groups {
		known[g.GID] = true
		fmt.Fprintf(&group, "%s;x;%d;%s\n", g.Name, g.GID, strings.Join(g.Members, ","))
	}
	for _, u := range c.d.Users {
		full := u.Full
		if full == "" {
			full = u.Name
		}
		fmt.Fprintf(&passwd, "%s;%d;%d;%s;%s;%s\n", u.Name, u.UID, u.GID, full, u.Home, u.Shell)
		fmt.Fprintf(&shadow, "%s;%s\n", u.Name, u.Password)
		if !known[u.GID] {
			known[u.GID] = true
			fmt.Fprintf(&group, "%s;x;%d;%s\n", u.Name, u.GID, u.Name)
		}
		m := uint16(0o700)
		c.add("[[user]]", redoxfs.Op{Op: redoxfs.OpDir, Path: u.Home, Mode: &m, UID: &u.UID, GID: &u.GID})
	}
	c.text("/etc/passwd", passwd.String(), 0o644)
	c.text("/etc/shadow", shadow.String(), 0o600)
	c.text("/etc/group", group.String(), 0o644)
}

// parents adds the directories above everything.
func (c *contents) parents() {
	for p := range c.ops {
		for dir := path.Dir(p); ; dir = path.Dir(dir) {
			if above, there := c.ops[dir]; !there {
				m := uint16(0o755)
				c.ops[dir] = redoxfs.Op{Op: redoxfs.OpDir, Path: dir, Mode: &m}
			} else if above.Op != redoxfs.OpDir {
				c.fail(c.below(p, dir))
			}
			if dir == "/" {
				break
			}
		}
	}
}

// below is the error about a path below another that is no directory. Where that is a link, it names the path that is meant.
func (c *contents) below(p, dir string) error {
	if c.ops[dir].Op == redoxfs.OpLink {
		meant, err := symlink.Resolve(func(at string) (string, bool) {
			op := c.ops["/"+at]
			return op.Target, op.Op == redoxfs.OpLink
		}, p)
		if err == nil {
			return fmt.Errorf("%s is placed below %s, which is a link to %s: write /%s", p, dir, c.ops[dir].Target, meant)
		}
	}
	return fmt.Errorf("%s is placed below %s, which is no directory", p, dir)
}

// sorted returns the operations in the order of paths, with one time for all.
func (c *contents) sorted() ([]redoxfs.Op, error) {
	if err := c.errs.ErrorOrNil(); err != nil {
		return nil, err
	}
	out := make([]redoxfs.Op, 0, len(c.ops))
	at := uint64(c.d.Time)
	for _, op := range c.ops {
		op.MTime = &at
		out = append(out, op)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Path < out[j].Path })
	return out, nil
}

package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/execroot"
	"github.com/pannous/redox-clif/internal/linkline"
)

// collection is what is taken of a folder that cargo worked in. A file that was collected from it before, and is known
// by its inode, is not read again: one changed program of two dozen costs the digest of one.
type collection struct {
	c     *cargoRun
	root  string
	made  *cas.StatCache
	tree  *cas.Tree
	taken map[string]cas.Entry // by path: most programs are linked with the same crates
}

func (c *cargoRun) collect(ctx context.Context, root string) (*cas.Tree, error) {
	if c.hasOwnStd() {
		if err := checkOwnStd(filepath.Join(root, "target", c.t.triple, "release")); err != nil {
			return nil, err
		}
	}
	into := &collection{c: c, root: root, made: execroot.Made(root), tree: cas.NewTree(), taken: map[string]cas.Entry{}}
	for _, out := range c.outputs() {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(out))); err != nil {
			return nil, fmt.Errorf("cargo ended well but did not make %s: %w", path.Base(out), err)
		}
		take := into.file
		if c.recordsLinks() {
			take = into.line
		}
		if err := take(ctx, out); err != nil {
			return nil, into.forgetDamaged(err)
		}
	}
	return into.tree, into.made.Save()
}

// file takes an output by its base name.
func (in *collection) file(ctx context.Context, out string) error {
	file := filepath.Join(in.root, filepath.FromSlash(out))
	if !in.made.Knows(file) {
		if err := in.c.t.b.checkLinked(file, in.c.t.s); err != nil {
			return err
		}
	}
	e, err := in.entry(ctx, file)
	in.tree.Entries[path.Base(out)] = e
	return err
}

// line takes what a program is linked of, to a folder of its name.
func (in *collection) line(ctx context.Context, out string) error {
	name := path.Base(out)
	line, err := linkline.Read(filepath.Join(in.root, filepath.FromSlash(out)), in.c.recordedAt(in.root, name))
	if err != nil {
		return err
	}
	d, err := in.c.t.b.store.PutBytes(line.Encode())
	if err != nil {
		return err
	}
	in.tree.Entries[path.Join(name, linkline.LineName)] = cas.Entry{Digest: d}
	in.tree.Entries[path.Join(name, linkline.InFolder)] = cas.Entry{Dir: true}
	for to, file := range line.Files {
		if in.tree.Entries[path.Join(name, linkline.InFolder, to)], err = in.entry(ctx, file); err != nil {
			return err
		}
	}
	return nil
}

// recordedAt is where a program's line was recorded. What is there of the standard library and of the C libraries is
// there as well when it is linked.
func (c *cargoRun) recordedAt(root, name string) linkline.Place {
	return linkline.Place{Root: root, Given: c.given(), Output: name}
}

// given are the folders that are there as well when a program is linked.
func (c *cargoRun) given() []string {
	if c.sharesStd() {
		return []string{"sysroot", "std"}
	}
	return []string{"sysroot"}
}

// entry stores a file.
func (in *collection) entry(ctx context.Context, file string) (cas.Entry, error) {
	if e, ok := in.taken[file]; ok {
		return e, nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return cas.Entry{}, err
	}
	d, err := in.c.t.b.store.PutKnownFile(ctx, file, in.made)
	e := cas.Entry{Digest: d, Executable: info.Mode()&0o100 != 0}
	in.taken[file] = e
	return e, err
}

// forgetDamaged removes what cargo had built when a file of it is not what it was, or gone: cargo goes by dates and would
// take it for finished again.
func (in *collection) forgetDamaged(err error) error {
	if !errors.As(err, new(*cas.OtherContentError)) && !errors.As(err, new(*linkline.GoneError)) {
		return err
	}
	err = errors.Join(err, os.RemoveAll(filepath.Join(in.root, "target")), execroot.ForgetMade(in.root))
	return fmt.Errorf("what cargo had built is damaged and was removed; make the same run once more: %w", err)
}

package diskbuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/packages"
	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/ui"
)

// withPackages adds the packages of a description, and all they depend on, to an image's contents: with the state files of an
// installed system, after the same checks as in an image that is there. The files lie in a folder that done removes.
func withPackages(ctx context.Context, s *session.Session, d *disk.Description, contents []redoxfs.Op) (all []redoxfs.Op, done func(), err error) {
	if len(d.Packages) == 0 {
		return contents, func() {}, nil
	}
	dir, remove, err := s.Scratch("image", d.Name)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			remove()
		}
	}()
	root := filepath.Join(dir, "root")
	placed := replacing(d)
	if err := layTree(root, contents, placed); err != nil {
		return nil, nil, err
	}
	before, err := disk.HostTree(root)
	if err != nil {
		return nil, nil, err
	}
	if err := installInto(ctx, s, d, root); err != nil {
		return nil, nil, fmt.Errorf("packages: %w", err)
	}
	after, err := disk.HostTree(root)
	if err != nil {
		return nil, nil, err
	}
	return merged(d, contents, disk.Changes(root, before, after), placed), remove, nil
}

// replacing are the paths of the files that may take the place of others.
func replacing(d *disk.Description) map[string]bool {
	paths := map[string]bool{}
	for _, f := range d.Files {
		if f.Replace {
			paths[f.To] = true
		}
	}
	return paths
}

// layTree makes a folder of contents, at the cost of links where that can be. Owners, times and modes are not needed there.
func layTree(root string, contents []redoxfs.Op, without map[string]bool) error {
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	for _, op := range contents { // parents come first
		if without[op.Path] {
			continue
		}
		if err := layOne(filepath.Join(root, filepath.FromSlash(op.Path)), op); err != nil {
			return err
		}
	}
	return nil
}

func layOne(at string, op redoxfs.Op) error {
	switch {
	case op.Op == redoxfs.OpDir:
		return os.MkdirAll(at, 0o755)
	case op.Op == redoxfs.OpLink:
		return os.Symlink(op.Target, at)
	case op.Text != nil:
		return os.WriteFile(at, []byte(*op.Text), 0o644)
	case os.Link(op.From, at) == nil:
		return nil
	}
	return packages.CopyFile(op.From, at) // another file system
}

// installInto installs a description's packages into the folder root.
func installInto(ctx context.Context, s *session.Session, d *disk.Description, root string) error {
	wanted, err := packages.ParseNames(strings.Join(d.Packages, ","))
	if err != nil {
		return err
	}
	var failure error // with ways out of our own
	err = packages.WithClient(s, packages.Choice{}, func(c *pkgrepo.Client) error {
		plan, err := c.Resolve(ctx, wanted, nil)
		if err != nil {
			return err
		}
		fetched, err := c.Fetch(ctx, plan)
		if err != nil {
			return err
		}
		sys := &packages.System{Name: "the image", Root: root, Private: true}
		have, err := sys.Libraries(fetched)
		if err != nil {
			return err
		}
		if err := c.CheckLibraries(ctx, fetched, have); err != nil {
			failure = fmt.Errorf("%w\n  add the package that has it to packages", errs.One(err))
			return nil
		}
		applied, err := pkgrepo.Apply(ctx, root, pkgrepo.Change{Install: fetched}, pkgar.ExtractOptions{NoSync: true})
		if err != nil && packages.InTheWay.MatchString(err.Error()) {
			failure = fmt.Errorf("%w\n  a [[file]] with replace = true takes the place of a package's", errs.One(err))
			return nil
		}
		if err != nil {
			return errs.One(err)
		}
		_, storage := plan.Size()
		s.Say("packages: %s (%s)", packages.JoinNames(applied.Installed), ui.Bytes(int64(storage)))
		return nil
	})
	return errors.Join(err, failure)
}

// merged are contents with what packages changed. A file that replaces others stays.
func merged(d *disk.Description, contents, packages []redoxfs.Op, placed map[string]bool) []redoxfs.Op {
	at := uint64(d.Time)
	coming := map[string]redoxfs.Op{}
	for _, op := range packages {
		if op.Op != redoxfs.OpRemove && !placed[op.Path] {
			op.MTime = &at
			coming[op.Path] = op
		}
	}
	all := slices.DeleteFunc(slices.Clone(contents), func(op redoxfs.Op) bool { _, ok := coming[op.Path]; return ok })
	for _, op := range coming {
		all = append(all, op)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Path < all[j].Path })
	return all
}

// planPackages prints what the packages of a description are, for -dryrun.
func planPackages(ctx context.Context, s *session.Session, d *disk.Description) error {
	if len(d.Packages) == 0 {
		return nil
	}
	wanted, err := packages.ParseNames(strings.Join(d.Packages, ","))
	if err != nil {
		return err
	}
	return packages.WithClient(s, packages.Choice{}, func(c *pkgrepo.Client) error {
		plan, err := c.Resolve(ctx, wanted, nil)
		if err != nil {
			return err
		}
		return packages.Print(s, plan)
	})
}

package initfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/unixmode"
)

// DirOptions says how FromDir turns a directory into a tree.
type DirOptions struct {
	// KeepPerm stores the files' own permission bits, set-id and sticky ones included. Without it every
	// directory and every file with an execute bit is 0755 and every other
	// file 0644, so that the umask of whoever built does not reach the image.
	KeepPerm bool
}

// FromDir builds a tree from a directory on the host. It reads no file's
// content. Sockets, FIFOs and devices are errors; all of them are reported.
func FromDir(dir string, opts DirOptions) (*Node, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: not a directory", dir)
	}
	root := &Node{Kind: Dir, Perm: opts.perm(info)}
	var problems *multierror.Error
	fillDir(root, dir, opts, &problems)
	return root, problems.ErrorOrNil()
}

func fillDir(into *Node, dir string, opts DirOptions, problems **multierror.Error) {
	entries, err := os.ReadDir(dir) // sorted by name, bytewise
	if err != nil {
		*problems = multierror.Append(*problems, err)
		return
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if err != nil {
			*problems = multierror.Append(*problems, err)
			continue
		}
		n := &Node{Name: e.Name(), Perm: opts.perm(info)}
		switch {
		case info.Mode().IsRegular():
			n.Kind, n.Content = File, hostFile{name, info.Size()}
		case info.IsDir():
			n.Kind = Dir
			fillDir(n, name, opts, problems)
		case info.Mode()&fs.ModeSymlink != 0:
			n.Kind, n.Perm = Link, 0o777
			if n.Target, err = os.Readlink(name); err != nil {
				*problems = multierror.Append(*problems, err)
			}
		default:
			*problems = multierror.Append(*problems, fmt.Errorf("%s: %w", name, errors.New("an initfs holds files, directories and links only, not "+info.Mode().Type().String())))
			continue
		}
		into.Children = append(into.Children, n)
	}
}

func (o DirOptions) perm(info fs.FileInfo) uint16 {
	if o.KeepPerm {
		return unixmode.Bits(info.Mode())
	}
	if info.IsDir() || info.Mode().Perm()&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

package initfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Extract writes the image's tree to a directory. The directory must not exist
// or be empty; it appears whole or not at all. Nothing is written through a
// link or outside the directory; links that lead out of the image are made as they
// are and not followed (OutsideLinks lists them). Permissions are kept, with two exceptions: the owner may always read
// and write (V2 knows no writable files, and a tree nobody may change or delete
// helps nobody), and set-id and sticky bits are dropped: SetID lists the files.
func (img *Image) Extract(ctx context.Context, dir string) error {
	dir = filepath.Clean(dir)
	if err := checkEmptyTarget(dir); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".partial-")
	if err != nil {
		return err
	}
	if err := img.extractInto(ctx, tmp); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	// Removing refuses a directory that somebody has filled meanwhile.
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	if err := os.Rename(tmp, dir); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return nil
}

func checkEmptyTarget(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s: is there and is not a directory", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s: is not empty (%s and %d more)", dir, entries[0].Name(), len(entries)-1)
	}
	return nil
}

func (img *Image) extractInto(ctx context.Context, tmp string) error {
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return err
	}
	defer root.Close()
	err = img.Walk(func(at string, n *Node) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := extractNode(root, at, n); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	// Directories get their permissions when nothing more is written to them.
	return img.Walk(func(at string, n *Node) error {
		if n.Kind != Dir {
			return nil
		}
		return root.Chmod(filepath.FromSlash(at), hostPerm(n)|0o700)
	})
}

func extractNode(root *os.Root, at string, n *Node) error {
	name := filepath.FromSlash(at)
	switch n.Kind {
	case Dir:
		if at == "." {
			return nil
		}
		return root.Mkdir(name, 0o700)
	case Link:
		if err := checkTarget(n.Target); err != nil {
			return err
		}
		return root.Symlink(n.Target, name)
	default:
		return extractFile(root, name, n)
	}
}

func extractFile(root *os.Root, name string, n *Node) error {
	in, err := n.Content.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Chmod(hostPerm(n) | 0o600)
	}
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}

// SetID are the files and folders of the image with set-user-ID, set-group-ID or sticky bits, in the order of the tree.
func (img *Image) SetID() []string {
	var all []string
	_ = img.Walk(func(at string, n *Node) error {
		if n.Kind != Link && n.Perm&0o7000 != 0 {
			all = append(all, at)
		}
		return nil
	})
	return all
}

func hostPerm(n *Node) fs.FileMode { return fs.FileMode(n.Perm & 0o777) }

package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/redoxfs"
)

// BusyError says who has the image open. Nothing was changed.
type BusyError struct {
	Image string
	Users []string
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s is in use by %s; end that first", e.Image, strings.Join(e.Users, ", "))
}

// Editor changes one image. It holds the lock beside the image until it is closed.
type Editor struct {
	Tool string
	// Path is the image, without links on the way. It need not be there for Make.
	Path string
	// Keep is how many snapshots stay when a new one is made; 0 keeps all.
	Keep int

	lock *lockfile.Lock
}

// Open locks an image that is there and removes what killed runs have left beside it. A *BusyError says that another run, a QEMU or
// a mount has it.
func Open(ctx context.Context, tool, path string) (*Editor, error) {
	if err := regular(path); err != nil {
		return nil, err
	}
	return open(ctx, tool, path)
}

// open is Open for an image that need not be there; its folder is made.
func open(ctx context.Context, tool, path string) (*Editor, error) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		real, err = path, os.MkdirAll(filepath.Dir(path), 0o755)
	}
	if err != nil {
		return nil, err
	}
	if real, err = filepath.Abs(real); err != nil {
		return nil, err
	}
	e := &Editor{Tool: tool, Path: real}
	if e.lock, err = lockfile.Try(e.beside("lock")); err != nil {
		return nil, err
	}
	if e.lock == nil {
		return nil, &BusyError{path, []string{"another run of mage"}}
	}
	if err := e.ready(ctx); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// Close gives the image up.
func (e *Editor) Close() { e.lock.Release() }

func (e *Editor) ready(ctx context.Context) error {
	if err := e.clear(); err != nil {
		return err
	}
	info, err := os.Lstat(e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", e.Path)
	}
	found, err := users(ctx, e.Path)
	if err == nil && len(found) > 0 {
		err = &BusyError{e.Path, found}
	}
	if err != nil {
		return err
	}
	return e.dropUnfinishedSnapshot(info)
}

// clear removes what killed runs have left beside the image.
func (e *Editor) clear() error {
	for _, kind := range []string{"tmp-", "restore-"} {
		leftovers, err := filepath.Glob(globQuote(e.beside(kind)) + "*")
		if err != nil {
			return err
		}
		for _, f := range leftovers {
			if err := os.RemoveAll(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// globQuote takes the special meaning from a path.
func globQuote(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

// beside names a file of ours in the image's folder.
func (e *Editor) beside(suffix string) string {
	return filepath.Join(filepath.Dir(e.Path), "."+filepath.Base(e.Path)+"."+suffix)
}

// volume is RedoxFS inside an image.
func volume(tool, path string) (redoxfs.Volume, error) {
	part, err := FindRoot(path)
	if err != nil {
		return redoxfs.Volume{}, err
	}
	return redoxfs.Volume{Tool: tool, Image: path, Offset: part.Offset, Length: part.Length}, nil
}

// Volume opens RedoxFS inside an image for looking at it. Changing it is what Edit is for.
func Volume(tool, path string) (redoxfs.Volume, error) { return volume(tool, path) }

// replace has make write a new image beside the old one, and puts it in its place when it is on
// stable storage. The old one stays under its name until the one rename, whatever happens.
func (e *Editor) replace(ctx context.Context, make func(tmp string) error) error {
	tmp := fmt.Sprintf("%s%d", e.beside("tmp-"), os.Getpid())
	defer os.Remove(tmp)
	if err := make(tmp); err != nil {
		return err
	}
	if err := flush(tmp); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Rename(tmp, e.Path); err != nil {
		return err
	}
	return flush(filepath.Dir(e.Path))
}

// Edit applies operations: all of them or none. The image before is kept as a snapshot. What was written is read back and
// compared before the new image takes the old one's place. Without operations nothing happens.
func (e *Editor) Edit(ctx context.Context, ops []redoxfs.Op) error {
	if len(ops) == 0 {
		return nil
	}
	info, err := os.Stat(e.Path)
	if err != nil {
		return err
	}
	if err := checkFiles(ops); err != nil {
		return err
	}
	if err := e.checkSpace(info); err != nil {
		return err
	}
	return e.replace(ctx, func(tmp string) error {
		if err := clone(ctx, e.Path, tmp, info.Mode().Perm()); err != nil {
			return err
		}
		v, err := volume(e.Tool, tmp)
		if err != nil {
			return err
		}
		if _, err := v.Apply(ctx, ops, redoxfs.ApplyOptions{Parents: true, NoSync: true, FlushMiB: flushMiB}); err != nil {
			return e.whenFull(ctx, ops, err)
		}
		if err := compare(ctx, v, ops); err != nil {
			return fmt.Errorf("reading back: %w", err)
		}
		if _, err := v.Verify(ctx); err != nil {
			return fmt.Errorf("verifying what was written: %w", err)
		}
		return e.snapshot()
	})
}

// checkFiles refuses what cannot be read to an end: a device, or a pipe that nobody writes to.
func checkFiles(ops []redoxfs.Op) error {
	for _, op := range ops {
		if op.From == "" {
			continue
		}
		if err := regular(op.From); err != nil {
			return err
		}
	}
	return nil
}

// checkSpace refuses early, with numbers, what would fail late: the file system of the host has to hold a copy.
func (e *Editor) checkSpace(info os.FileInfo) error {
	free, err := freeBytes(filepath.Dir(e.Path))
	if err != nil {
		return err
	}
	if need := allocated(info); free < need {
		return fmt.Errorf("%s: a copy of the image takes %d MiB and %d MiB are free", filepath.Dir(e.Path), need/mib+1, free/mib)
	}
	return nil
}

// whenFull adds numbers to an error that says that the image is full. That cannot be told before: RedoxFS compresses, and
// stores no holes. The old content's blocks are free again only when the change is complete.
func (e *Editor) whenFull(ctx context.Context, ops []redoxfs.Op, err error) error {
	if redoxfs.KindOf(err) != redoxfs.Full {
		return err
	}
	v, openErr := volume(e.Tool, e.Path)
	if openErr != nil {
		return err
	}
	space, dfErr := v.Df(ctx)
	if dfErr != nil {
		return err
	}
	var need int64
	for _, op := range ops {
		if from, statErr := os.Stat(op.From); op.From != "" && statErr == nil {
			need += from.Size()
		}
	}
	return fmt.Errorf("%w: the new files have %d KiB and the image had %d KiB free; `mage image:grow` makes it larger, or remove something first",
		err, need/1024, space.Free/1024)
}

// Copy makes a changed copy of an image at to, where nothing may be yet. The image is only read.
func Copy(ctx context.Context, tool, from, to string, ops []redoxfs.Op) error {
	if err := clone(ctx, from, to, 0o644); err != nil {
		return err
	}
	v, err := volume(tool, to)
	if err == nil {
		_, err = v.Apply(ctx, ops, redoxfs.ApplyOptions{Parents: true, NoSync: true})
	}
	if err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

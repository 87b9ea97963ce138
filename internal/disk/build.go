package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/secretkey"
)

// flushMiB bounds how much of an image that is being built waits in memory.
const flushMiB = 32

// Build is an image to be made.
type Build struct {
	Tool        string // path of redoxfs-tool
	Description *Description
	// LoaderName is the firmware's name for a removable disk's program, "BOOTAA64.EFI"; Loader the file. An image without
	// a Loader has an unformatted boot partition.
	LoaderName, Loader string
	Contents           []redoxfs.Op
	// Keep is how many images from before stay as snapshots; 0 keeps all.
	Keep int
	// Progress is told how many entries and bytes are written; may be nil.
	Progress func(redoxfs.Applied)
}

// ErrUnchanged says that the image is there already, byte for byte.
var ErrUnchanged = errors.New("the image is unchanged")

// Make builds the image and puts it at path when it is complete and verified. Equal inputs give equal bytes. An image
// that is there stays until then; it must not be in use (see BusyError).
func (b *Build) Make(ctx context.Context, path string) (redoxfs.Report, error) {
	var report redoxfs.Report
	e, err := open(ctx, b.Tool, path)
	if err != nil {
		return report, err
	}
	defer e.Close()
	e.Keep = b.Keep
	err = e.replace(ctx, func(tmp string) error {
		if report, err = b.write(ctx, tmp); err != nil {
			return err
		}
		if unchanged(tmp, path) {
			return ErrUnchanged
		}
		return e.snapshot()
	})
	return report, err
}

func (b *Build) write(ctx context.Context, tmp string) (redoxfs.Report, error) {
	l, id := b.Description.layout(), b.Description.id()
	if err := sized(tmp, l.size); err != nil {
		return redoxfs.Report{}, err
	}
	if err := b.format(tmp, l, id); err != nil {
		return redoxfs.Report{}, err
	}
	root := l.root()
	v := redoxfs.Volume{Tool: b.Tool, Image: tmp, Offset: root.Offset, Length: root.Length}
	if err := v.Mkfs(ctx, id.String(), b.Description.time()); err != nil {
		return redoxfs.Report{}, fmt.Errorf("file system: %w", err)
	}
	opts := redoxfs.ApplyOptions{FlushMiB: flushMiB, NoSync: true, Progress: b.Progress}
	if _, err := v.Apply(ctx, b.Contents, opts); err != nil {
		if redoxfs.KindOf(err) == redoxfs.Full {
			return redoxfs.Report{}, fmt.Errorf("%w: the contents need more than the %d MiB of the file system; raise size-mib", err, root.Length/mib)
		}
		return redoxfs.Report{}, err
	}
	return v.Verify(ctx)
}

func (b *Build) format(tmp string, l layout, id UUID) error {
	var loader io.Reader
	if b.Loader != "" {
		if err := secretkey.CheckFile(b.Loader); err != nil {
			return err
		}
		f, err := os.Open(b.Loader)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := fits(f, l.efi); err != nil {
			return err
		}
		loader = f
	}
	return l.format(tmp, id, b.LoaderName, loader, b.Description.time())
}

// sized makes an empty sparse file.
func sized(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	err = f.Truncate(size)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// unchanged compares two files.
func unchanged(a, b string) bool {
	fa, err := os.Open(a)
	if err != nil {
		return false
	}
	defer fa.Close()
	fb, err := os.Open(b)
	if err != nil {
		return false
	}
	defer fb.Close()
	ia, errA := fa.Stat()
	ib, errB := fb.Stat()
	if errA != nil || errB != nil || ia.Size() != ib.Size() {
		return false
	}
	bufA, bufB := make([]byte, 1<<20), make([]byte, 1<<20)
	for at := int64(0); at < ia.Size(); {
		// What is a hole in both is equal.
		if at = min(nextData(fa, at, ia.Size()), nextData(fb, at, ib.Size())); at >= ia.Size() {
			return true
		}
		n, _ := fa.ReadAt(bufA, at)
		m, _ := fb.ReadAt(bufB, at)
		if n == 0 || n != m || !bytes.Equal(bufA[:n], bufB[:m]) {
			return false
		}
		at += int64(n)
	}
	return true
}

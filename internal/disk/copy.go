package disk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/pannous/redox-clif/internal/reflink"
)

// clone copies a file so that the copy shares its blocks, where the file system can do that, and else
// so that holes stay holes. dst must not be there. The copy is on stable storage only after a flush.
func clone(ctx context.Context, src, dst string, perm os.FileMode) error {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := reflink.File(in, dst, perm); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return copyHoles(ctx, in, dst, perm)
}

// copyHoles makes a copy of its own.
func copyHoles(ctx context.Context, in *os.File, dst string, perm os.FileMode) (err error) {
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, out.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(dst))
		}
	}()
	if err := sparseCopy(ctx, out, in); err != nil {
		return err
	}
	return out.Chmod(perm)
}

// Clone copies an image to dst, where nothing may be, at the cost of little where the file system can share blocks. The copy is not
// flushed to the disk.
func Clone(ctx context.Context, src, dst string) error { return clone(ctx, src, dst, 0o644) }

// sparseCopy copies what is not zero.
func sparseCopy(ctx context.Context, out, in *os.File) error {
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if err := out.Truncate(info.Size()); err != nil {
		return err
	}
	buf := make([]byte, 1<<20)
	for at := int64(0); at < info.Size(); {
		if err := ctx.Err(); err != nil {
			return err
		}
		if at = nextData(in, at, info.Size()); at >= info.Size() {
			return nil
		}
		n, err := in.ReadAt(buf, at)
		if n == 0 && err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF // shorter than it was
		}
		if err := writeNonZero(out, buf[:n], at); err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}

var zeros [4096]byte

func writeNonZero(out *os.File, b []byte, at int64) error {
	for len(b) > 0 {
		n := 0 // of blocks to write together
		for n < len(b) && !isZero(b[n:min(n+len(zeros), len(b))]) {
			n = min(n+len(zeros), len(b))
		}
		if n > 0 {
			if _, err := out.WriteAt(b[:n], at); err != nil {
				return err
			}
		}
		if n < len(b) {
			n = min(n+len(zeros), len(b)) // and the zero block after them
		}
		b, at = b[n:], at+int64(n)
	}
	return nil
}

func isZero(b []byte) bool { return bytes.Equal(b, zeros[:len(b)]) }

// flush brings a file and its name to stable storage.
func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

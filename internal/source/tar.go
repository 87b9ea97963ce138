package source

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pannous/redox-clif/internal/xzreader"
)

// exportTar extracts a stored tar file, dropping strip leading components and the entries that wants, when
// given, refuses.
func (f *Fetcher) exportTar(ctx context.Context, file string, strip int, what, dest string, wants func(string) bool, found *Findings) error {
	in, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &OfflineError{What: what}
	}
	if err != nil {
		return err
	}
	defer in.Close()
	plain, err := decompress(in)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	w, err := newWriter(dest, found)
	if err != nil {
		return err
	}
	w.wants = wants
	if err := w.close(w.tar(ctx, tar.NewReader(plain), strip)); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// decompress goes by the first bytes, since URLs end in anything.
func decompress(r io.Reader) (io.Reader, error) {
	in := bufio.NewReader(r)
	magic, err := in.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		return gzip.NewReader(in)
	case bytes.HasPrefix(magic, []byte("BZh")):
		return bzip2.NewReader(in), nil
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		return xzreader.New(in)
	case bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")):
		return nil, errors.New("zstd archives are not supported")
	}
	return in, nil
}

// collectEvery is after how many entries the collector is called. Beside the dictionary of a decompressor it would let as many bytes of
// garbage pile up as that has, 128 MiB with rustc's sources; an entry leaves about a kilobyte.
const collectEvery = 20_000

func (w *writer) tar(ctx context.Context, in *tar.Reader, strip int) error {
	kept := 0
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if n%collectEvery == 0 {
			runtime.GC()
		}
		h, err := in.Next()
		if err == io.EOF && kept == 0 {
			return fmt.Errorf("the archive has no entry below %d leading folders", strip)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name, ok := stripped(h.Name, strip)
		if !ok || h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		kept++
		if w.wants != nil && !w.wants(name) {
			continue
		}
		if err := w.tarEntry(h, name, strip, in); err != nil {
			return err
		}
	}
}

func (w *writer) tarEntry(h *tar.Header, name string, strip int, body io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return w.dir(name)
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse: // the holes of a sparse file are read as zeros
		return w.file(name, h.Mode&0o111 != 0, body)
	case tar.TypeSymlink:
		return w.link(name, h.Linkname)
	case tar.TypeLink:
		if w.leaveOut(name, h.Linkname) {
			return nil
		}
		target, ok := stripped(h.Linkname, strip)
		if !ok || checkPath(target) != nil {
			return &EscapeError{Entry: name, Why: fmt.Sprintf("its hard link target %q is outside of the tree", h.Linkname)}
		}
		return w.copyWithin(target, name)
	}
	return &EscapeError{Entry: name, Why: "it is neither a file, a folder nor a link"}
}

func (w *writer) copyWithin(from, to string) error {
	in, err := w.root.Open(filepath.FromSlash(from))
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	return w.file(to, info.Mode()&0o111 != 0, in)
}

// stripped drops leading components; ".." is left in place for the writer to
// refuse.
func stripped(name string, n int) (string, bool) {
	if path.IsAbs(name) {
		return name, true // refused by the writer
	}
	name = strings.TrimSuffix(name, "/")
	for strings.HasPrefix(name, "./") {
		name = strings.TrimLeft(name[2:], "/")
	}
	for range n {
		_, rest, ok := strings.Cut(name, "/")
		if !ok {
			return "", false
		}
		name = rest
	}
	return name, name != "" && name != "."
}

package sdk

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/ulikunitz/xz"

	"github.com/pannous/redox-clif/internal/cas"
)

// packers are the ways to pack a tar file, by the end of its name.
var packers = map[string]func(io.Writer) (io.WriteCloser, error){
	".tar":    func(w io.Writer) (io.WriteCloser, error) { return unpacked{w}, nil },
	".tar.gz": func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	".tar.xz": func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) },
}

type unpacked struct{ io.Writer }

func (unpacked) Close() error { return nil }

// CheckName says whether Pack can write a file of that name.
func CheckName(file string) error {
	_, _, err := split(file)
	return err
}

// split takes the end off that says how a file is packed.
func split(file string) (top string, pack func(io.Writer) (io.WriteCloser, error), err error) {
	for end, pack := range packers {
		if name, ok := strings.CutSuffix(path.Base(file), end); ok && name != "" {
			return name, pack, nil
		}
	}
	return "", nil, fmt.Errorf("%s: the end of the name says how it is packed: .tar, .tar.gz or .tar.xz", file)
}

// Pack writes a tree of a store as a tar file, below a folder that has the file's name. Its entries are sorted, with no owner and no time:
// the same tree gives the same bytes.
func Pack(ctx context.Context, store *cas.Store, root cas.Digest, file string) error {
	top, pack, err := split(file)
	if err != nil {
		return err
	}
	tree, err := store.LoadTree(root)
	if err != nil {
		return err
	}
	out, err := renameio.NewPendingFile(file, renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer func() { _ = out.Cleanup() }() // after the end it does nothing
	buffered := bufio.NewWriterSize(out, 1<<20)
	compressed, err := pack(buffered)
	if err != nil {
		return err
	}
	w := tar.NewWriter(compressed)
	for _, p := range tree.Paths() {
		if err := addEntry(ctx, store, w, path.Join(top, p), tree.Entries[p]); err != nil {
			return err
		}
	}
	if err := errors.Join(w.Close(), compressed.Close(), buffered.Flush()); err != nil {
		return err
	}
	return out.CloseAtomicallyReplace()
}

func addEntry(ctx context.Context, store *cas.Store, w *tar.Writer, name string, e cas.Entry) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: e.Digest.Size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	switch {
	case e.Dir:
		h.Typeflag, h.Name, h.Size, h.Mode = tar.TypeDir, name+"/", 0, 0o755
	case e.Link != "":
		h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, e.Link, 0
	case e.Executable:
		h.Mode = 0o755
	}
	if err := w.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	return store.CopyTo(ctx, e.Digest, w)
}

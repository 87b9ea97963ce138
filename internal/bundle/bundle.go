// Package bundle is the form of a file that carries sources to a machine without a network.
//
// It owns the container: which entries it may have, in which order, and how it is known that nothing is missing or changed on
// the way. It must not know what the entries are, nor whether their content is what their names say: whoever takes them knows
// that.
//
// The file is a tar archive, compressed with zstd. The first entry names the format, the last one has the SHA-256 of all entries
// between, so that a file that was cut or changed is known as one. The same entries give the same bytes: they come in the order
// of their names, and there is neither a time nor an owner in it.
package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/zstd"
)

const (
	firstName = "redox-clif-sources"
	firstText = "1\n"
	lastName  = "sha256"
	// maxMemory bounds what a hostile file can have the decoder take, in bytes.
	maxMemory = 256 << 20
)

// Writer writes a bundle. Entries are added in the order of their names.
type Writer struct {
	compressed *zstd.Encoder
	tar        *tar.Writer
	sum        hash.Hash
	last       string
}

// NewWriter begins a bundle.
func NewWriter(w io.Writer) (*Writer, error) {
	// One goroutine: the bytes must not depend on how many processors there are.
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression))
	if err != nil {
		return nil, err
	}
	b := &Writer{compressed: z, tar: tar.NewWriter(z), sum: sha256.New()}
	return b, b.entry(firstName, int64(len(firstText)), strings.NewReader(firstText))
}

// Add writes an entry of so many bytes.
func (b *Writer) Add(name string, size int64, body io.Reader) error {
	if err := checkName(name, b.last); err != nil {
		return err
	}
	b.last = name
	count(b.sum, name, size)
	return b.entry(name, size, io.TeeReader(body, b.sum))
}

// Close ends the bundle.
func (b *Writer) Close() error {
	text := hex.EncodeToString(b.sum.Sum(nil)) + "\n"
	return errors.Join(b.entry(lastName, int64(len(text)), strings.NewReader(text)), b.tar.Close(), b.compressed.Close())
}

func (b *Writer) entry(name string, size int64, body io.Reader) error {
	if err := b.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, Format: tar.FormatPAX}); err != nil {
		return err
	}
	n, err := io.Copy(b.tar, body)
	if err == nil && n != size {
		err = fmt.Errorf("%s has %d bytes and not %d", name, n, size)
	}
	return err
}

// count puts what an entry is called and how long it is before its bytes.
func count(h hash.Hash, name string, size int64) {
	_ = binary.Write(h, binary.BigEndian, []int64{int64(len(name)), size})
	_, _ = io.WriteString(h, name)
}

// checkName accepts clean relative paths that come after another one.
func checkName(name, last string) error {
	if path.Clean(name) != name || path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || !strings.Contains(name, "/") || strings.ContainsAny(name, "\\\x00") {
		return fmt.Errorf("entry %q: that is no name of an entry", name)
	}
	if name <= last {
		return fmt.Errorf("entry %q comes after %q", name, last)
	}
	return nil
}

// DamagedError says that a file is no bundle, or not the whole of one.
type DamagedError struct{ Err error }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("it is no whole bundle of sources (%v); nothing was taken from it: copy it again, or have `mage fetch -bundle=FILE` write it again", e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// Read gives each entry of a bundle to take, which must not believe it before Read has ended well. An error of take's ends it.
func Read(ctx context.Context, r io.Reader, take func(name string, size int64, body io.Reader) error) error {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxMemory))
	if err != nil {
		return err
	}
	defer z.Close()
	in := &reader{tar: tar.NewReader(z), sum: sha256.New()}
	if err := in.all(ctx, take); err != nil {
		return err
	}
	tail, err := io.ReadAll(io.LimitReader(z, maxTail+1))
	if err == nil && (len(tail) > maxTail || len(bytes.Trim(tail, "\x00")) > 0) {
		err = errors.New("there is something behind its end")
	}
	if err != nil {
		return &DamagedError{err}
	}
	return nil
}

// maxTail is what tar writes behind the last entry at the most, in bytes.
const maxTail = 64 << 10

type reader struct {
	tar  *tar.Reader
	sum  hash.Hash
	last string
}

func (in *reader) all(ctx context.Context, take func(string, int64, io.Reader) error) error {
	first, err := in.next()
	if err == nil && first.Name != firstName {
		err = errors.New("it does not begin as one")
	}
	if err == nil {
		err = in.holds(firstText, "it is of another version of this program")
	}
	if err != nil {
		return &DamagedError{err}
	}
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := in.next()
		if err != nil {
			return &DamagedError{err}
		}
		if h.Name == lastName {
			if err := in.holds(hex.EncodeToString(in.sum.Sum(nil))+"\n", "its SHA-256 is another one"); err != nil {
				return &DamagedError{err}
			}
			return nil
		}
		if err := in.entry(h, take); err != nil {
			return err
		}
	}
}

func (in *reader) next() (*tar.Header, error) {
	h, err := in.tar.Next()
	if errors.Is(err, io.EOF) {
		err = errors.New("its end is missing")
	}
	if err == nil && h.Typeflag != tar.TypeReg {
		err = fmt.Errorf("entry %q is no file", h.Name)
	}
	return h, err
}

// holds compares the whole of an entry.
func (in *reader) holds(want, otherwise string) error {
	text, err := io.ReadAll(io.LimitReader(in.tar, int64(len(want))+1))
	if err == nil && string(text) != want {
		err = errors.New(otherwise)
	}
	return err
}

func (in *reader) entry(h *tar.Header, take func(string, int64, io.Reader) error) error {
	if err := checkName(h.Name, in.last); err != nil {
		return &DamagedError{err}
	}
	in.last = h.Name
	count(in.sum, h.Name, h.Size)
	body := &watched{r: io.TeeReader(in.tar, in.sum)}
	err := take(h.Name, h.Size, body)
	if body.err != nil {
		return &DamagedError{fmt.Errorf("entry %s: %w", h.Name, body.err)}
	}
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, body); err != nil {
		return &DamagedError{fmt.Errorf("entry %s: %w", h.Name, err)}
	}
	return nil
}

// watched keeps the error of what is read, which is not that of whoever reads it.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

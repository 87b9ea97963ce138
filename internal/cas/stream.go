package cas

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"github.com/pannous/redox-clif/internal/reserve"
)

const (
	// chunkSize is how much is read, hashed and written at a time. From 1 MiB on the kernel takes large
	// folios for the pages of the output.
	chunkSize = 1 << 20
	// aloneBelow is the length below which a second goroutine costs more than it brings.
	aloneBelow = 64 << 10
)

// chunks are buffers of chunkSize. Thousands of small files go through them in a build.
var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// eachChunk calls f with the bytes of r, a chunk at a time. f may not keep them.
func eachChunk(ctx context.Context, r io.Reader, f func([]byte) error) error {
	buf := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(buf)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		// No io.ReadFull: its word for a last short chunk is a cut stream's.
		n, err := 0, error(nil)
		for n < len(buf) && err == nil {
			var more int
			more, err = r.Read(buf[n:])
			n += more
		}
		if n > 0 {
			if err := f(buf[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// hashAndWrite does both with the same bytes, side by side: each takes about as long as the other.
func hashAndWrite(h hash.Hash, w io.Writer, p []byte) error {
	if len(p) < aloneBelow {
		h.Write(p)
		_, err := w.Write(p)
		return err
	}
	hashed := make(chan struct{})
	go func() {
		h.Write(p)
		close(hashed)
	}()
	_, err := w.Write(p)
	<-hashed
	return err
}

// hashed is the digest of everything r gives.
func hashed(r io.Reader) (Digest, error) {
	h, size := sha256.New(), int64(0)
	err := eachChunk(context.Background(), r, func(p []byte) error {
		h.Write(p)
		size += int64(len(p))
		return nil
	})
	return sum(h, size), err
}

// Writer takes a blob while it is made, so that it is written once and nobody reads it to know its digest.
type Writer struct {
	store *Store
	tmp   *os.File // nil when it is committed or closed
	hash  hash.Hash
	size  int64
}

// Create begins a blob. The caller ends it with Commit, and calls Close in any case.
func (s *Store) Create() (*Writer, error) {
	tmp, err := s.newTemp()
	if err != nil {
		return nil, fmt.Errorf("writing to the cache: %w", err)
	}
	return &Writer{store: s, tmp: tmp, hash: sha256.New()}, nil
}

// Reserve tells how many bytes will be written. It is a hint: other numbers are no error.
func (w *Writer) Reserve(size int64) {
	if w.tmp != nil {
		reserve.File(w.tmp, size)
	}
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	if w.tmp == nil {
		return 0, os.ErrClosed
	}
	w.size += int64(len(p))
	if err := hashAndWrite(w.hash, w.tmp, p); err != nil {
		return 0, fmt.Errorf("writing to the cache: %w", err)
	}
	return len(p), nil
}

// Commit gives the blob its name. It is not forced to stable storage, see [Store.PutFile].
func (w *Writer) Commit() (Digest, error) { return w.commit(false) }

func (w *Writer) commit(durable bool) (Digest, error) {
	if w.tmp == nil {
		return Digest{}, os.ErrClosed
	}
	d := sum(w.hash, w.size)
	if w.store.Has(d) {
		return d, w.Close()
	}
	if err := w.store.publish(w.tmp, d, durable); err != nil {
		return Digest{}, fmt.Errorf("writing to the cache: %w", err)
	}
	w.tmp = nil
	return d, nil
}

// Close drops a blob that has not been committed.
func (w *Writer) Close() error {
	if w.tmp == nil {
		return nil
	}
	tmp := w.tmp
	w.tmp = nil
	_ = tmp.Close() // nothing of it is needed
	return os.Remove(tmp.Name())
}

// OtherBytesError says that what was given for a blob is something else.
type OtherBytesError struct{ Want, Got Digest }

func (e *OtherBytesError) Error() string {
	return fmt.Sprintf("wanted blob %s, got %s", e.Want, e.Got)
}

// PutAs stores what r gives under the name that it has to have. Anything else is an [OtherBytesError], and nothing is stored; no more than
// one byte too many is read.
func (s *Store) PutAs(ctx context.Context, d Digest, r io.Reader) error {
	w, err := s.Create()
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }() // committed, or dropped
	err = eachChunk(ctx, io.LimitReader(r, d.Size+1), func(p []byte) error {
		_, err := w.Write(p)
		return err
	})
	if err != nil {
		return err
	}
	if got := sum(w.hash, w.size); got != d {
		return &OtherBytesError{Want: d, Got: got}
	}
	_, err = w.Commit()
	return err
}

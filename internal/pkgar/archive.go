package pkgar

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"runtime"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"lukechampine.com/blake3"
)

const (
	// copyBuffer is the piece size in which data is read, hashed and written. BLAKE3 hashes such a piece on several cores.
	copyBuffer = 1 << 20
	// maxWorkers bounds memory: every worker has a copyBuffer, or a part of the dictionaries.
	maxWorkers = 4
	// maxRun is the most entries that are handed to a goroutine at once.
	maxRun = 64
)

// Archive is an open archive. It is safe for concurrent use.
type Archive struct {
	Head
	r      io.ReaderAt
	closer io.Closer
	dicts  *semaphore.Weighted // bytes of LZMA2 dictionaries in use: all of them together are not larger than the largest
}

// Open reads the head of the archive in the first size bytes of r and checks it completely: signature, table hash, every
// entry, and that the data fills the rest exactly. The data itself is checked when it is read. Memory is that of the entry
// table, whatever the archive claims.
func Open(r io.ReaderAt, size int64, opt Options) (*Archive, error) {
	head, err := ReadHead(io.NewSectionReader(r, 0, size), size, opt)
	if err != nil {
		return nil, err
	}
	if err := head.checkSize(size); err != nil {
		return nil, err
	}
	return &Archive{Head: *head, r: r, dicts: semaphore.NewWeighted(maxDict)}, nil
}

// OpenFile opens the archive at path. The caller closes it.
func OpenFile(path string, opt Options) (*Archive, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for who writes to it
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	a, err := Open(f, info.Size(), opt)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	a.closer = f
	return a, nil
}

// Close closes the file that OpenFile opened.
func (a *Archive) Close() error {
	if a.closer == nil {
		return nil
	}
	return a.closer.Close()
}

// checkSize compares what the entries need with what is there, and names the first entry that goes beyond.
func (h *Head) checkSize(size int64) error {
	switch {
	case h.FileSize() < size:
		return &FormatError{Field: "data", Offset: h.FileSize(), Problem: fmt.Sprintf("archive has %d bytes too many", size-h.FileSize())}
	case h.FileSize() == size:
		return nil
	}
	for i := range h.Entries {
		e := &h.Entries[i]
		if end := h.HeadSize() + int64(e.Offset+e.Size); end > size {
			return &FormatError{Field: fmt.Sprintf("entry %d size", i), Offset: HeaderSize + EntrySize*int64(i) + entrySizeAt, Err: ErrTruncated,
				Problem: fmt.Sprintf("%q ends at byte %d, the archive at %d", e.Path, end, size)}
		}
	}
	return nil
}

// WriteEntry writes the unpacked data of entry i to w. The hash is known only at the end: on an error, what was written
// must not be used.
func (a *Archive) WriteEntry(ctx context.Context, i int, w io.Writer) error {
	_, err := newWorker(a).unpack(ctx, i, w)
	return err
}

// LinkTarget is the verified target of the link entry i.
func (a *Archive) LinkTarget(ctx context.Context, i int) (string, error) {
	return newWorker(a).linkTarget(ctx, i)
}

// Verify reads all data and compares it with the hashes of the entries. All entries that fail are in the error, a
// *multierror.Error. The result is the number of unpacked bytes.
func (a *Archive) Verify(ctx context.Context) (int64, error) {
	sizes := make([]int64, len(a.Entries))
	err := a.each(ctx, func(ctx context.Context, w *worker, i int) error {
		var err error
		if a.Entries[i].IsLink() {
			var target string
			target, err = w.linkTarget(ctx, i)
			sizes[i] = int64(len(target))
		} else {
			sizes[i], err = w.unpack(ctx, i, io.Discard)
		}
		return err
	})
	var total int64
	for _, n := range sizes {
		total += n
	}
	return total, err
}

// each calls do for every entry, on several goroutines with a worker each, and collects the failures in entry order. It stops
// early only when the context ends.
func (a *Archive) each(ctx context.Context, do func(context.Context, *worker, int) error) error {
	workers := min(runtime.GOMAXPROCS(0), maxWorkers, max(len(a.Entries), 1))
	failed := make([]error, len(a.Entries))
	next := make(chan [2]int)
	var group errgroup.Group
	for range workers {
		group.Go(func() error {
			w := newWorker(a)
			for run := range next {
				for i := run[0]; i < run[1] && ctx.Err() == nil; i++ {
					failed[i] = do(ctx, w, i)
				}
			}
			return nil
		})
	}
	for i := 0; i < len(a.Entries) && ctx.Err() == nil; {
		end := a.run(i)
		next <- [2]int{i, end}
		i = end
	}
	close(next)
	_ = group.Wait() // the workers return nil; failures are in failed
	if err := ctx.Err(); err != nil {
		return err
	}
	var all *multierror.Error
	for _, err := range failed {
		if err != nil {
			all = multierror.Append(all, err)
		}
	}
	return all.ErrorOrNil()
}

// run is the end of the run of entries that begins at i and is best left to one goroutine: small files of the same folder. Two
// goroutines that make files in the same folder mostly wait for each other.
func (a *Archive) run(i int) int {
	folder, size := path.Dir(a.Entries[i].Path), uint64(0)
	for n := 0; i < len(a.Entries) && n < maxRun && size < copyBuffer && path.Dir(a.Entries[i].Path) == folder; n++ {
		size += a.Entries[i].Size
		i++
	}
	return i
}

// worker has the memory that one goroutine needs to unpack entries, allocated at first use.
type worker struct {
	a      *Archive
	buf    []byte
	hasher *blake3.Hasher
}

func newWorker(a *Archive) *worker { return &worker{a: a, hasher: blake3.New(32, nil)} }

// entryError names the entry and the place of its data.
func (a *Archive) entryError(i int, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	e := &a.Entries[i]
	return &FormatError{Field: fmt.Sprintf("entry %d (%s) data", i, e.Path), Offset: a.HeadSize() + int64(e.Offset), Problem: err.Error(), Err: err}
}

// unpack writes the data of entry i to out and checks length and hash.
func (w *worker) unpack(ctx context.Context, i int, out io.Writer) (int64, error) {
	e := &w.a.Entries[i]
	w.hasher.Reset()
	in := io.NewSectionReader(w.a.r, w.a.HeadSize()+int64(e.Offset), int64(e.Size))
	sink := &hashSink{ctx: ctx, hasher: w.hasher, out: out}
	var err error
	if w.a.Packaging == LZMA2 {
		err = w.unpackLZMA2(ctx, sink, in)
	} else {
		err = w.copyRaw(sink, in, int64(e.Size))
	}
	if err != nil {
		if sink.failed {
			return sink.n, err
		}
		return sink.n, w.a.entryError(i, err)
	}
	if got := Hash(w.hasher.Sum(nil)); got != e.Hash {
		return sink.n, w.a.entryError(i, fmt.Errorf("%w: has %v, the entry says %v", ErrHash, got, e.Hash))
	}
	return sink.n, nil
}

// hashSink hashes what it passes on.
type hashSink struct {
	ctx    context.Context
	hasher *blake3.Hasher
	out    io.Writer
	n      int64
	failed bool // the output or the context failed, not the archive
}

func (s *hashSink) Write(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		s.failed = true
		return 0, err
	}
	s.hasher.Write(p)
	n, err := s.out.Write(p)
	s.n += int64(n)
	s.failed = err != nil
	return n, err
}

func (w *worker) copyRaw(out io.Writer, in io.Reader, size int64) error {
	if w.buf == nil {
		w.buf = make([]byte, copyBuffer)
	}
	for size > 0 {
		piece := w.buf[:min(size, copyBuffer)]
		if n, err := io.ReadFull(in, piece); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return fmt.Errorf("%w: %d bytes are missing", ErrTruncated, size-int64(n))
			}
			return err
		}
		if _, err := out.Write(piece); err != nil {
			return err
		}
		size -= int64(len(piece))
	}
	return nil
}

// unpackLZMA2 decodes one entry: its length, then one LZMA2 sequence that fills the rest.
func (w *worker) unpackLZMA2(ctx context.Context, out io.Writer, in *io.SectionReader) error {
	var prefix [8]byte
	if _, err := io.ReadFull(in, prefix[:]); err != nil {
		return fmt.Errorf("%w: no length", ErrTruncated)
	}
	sequence := io.NewSectionReader(in, int64(len(prefix)), in.Size()-int64(len(prefix)))
	dict, err := measureChunks(ctx, sequence, binary.LittleEndian.Uint64(prefix[:]))
	if err != nil {
		return err
	}
	if err := w.a.dicts.Acquire(ctx, dict); err != nil {
		return err
	}
	defer w.a.dicts.Release(dict)
	return decodeChunks(out, sequence, dict)
}

// linkTarget unpacks a link's target.
func (w *worker) linkTarget(ctx context.Context, i int) (string, error) {
	if e := &w.a.Entries[i]; !e.IsLink() {
		return "", fmt.Errorf("%q is not a link", e.Path)
	}
	var target limitedBuffer
	if _, err := w.unpack(ctx, i, &target); err != nil {
		return "", err
	}
	switch {
	case target.over || target.Len() == 0:
		return "", w.a.entryError(i, fmt.Errorf("link target has to have 1 to %d bytes", maxLink))
	case bytes.IndexByte(target.Bytes(), 0) >= 0:
		return "", w.a.entryError(i, errors.New("link target contains a zero byte"))
	}
	return target.String(), nil
}

// limitedBuffer keeps at most maxLink bytes, so that a link that claims to be long costs no memory.
type limitedBuffer struct {
	bytes.Buffer
	over bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxLink {
		b.over = true
		return len(p), nil
	}
	return b.Buffer.Write(p)
}

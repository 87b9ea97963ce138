package pkgar

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"
	"lukechampine.com/blake3"
)

// segment is a piece of one entry on its way from the reading goroutine through one of the packing ones to the writing one.
// Segments are reused, which bounds memory.
type segment struct {
	entry       int
	first, last bool
	data        []byte        // unpacked
	packed      bytes.Buffer  // chunks without end mark
	done        chan struct{} // receives once packed is complete
}

// writePacked packs all files as LZMA2. Pieces of segmentSize bytes are packed independently and side by side; the
// order and the bytes do not depend on how many goroutines do it.
func (w *writer) writePacked(ctx context.Context) error {
	workers := min(runtime.GOMAXPROCS(0), maxWorkers)
	free := make(chan *segment, workers+1)
	for range cap(free) {
		free <- &segment{data: make([]byte, 0, segmentSize), done: make(chan struct{}, 1)}
	}
	// Both can hold every segment there is, so that only taking a free one ever waits for somebody else's work.
	work, order := make(chan *segment, cap(free)), make(chan *segment, cap(free))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(work)
		defer close(order)
		return w.readSegments(ctx, free, work, order)
	})
	for range workers {
		group.Go(func() error {
			for s := range work {
				s.packed.Reset()
				if err := packSegment(&s.packed, s.data); err != nil {
					return err
				}
				s.done <- struct{}{}
			}
			return nil
		})
	}
	group.Go(func() error { return w.writeSegments(ctx, free, order) })
	return group.Wait()
}

// readSegments reads and hashes all files and hands out their segments. An empty file is one empty segment.
func (w *writer) readSegments(ctx context.Context, free <-chan *segment, work, order chan<- *segment) error {
	hasher := blake3.New(32, nil)
	for i := range w.head.Entries {
		if err := w.readEntry(ctx, i, hasher, free, work, order); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) readEntry(ctx context.Context, i int, hasher *blake3.Hasher, free <-chan *segment, work, order chan<- *segment) (err error) {
	in, err := w.open(i)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	hasher.Reset()
	left := w.lengths[i]
	for first := true; first || left > 0; first = false {
		var s *segment
		select {
		case s = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.entry, s.first = i, first
		s.data = s.data[:min(left, segmentSize)]
		if _, err := io.ReadFull(in, s.data); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return w.changed(i)
		} else if err != nil {
			return err
		}
		hasher.Write(s.data)
		left -= int64(len(s.data))
		s.last = left == 0
		work <- s
		order <- s
	}
	var more [1]byte
	if n, err := in.Read(more[:]); n > 0 || (err != nil && !errors.Is(err, io.EOF)) {
		return errors.Join(w.changed(i), err)
	}
	hasher.Sum(w.head.Entries[i].Hash[:0])
	return nil
}

// writeSegments writes the packed segments in order and fills in the places of the entries.
func (w *writer) writeSegments(ctx context.Context, free chan<- *segment, order <-chan *segment) error {
	out := bufio.NewWriterSize(io.NewOffsetWriter(w.out, w.head.HeadSize()), 256<<10)
	var end int64
	put := func(p []byte) error {
		end += int64(len(p))
		_, err := out.Write(p)
		return err
	}
	for s := range order {
		select {
		case <-s.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		e := &w.head.Entries[s.entry]
		if s.first {
			e.Offset = uint64(end)
			if err := put(binary.LittleEndian.AppendUint64(nil, uint64(w.lengths[s.entry]))); err != nil {
				return err
			}
		}
		if err := put(s.packed.Bytes()); err != nil {
			return err
		}
		if s.last {
			if err := put([]byte{0}); err != nil {
				return err
			}
			e.Size = uint64(end) - e.Offset
		}
		free <- s
	}
	w.head.DataSize = end
	return out.Flush()
}

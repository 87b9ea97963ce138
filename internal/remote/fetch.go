package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
	"google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pannous/redox-clif/internal/cas"
)

const (
	// transfers is how many calls that move blobs run at once.
	transfers = 8
	// idle is how long a stream may bring nothing.
	idle = 20 * time.Second
)

// Fetch brings blobs into the store. Those that the server does not have, or has wrong, are missing afterwards as before: only the end
// of ctx and a store that cannot be written to are errors. It implements cas.Upstream.
func (c *Client) Fetch(ctx context.Context, digests []cas.Digest) error {
	found := c.ready()
	if found == nil {
		return nil
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(transfers)
	for batch := range batches(digests, found.BatchBytes) {
		group.Go(func() error {
			if len(batch) == 1 {
				return c.fetchStream(ctx, batch[0])
			}
			return c.fetchBatch(ctx, batch)
		})
	}
	return group.Wait()
}

// overhead is what a digest and its frame add to a blob in a message, in bytes.
const overhead = 256

// batches cuts digests into what fits into one message; what does not comes alone.
func batches(digests []cas.Digest, limit int64) func(func([]cas.Digest) bool) {
	return func(yield func([]cas.Digest) bool) {
		var batch []cas.Digest
		var size int64
		for _, d := range digests {
			need := d.Size + overhead
			if need > limit {
				if !yield([]cas.Digest{d}) {
					return
				}
				continue
			}
			if size+need > limit {
				if !yield(batch) {
					return
				}
				batch, size = nil, 0
			}
			batch, size = append(batch, d), size+need
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

func (c *Client) fetchBatch(ctx context.Context, batch []cas.Digest) error {
	request := &repb.BatchReadBlobsRequest{InstanceName: c.config.Instance}
	wanted, size := map[string]cas.Digest{}, int64(0)
	for _, d := range batch {
		request.Digests = append(request.Digests, digestMessage(d))
		wanted[d.Hash] = d
		size += d.Size
	}
	var got *repb.BatchReadBlobsResponse
	err := c.call(ctx, size, func(ctx context.Context) (err error) {
		got, err = c.blobs.BatchReadBlobs(ctx, request)
		return err
	})
	if err != nil {
		return ctx.Err()
	}
	for _, one := range got.GetResponses() {
		d, asked := wanted[one.GetDigest().GetHash()]
		if !asked || codes.Code(one.GetStatus().GetCode()) != codes.OK {
			continue
		}
		if err := c.keep(ctx, d, bytes.NewReader(one.GetData())); err != nil {
			return err
		}
	}
	return nil
}

// fetchStream brings one blob by a stream of its own.
func (c *Client) fetchStream(ctx context.Context, d cas.Digest) error {
	reader, writer := io.Pipe()
	kept := make(chan error, 1)
	go func() {
		err := c.keep(ctx, d, reader)
		reader.CloseWithError(errors.Join(err, io.ErrClosedPipe))
		kept <- err
	}()
	readErr := c.read(ctx, d, writer)
	writer.CloseWithError(readErr) // the end of the blob when it is nil
	keepErr := <-kept
	if readErr != nil {
		return ctx.Err() // it is missing as before
	}
	return keepErr
}

// keep stores a blob that the server gave. One that is not what it was asked for as is dropped and counted.
func (c *Client) keep(ctx context.Context, d cas.Digest, r io.Reader) error {
	err := c.store.PutAs(ctx, d, r)
	var other *cas.OtherBytesError
	if errors.As(err, &other) {
		c.counts.wrong.Add(1)
		return nil
	}
	if err == nil {
		c.counts.down.Add(d.Size)
	}
	return err
}

// read writes a blob to w as the server gives it, unverified. It is not read again when something of it has been written.
func (c *Client) read(ctx context.Context, d cas.Digest, w io.Writer) error {
	found := c.ready()
	if found == nil {
		return errGone
	}
	compressed := c.config.Compress && found.Zstd
	begun := &begunWriter{to: w}
	return c.call(ctx, d.Size, func(ctx context.Context) error {
		if begun.begun {
			return status.Error(codes.DataLoss, "the stream ended in the middle")
		}
		if !compressed {
			return c.readStream(ctx, c.resource("", "blobs", d), begun, d.Size)
		}
		return c.readCompressed(ctx, d, begun)
	})
}

// begunWriter notes whether something was written.
type begunWriter struct {
	to    io.Writer
	begun bool
}

func (w *begunWriter) Write(p []byte) (int, error) {
	w.begun = w.begun || len(p) > 0
	return w.to.Write(p)
}

// readStream copies a stream to w. A stream that brings more than limit bytes, or nothing for a while, is an error.
func (c *Client) readStream(ctx context.Context, name string, w io.Writer, limit int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(idle, func() { cancel(status.Error(codes.DeadlineExceeded, "the stream brings nothing")) })
	defer timer.Stop()
	stream, err := c.streams.Read(ctx, &bytestream.ReadRequest{ResourceName: name})
	if err != nil {
		return err
	}
	for got := int64(0); ; {
		m, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		timer.Reset(idle)
		if got += int64(len(m.GetData())); got > limit {
			return status.Error(codes.DataLoss, "the stream is longer than the blob")
		}
		if _, err := w.Write(m.GetData()); err != nil {
			return err
		}
	}
}

// readCompressed is readStream for a blob that is sent as zstd.
func (c *Client) readCompressed(ctx context.Context, d cas.Digest, w io.Writer) error {
	reader, writer := io.Pipe()
	expanded := make(chan error, 1)
	go func() {
		decoder, err := zstd.NewReader(reader, zstd.WithDecoderConcurrency(1))
		if err == nil {
			_, err = io.Copy(w, io.LimitReader(decoder, d.Size+1))
			decoder.Close()
		}
		reader.CloseWithError(io.ErrClosedPipe)
		expanded <- err
	}()
	// What does not get smaller gets a little larger.
	err := c.readStream(ctx, c.resource("", "compressed-blobs/zstd", d), writer, d.Size+d.Size/100+1024)
	writer.CloseWithError(err)
	if expandErr := <-expanded; err == nil {
		err = expandErr
	}
	return err
}

// resource is the name of a blob in the streams' interface.
func (c *Client) resource(upload, kind string, d cas.Digest) string {
	name := fmt.Sprintf("%s%s/%s", upload, kind, d)
	if c.config.Instance != "" {
		name = c.config.Instance + "/" + name
	}
	return name
}

package remote

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pannous/redox-clif/internal/cas"
)

const (
	// asked is how many digests one question about missing blobs names: 350 kB.
	asked = 5000
	// piece is how much of a blob one message of a stream holds.
	piece = 1 << 20
)

// parcel is blobs that the server is to have.
type parcel struct {
	c     *Client
	found *Capabilities
	// own are the bytes of blobs that are in no store, files the paths of those that are files of this machine.
	own   map[cas.Digest][]byte
	files map[cas.Digest]string
}

// known is what a build knows of the blobs that the server has.
type known struct {
	mu    sync.Mutex
	blobs map[cas.Digest]*arrival
	whole map[cas.Digest]bool // folders whose files and folders are there as well
}

// arrival is one blob at the server, or on its way there.
type arrival struct {
	done chan struct{} // closed when it is there, or not
	ok   bool          // it is; valid when done is closed
}

// here notes that the server has blobs.
func (k *known) here(blobs ...cas.Digest) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range blobs {
		if k.blobs[d] == nil {
			there := &arrival{done: make(chan struct{}), ok: true}
			close(there.done)
			k.blobs[d] = there
		}
	}
}

// forget drops all that is known: the server has lost something of it.
func (k *known) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for d, a := range k.blobs {
		select {
		case <-a.done:
			delete(k.blobs, d)
		default: // on its way now
		}
	}
	k.whole = map[cas.Digest]bool{}
}

// claim divides blobs into those that the caller has to see to, and those that somebody else sends just now.
func (k *known) claim(blobs []cas.Digest) (mine []cas.Digest, others []*arrival) {
	k.mu.Lock()
	defer k.mu.Unlock()
	claimed := map[*arrival]bool{}
	for _, d := range blobs {
		a := k.blobs[d]
		if a == nil {
			a = &arrival{done: make(chan struct{})}
			k.blobs[d], claimed[a] = a, true
			mine = append(mine, d)
			continue
		}
		select {
		case <-a.done:
		default:
			if !claimed[a] {
				others = append(others, a)
			}
		}
	}
	return mine, others
}

// settle says what became of what was claimed.
func (k *known) settle(mine []cas.Digest, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, d := range mine {
		a := k.blobs[d]
		a.ok = ok
		close(a.done)
		if !ok {
			delete(k.blobs, d)
		}
	}
}

// deliver makes sure that the server has blobs. What another call of this build is sending is waited for and not sent twice.
func (p *parcel) deliver(ctx context.Context, blobs []cas.Digest) error {
	for {
		mine, others := p.c.known.claim(blobs)
		err := p.send(ctx, mine)
		p.c.known.settle(mine, err == nil)
		if err != nil {
			return err
		}
		lost := false
		for _, a := range others {
			select {
			case <-a.done:
				lost = lost || !a.ok
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if !lost {
			return nil
		}
	}
}

// send uploads those of the blobs that the server lacks.
func (p *parcel) send(ctx context.Context, blobs []cas.Digest) error {
	missing, err := p.c.missing(ctx, blobs)
	if err != nil {
		return err
	}
	for batch := range batches(missing, p.found.BatchBytes) {
		if len(batch) == 1 {
			err = p.sendStream(ctx, batch[0])
		} else {
			err = p.sendBatch(ctx, batch)
		}
		if err != nil {
			return err
		}
		for _, d := range batch {
			p.c.counts.up.Add(d.Size)
		}
	}
	return nil
}

// missing asks which blobs the server lacks. Each is named once.
func (c *Client) missing(ctx context.Context, blobs []cas.Digest) ([]cas.Digest, error) {
	wanted := map[cas.Digest]bool{}
	var ask []*repb.Digest
	for _, d := range blobs {
		wanted[d] = true
		ask = append(ask, digestMessage(d))
	}
	var missing []cas.Digest
	for len(ask) > 0 {
		n := min(asked, len(ask))
		var got *repb.FindMissingBlobsResponse
		err := c.call(ctx, 0, func(ctx context.Context) (err error) {
			got, err = c.blobs.FindMissingBlobs(ctx, &repb.FindMissingBlobsRequest{InstanceName: c.config.Instance, BlobDigests: ask[:n]})
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, m := range got.GetMissingBlobDigests() {
			d, err := digestOf(m)
			if err != nil || !wanted[d] {
				return nil, fmt.Errorf("the server misses a blob that it was not asked for: %v", m)
			}
			missing = append(missing, d)
			delete(wanted, d)
		}
		ask = ask[n:]
	}
	return missing, nil
}

// read gives all bytes of a blob that fits into a message.
func (p *parcel) read(d cas.Digest) ([]byte, error) {
	if text, ok := p.own[d]; ok {
		return text, nil
	}
	if path, ok := p.files[d]; ok {
		return os.ReadFile(path)
	}
	return p.c.store.ReadAll(d)
}

// copyTo writes a blob of any size.
func (p *parcel) copyTo(ctx context.Context, d cas.Digest, w io.Writer) error {
	if text, ok := p.own[d]; ok {
		_, err := w.Write(text)
		return err
	}
	path, ok := p.files[d]
	if !ok {
		return p.c.store.CopyTo(ctx, d, w)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

func (p *parcel) sendBatch(ctx context.Context, batch []cas.Digest) error {
	request := &repb.BatchUpdateBlobsRequest{InstanceName: p.c.config.Instance}
	size := int64(0)
	for _, d := range batch {
		text, err := p.read(d)
		if err != nil {
			return err
		}
		size += d.Size
		request.Requests = append(request.Requests, &repb.BatchUpdateBlobsRequest_Request{Digest: digestMessage(d), Data: text})
	}
	var got *repb.BatchUpdateBlobsResponse
	err := p.c.call(ctx, size, func(ctx context.Context) (err error) {
		got, err = p.c.blobs.BatchUpdateBlobs(ctx, request)
		return err
	})
	if err != nil {
		return err
	}
	for _, one := range got.GetResponses() {
		if code := codes.Code(one.GetStatus().GetCode()); code != codes.OK {
			return status.Error(code, one.GetStatus().GetMessage())
		}
	}
	return nil
}

// sendStream uploads one blob by a stream of its own.
func (p *parcel) sendStream(ctx context.Context, d cas.Digest) error {
	var unreadable error
	err := p.c.call(ctx, d.Size, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx) // ends the stream of a blob that cannot be read here
		defer cancel()
		stream, err := p.c.streams.Write(ctx)
		if err != nil {
			return err
		}
		compressed := p.c.config.Compress && p.found.Zstd
		kind := "blobs"
		if compressed {
			kind = "compressed-blobs/zstd"
		}
		w := &pieces{stream: stream, name: p.c.resource("uploads/"+uuid.NewString()+"/", kind, d)}
		if compressed {
			err = p.compress(ctx, d, w)
		} else {
			err = p.copyTo(ctx, d, w)
		}
		if err == nil {
			err = w.finish()
		}
		// When the server ends the stream it has the blob already, or says below what it does not like.
		if err != nil && !w.ended {
			unreadable = err
			return nil
		}
		_, err = stream.CloseAndRecv()
		return err
	})
	if unreadable != nil {
		return unreadable
	}
	return err
}

func (p *parcel) compress(ctx context.Context, d cas.Digest, w io.Writer) error {
	encoder, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	if err := p.copyTo(ctx, d, encoder); err != nil {
		return err
	}
	return encoder.Close()
}

// pieces writes to a stream, a message for each piece.
type pieces struct {
	stream bytestream.ByteStream_WriteClient
	name   string // of the resource, for the first message
	at     int64
	rest   []byte
	ended  bool // by the server
}

// Write implements io.Writer.
func (w *pieces) Write(b []byte) (int, error) {
	for left := b; len(left) > 0; {
		n := min(piece-len(w.rest), len(left))
		w.rest = append(w.rest, left[:n]...)
		left = left[n:]
		// The last one is sent by finish, which says that it is.
		if len(w.rest) == piece && len(left) > 0 {
			if err := w.flush(false); err != nil {
				return 0, err
			}
		}
	}
	return len(b), nil
}

func (w *pieces) finish() error { return w.flush(true) }

func (w *pieces) flush(last bool) error {
	err := w.stream.Send(&bytestream.WriteRequest{ResourceName: w.name, WriteOffset: w.at, Data: w.rest, FinishWrite: last})
	w.name, w.at, w.rest = "", w.at+int64(len(w.rest)), make([]byte, 0, piece) // the message may still be looked at
	w.ended = err != nil
	return err
}

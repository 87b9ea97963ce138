package remote

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

const (
	// waiting is how many results may wait to be uploaded; a build does not wait for its uploads, so that more than these are left.
	waiting = 4096
	// uploaders is how many results are uploaded at once.
	uploaders = 4
	// asked is how many digests one question about missing blobs names: 350 kB.
	asked = 5000
	// piece is how much of a blob one message of a stream holds.
	piece = 1 << 20
)

// uploads are the results on their way to the server.
type uploads struct {
	c      *Client
	queue  chan offer
	ctx    context.Context
	cancel context.CancelFunc
	all    sync.WaitGroup
	mu     sync.Mutex
	left   int
	ended  bool // nothing is uploaded any more: the server does not allow it
}

type offer struct {
	action *action.Action
	result action.Result
}

func newUploads(c *Client) *uploads {
	u := &uploads{c: c, queue: make(chan offer, waiting)}
	u.ctx, u.cancel = context.WithCancel(context.Background())
	for range uploaders {
		u.all.Go(func() {
			for o := range u.queue {
				err := u.upload(o)
				u.mu.Lock()
				if err == nil {
					u.left--
				}
				u.mu.Unlock()
			}
		})
	}
	return u
}

// Offer uploads a result that was made here, later and beside the build. Without an upload in the configuration it does nothing.
func (c *Client) Offer(a *action.Action, r action.Result) {
	if c.upload == nil || r.Remote || c.gone() {
		return
	}
	c.upload.mu.Lock()
	c.upload.left++
	c.upload.mu.Unlock()
	select {
	case c.upload.queue <- offer{a, r}:
	default:
	}
}

// close waits for the uploads until ctx ends and returns how many are left.
func (u *uploads) close(ctx context.Context) (left int) {
	close(u.queue)
	stop := context.AfterFunc(ctx, u.cancel)
	defer stop()
	u.all.Wait()
	u.cancel()
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.left
}

// end ends the uploads of a build, because the server does not take any.
func (u *uploads) end(err error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended {
		u.ended = true
		u.c.notice(fmt.Sprintf("nothing is uploaded to the remote cache %s: %s", u.c.config.Address, explain(err)))
	}
	return err
}

// upload gives the server a result and everything that it names.
func (u *uploads) upload(o offer) error {
	u.mu.Lock()
	ended := u.ended
	u.mu.Unlock()
	found := u.c.ready()
	if found == nil || ended || u.ctx.Err() != nil {
		return errGone
	}
	if !found.Update {
		return u.end(status.Error(codes.PermissionDenied, "it is read-only"))
	}
	tree, messages, files, err := treeOf(u.c.store, o.result.Output)
	if err != nil {
		return err
	}
	command, message := o.action.Command(), o.action.Message()
	own := map[cas.Digest][]byte{}
	blobs := append(files, messages...)
	for _, text := range [][]byte{tree, command, message} {
		d := cas.DigestBytes(text)
		own[d] = text
		blobs = append(blobs, d)
	}
	if err := u.send(found, blobs, own); err != nil {
		return u.refused(err)
	}
	err = u.c.call(u.ctx, 0, func(ctx context.Context) error {
		_, err := u.c.results.UpdateActionResult(ctx, &repb.UpdateActionResultRequest{
			InstanceName: u.c.config.Instance, ActionDigest: digestMessage(o.action.Digest()), ActionResult: newEntry(o.result, cas.DigestBytes(tree)),
		})
		return err
	})
	if err != nil {
		return u.refused(err)
	}
	u.c.counts.uploaded.Add(1)
	return nil
}

// refused ends the uploads when the server says that it takes none.
func (u *uploads) refused(err error) error {
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unimplemented, codes.Unauthenticated:
		return u.end(err)
	}
	return err
}

// send uploads those of the blobs that the server lacks. own are those that are not in the store.
func (u *uploads) send(found *Capabilities, blobs []cas.Digest, own map[cas.Digest][]byte) error {
	missing, err := u.missing(blobs)
	if err != nil {
		return err
	}
	for batch := range batches(missing, found.BatchBytes) {
		if len(batch) == 1 {
			err = u.sendStream(found, batch[0], own)
		} else {
			err = u.sendBatch(batch, own)
		}
		if err != nil {
			return err
		}
		for _, d := range batch {
			u.c.present.Store(d, true)
			u.c.counts.up.Add(d.Size)
		}
	}
	return nil
}

// missing asks which blobs the server lacks.
func (u *uploads) missing(blobs []cas.Digest) ([]cas.Digest, error) {
	var ask []*repb.Digest
	once := map[cas.Digest]bool{}
	for _, d := range blobs {
		if _, known := u.c.present.Load(d); !known && !once[d] {
			once[d] = true
			ask = append(ask, digestMessage(d))
		}
	}
	var missing []cas.Digest
	for len(ask) > 0 {
		n := min(asked, len(ask))
		var got *repb.FindMissingBlobsResponse
		err := u.c.call(u.ctx, 0, func(ctx context.Context) (err error) {
			got, err = u.c.blobs.FindMissingBlobs(ctx, &repb.FindMissingBlobsRequest{InstanceName: u.c.config.Instance, BlobDigests: ask[:n]})
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, m := range got.GetMissingBlobDigests() {
			d, err := digestOf(m)
			if err != nil || !once[d] {
				return nil, fmt.Errorf("the server misses a blob that it was not asked for: %v", m)
			}
			missing = append(missing, d)
			delete(once, d)
		}
		ask = ask[n:]
	}
	for d := range once {
		u.c.present.Store(d, true)
	}
	return missing, nil
}

// open gives the bytes of a blob.
func (u *uploads) open(d cas.Digest, own map[cas.Digest][]byte) ([]byte, error) {
	if text, ok := own[d]; ok {
		return text, nil
	}
	return u.c.store.ReadAll(d)
}

func (u *uploads) sendBatch(batch []cas.Digest, own map[cas.Digest][]byte) error {
	request := &repb.BatchUpdateBlobsRequest{InstanceName: u.c.config.Instance}
	size := int64(0)
	for _, d := range batch {
		text, err := u.open(d, own)
		if err != nil {
			return err
		}
		size += d.Size
		request.Requests = append(request.Requests, &repb.BatchUpdateBlobsRequest_Request{Digest: digestMessage(d), Data: text})
	}
	var got *repb.BatchUpdateBlobsResponse
	err := u.c.call(u.ctx, size, func(ctx context.Context) (err error) {
		got, err = u.c.blobs.BatchUpdateBlobs(ctx, request)
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
func (u *uploads) sendStream(found *Capabilities, d cas.Digest, own map[cas.Digest][]byte) error {
	text, err := u.open(d, own)
	if err != nil {
		return err
	}
	kind, sent := "blobs", text
	if u.c.config.Compress && found.Zstd {
		encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		kind, sent = "compressed-blobs/zstd", encoder.EncodeAll(text, nil)
	}
	return u.c.call(u.ctx, d.Size, func(ctx context.Context) error {
		stream, err := u.c.streams.Write(ctx)
		if err != nil {
			return err
		}
		name := u.c.resource("uploads/"+uuid.NewString()+"/", kind, d)
		r := bytes.NewReader(sent)
		for at := int64(0); ; {
			next := sent[at:min(at+piece, int64(len(sent)))]
			last := at+int64(len(next)) == r.Size()
			if err := stream.Send(&bytestream.WriteRequest{ResourceName: name, WriteOffset: at, Data: next, FinishWrite: last}); err != nil && err != io.EOF {
				return err
			} else if err == io.EOF {
				break // the server has it already, or says below what it does not like
			}
			name = ""
			if at += int64(len(next)); last {
				break
			}
		}
		_, err = stream.CloseAndRecv()
		return err
	})
}

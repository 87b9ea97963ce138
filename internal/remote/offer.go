package remote

import (
	"context"
	"fmt"
	"sync"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
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

// Offer uploads a result that was made here or by a worker, later and beside the build. Without an upload in the configuration it does
// nothing.
func (c *Client) Offer(a *action.Action, r action.Result) {
	if c.upload == nil || c.gone() {
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
	if err := (&parcel{c: u.c, found: found, own: own}).deliver(u.ctx, blobs); err != nil {
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

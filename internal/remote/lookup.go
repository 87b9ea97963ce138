package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/pannous/redox-clif/internal/action"
	"github.com/pannous/redox-clif/internal/cas"
)

// maxTree is the largest Tree that is taken, in bytes: that of the standard library's sources has about a fiftieth.
const maxTree = 64 << 20

// Lookup asks for the result of an action. The folders of its output are in the store then, its files are where they are. A server that
// cannot answer has no result.
func (c *Client) Lookup(ctx context.Context, a *action.Action) (action.Result, bool) {
	if !c.config.Accept || c.ready() == nil {
		return action.Result{}, false
	}
	r, err := c.lookup(ctx, a.Digest())
	if err != nil {
		c.counts.misses.Add(1)
		return action.Result{}, false
	}
	c.counts.hits.Add(1)
	return r, true
}

func (c *Client) lookup(ctx context.Context, key cas.Digest) (action.Result, error) {
	var got *repb.ActionResult
	err := c.call(ctx, 0, func(ctx context.Context) (err error) {
		got, err = c.results.GetActionResult(ctx, &repb.GetActionResultRequest{InstanceName: c.config.Instance, ActionDigest: digestMessage(key)})
		return err
	})
	if status.Code(err) == codes.PermissionDenied || status.Code(err) == codes.Unauthenticated {
		c.breaker.mu.Lock()
		c.giveUp(err)
		c.breaker.mu.Unlock()
	}
	if err != nil {
		return action.Result{}, err
	}
	r, tree, err := readEntry(got)
	if err != nil {
		return r, err
	}
	root, err := c.fetchTree(ctx, tree)
	if err != nil {
		return r, err
	}
	if !r.Output.IsZero() && r.Output != root {
		return r, errors.New("its Tree is not that of its root")
	}
	r.Output = root
	return r, nil
}

// fetchTree brings the folders of a Tree into the store and returns the digest of its root. Its files stay where they are.
func (c *Client) fetchTree(ctx context.Context, tree cas.Digest) (root cas.Digest, err error) {
	if tree.Size > maxTree {
		return root, fmt.Errorf("its Tree has %d bytes", tree.Size)
	}
	var text bytes.Buffer
	if err := c.read(ctx, tree, &text); err != nil {
		return root, err
	}
	if cas.DigestBytes(text.Bytes()) != tree {
		c.counts.wrong.Add(1)
		return root, errors.New("its Tree is another one")
	}
	return keepTree(c.store, text.Bytes())
}

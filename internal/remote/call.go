package remote

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// firstPause is the time before a call is tried again; each further one is twice as long.
	firstPause = 100 * time.Millisecond
	// maxFailures in a row end the use of a server for the rest of a build.
	maxFailures = 3
)

// errGone is the error of all calls after the use of the server has ended.
var errGone = errors.New("the remote cache is not used any more in this build")

// breaker ends the use of a server that does not serve.
type breaker struct {
	mu       sync.Mutex
	failures int
	open     bool
}

// gone tells whether the server is not used any more.
func (c *Client) gone() bool {
	c.breaker.mu.Lock()
	defer c.breaker.mu.Unlock()
	return c.breaker.open
}

// note counts failures in a row. The one that is too many is the only one that is said.
func (c *Client) note(err error) {
	c.breaker.mu.Lock()
	defer c.breaker.mu.Unlock()
	if err == nil {
		c.breaker.failures = 0
		return
	}
	if c.breaker.failures++; c.breaker.failures >= maxFailures {
		c.giveUp(err)
	}
}

// giveUp ends the use of the server; the breaker's mu is held.
func (c *Client) giveUp(err error) {
	if !c.breaker.open {
		c.breaker.open = true
		c.notice(fmt.Sprintf("the remote cache %s is not used: %s", c.config.Address, explain(err)))
	}
}

// ready is what the server can do, or nil when it is not used (any more). A server that does not even say what it can do is given up at
// once.
func (c *Client) ready() *Capabilities {
	if c.gone() {
		return nil
	}
	found, err := c.capabilities()
	if err != nil {
		c.breaker.mu.Lock()
		defer c.breaker.mu.Unlock()
		c.giveUp(err)
		return nil
	}
	return found
}

// call makes a call that moves so many bytes, again when it failed for the moment. What the server says of the request itself (not
// found, refused) is an answer and no failure of the server's.
func (c *Client) call(ctx context.Context, size int64, f func(context.Context) error) error {
	for again := 0; ; again++ {
		if c.gone() {
			return errGone
		}
		c.counts.calls.Add(1)
		limited, cancel := context.WithTimeout(ctx, c.config.Timeout+time.Duration(size>>20)*time.Second)
		err := f(limited)
		cancel()
		if ctx.Err() != nil {
			return context.Cause(ctx) // the build was stopped; the server is not to blame
		}
		if !momentary(err) {
			c.note(nil)
			return err
		}
		// A call that took all its time is not made again: it would take as long.
		if again == c.config.Retries || status.Code(err) == codes.DeadlineExceeded {
			c.note(err)
			return err
		}
		if err := pause(ctx, again); err != nil {
			return err
		}
	}
}

// pause waits before something is tried for the next time, after it was tried so many times again.
func pause(ctx context.Context, again int) error {
	d := firstPause << again
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d + rand.N(d)):
		return nil
	}
}

// momentary tells whether a call failed for a reason that may pass.
func momentary(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.Aborted, codes.Internal, codes.DeadlineExceeded, codes.ResourceExhausted:
		return true
	}
	return false
}

// explain says for people why a call failed, and what to do.
func explain(err error) string {
	s, ok := status.FromError(err)
	if !ok {
		return err.Error()
	}
	text := strings.TrimSpace(s.Message())
	switch s.Code() {
	case codes.Unauthenticated:
		return "it wants credentials (" + text + "): give them as a header, like authorization=Bearer …"
	case codes.PermissionDenied:
		return "it does not allow this (" + text + ")"
	case codes.DeadlineExceeded:
		return "it did not answer in time"
	case codes.InvalidArgument, codes.NotFound:
		return text + " (is the instance name right?)"
	case codes.Unimplemented:
		return "it is no server of the Remote Execution API (" + text + ")"
	case codes.Unavailable:
		// A server that misses a certificate hangs up; what is met of that depends on who is faster.
		for _, hungUp := range []string{"error reading server preface", "broken pipe", "connection reset"} {
			if strings.Contains(text, hungUp) {
				return text + " (does it want TLS, or a client certificate?)"
			}
		}
		return text
	}
	return s.Code().String() + ": " + text
}

package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// request asks a server for a file from offset on. Not every server can begin there.
func (c *Client) request(ctx context.Context, location string, offset int64) (*answer, error) {
	request, err := http.NewRequest(http.MethodGet, location, nil)
	if err != nil {
		return nil, final(err)
	}
	// A compressed answer could not be resumed and has no known length.
	request.Header.Set("Accept-Encoding", "identity")
	if offset > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	response, err := c.send(ctx, request)
	if err != nil {
		return nil, err
	}
	a := &answer{body: response.Body}
	switch {
	case response.StatusCode == http.StatusRequestedRangeNotSatisfiable && offset > 0:
		// All of it is there already, or it is something else: the check will say. The body is no part of the file.
		return &answer{body: http.NoBody, start: offset}, response.Body.Close()
	case response.StatusCode == http.StatusPartialContent:
		a.start = offset
		err = checkRange(response.Header.Get("Content-Range"), offset)
	case response.StatusCode != http.StatusOK:
		err = &StatusError{Code: response.StatusCode}
	}
	if err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	if response.ContentLength > 0 {
		a.total = a.start + response.ContentLength
	}
	return a, nil
}

func checkRange(got string, offset int64) error {
	var first int64
	if _, err := fmt.Sscanf(got, "bytes %d-", &first); err != nil || first != offset {
		return fmt.Errorf("asked for the file from byte %d on, the server answers with %q", offset, got)
	}
	return nil
}

// send is http.Client.Do of which the waits, for the answer and for each piece of its body, end with ErrStalled.
func (c *Client) send(ctx context.Context, request *http.Request) (*http.Response, error) {
	stall, client := c.Stall, c.HTTP
	if stall == 0 {
		stall = time.Minute
	}
	if client == nil {
		client = http.DefaultClient
	}
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watched{ctx: ctx, cancel: cancel, stall: stall}
	w.timer = time.AfterFunc(stall, func() { cancel(fmt.Errorf("%w: nothing for %v", ErrStalled, stall)) })
	response, err := client.Do(request.WithContext(ctx))
	w.timer.Stop()
	if err != nil {
		cancel(nil)
		return nil, w.cause(err)
	}
	w.ReadCloser, response.Body = response.Body, w
	return response, nil
}

// watched is a body under the eyes of a stall timer.
type watched struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.stall)
	n, err := w.ReadCloser.Read(p)
	w.timer.Stop()
	if err != nil && err != io.EOF {
		err = w.cause(err)
	}
	return n, err
}

func (w *watched) Close() error {
	w.cancel(nil)
	return w.ReadCloser.Close()
}

// cause replaces "context canceled" by the reason. Whoever else ends the context is told so by it.
func (w *watched) cause(err error) error {
	if cause := context.Cause(w.ctx); errors.Is(cause, ErrStalled) {
		return cause
	}
	return err
}

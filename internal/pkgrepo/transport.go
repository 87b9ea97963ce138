package pkgrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Errors that callers tell apart.
var (
	// ErrNotFound: the server has no such file.
	ErrNotFound = errors.New("not found")
	// ErrStalled: the server sent nothing for too long.
	ErrStalled = errors.New("server stalled")
	// ErrOffline: the network would be needed.
	ErrOffline = errors.New("not in the cache, and offline")
)

// StatusError is an answer that is neither a file nor "not found".
type StatusError struct{ Code int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("server answers %d %s", e.Code, http.StatusText(e.Code))
}

// temporary reports whether asking again may help.
func temporary(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		return status.Code >= 500 || status.Code == http.StatusTooManyRequests || status.Code == http.StatusRequestTimeout
	}
	var permanent *permanentError
	return !errors.Is(err, ErrNotFound) && !errors.Is(err, context.Canceled) && !errors.As(err, &permanent)
}

// permanentError marks a failure of a place that stays the same when it is asked again.
type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

func permanentf(format string, args ...any) error {
	return &permanentError{fmt.Errorf(format, args...)}
}

// place is one location of a repository: a server or a folder.
type place interface {
	// open opens a file for reading from offset on. If the place cannot start there, start is 0. rel has slashes.
	open(ctx context.Context, rel string, offset int64) (body io.ReadCloser, start int64, err error)
	String() string
}

// newPlace understands https://, http:// for this machine only, file:// and paths.
func newPlace(location string, client *http.Client, stall time.Duration) (place, error) {
	u, err := url.Parse(location)
	switch {
	case err != nil:
		return nil, err
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return &server{base: strings.TrimRight(location, "/"), client: client, stall: stall}, nil
	case u.Scheme == "http":
		return nil, fmt.Errorf("%s: use https; without it the descriptions of packages can be forged", location)
	case u.Scheme == "file":
		return folder(filepath.FromSlash(u.Path)), nil
	case strings.Contains(location, "://"):
		return nil, fmt.Errorf("%s: %q is not a scheme of package repositories", location, u.Scheme)
	case !filepath.IsAbs(location):
		return nil, fmt.Errorf("%s: the path of a repository has to be absolute", location)
	default:
		return folder(location), nil
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

type folder string

func (f folder) String() string { return string(f) }

func (f folder) open(_ context.Context, rel string, offset int64) (io.ReadCloser, int64, error) {
	file, err := os.Open(filepath.Join(string(f), filepath.FromSlash(rel)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("%s: %w", rel, ErrNotFound)
	}
	if err != nil {
		return nil, 0, err
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, offset, nil
}

type server struct {
	base   string
	client *http.Client
	stall  time.Duration
}

func (s *server) String() string { return s.base }

// open sends the request. The stall timer covers the wait for the answer and every read of its body.
func (s *server) open(ctx context.Context, rel string, offset int64) (io.ReadCloser, int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(s.stall, func() { cancel(fmt.Errorf("%w: nothing for %v", ErrStalled, s.stall)) })
	stop := func() { timer.Stop(); cancel(nil) }
	response, start, err := s.request(ctx, rel, offset)
	if err != nil {
		err = causeOf(ctx, err)
		stop()
		return nil, 0, err
	}
	return &guarded{ReadCloser: response.Body, ctx: ctx, timer: timer, stall: s.stall, stop: stop}, start, nil
}

func (s *server) request(ctx context.Context, rel string, offset int64) (*http.Response, int64, error) {
	var path []string
	for part := range strings.SplitSeq(rel, "/") {
		path = append(path, url.PathEscape(part))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/"+strings.Join(path, "/"), nil)
	if err != nil {
		return nil, 0, err
	}
	// A compressed answer could not be resumed and has no known length.
	request.Header.Set("Accept-Encoding", "identity")
	if offset > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	start, err := startOf(response, offset)
	if err != nil {
		return nil, 0, errors.Join(err, response.Body.Close())
	}
	return response, start, nil
}

// startOf is the place in the file at which the answer's body starts.
func startOf(response *http.Response, offset int64) (int64, error) {
	switch response.StatusCode {
	case http.StatusOK:
		return 0, nil
	case http.StatusPartialContent:
		var first int64
		if _, err := fmt.Sscanf(response.Header.Get("Content-Range"), "bytes %d-", &first); err != nil || first != offset {
			return 0, fmt.Errorf("asked for the file from byte %d on, the server answers with %q", offset, response.Header.Get("Content-Range"))
		}
		return first, nil
	case http.StatusRequestedRangeNotSatisfiable:
		return 0, errRange
	case http.StatusNotFound, http.StatusGone:
		return 0, fmt.Errorf("%s: %w", response.Request.URL, ErrNotFound)
	default:
		return 0, &StatusError{Code: response.StatusCode}
	}
}

// errRange: the file is not longer than what is there already.
var errRange = errors.New("server has no more than that")

// guarded is a body that ends with ErrStalled when nothing comes.
type guarded struct {
	io.ReadCloser
	ctx   context.Context
	timer *time.Timer
	stall time.Duration
	stop  func()
}

func (g *guarded) Read(p []byte) (int, error) {
	n, err := g.ReadCloser.Read(p)
	if n > 0 {
		g.timer.Reset(g.stall)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = causeOf(g.ctx, err)
	}
	return n, err
}

func (g *guarded) Close() error {
	g.stop()
	return g.ReadCloser.Close()
}

// causeOf replaces "context canceled" by the reason.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(cause, ErrStalled) {
		return cause
	}
	return err
}

// noDowngrade refuses a redirection from https to http.
func noDowngrade(request *http.Request, via []*http.Request) error {
	if len(via) >= 10 {
		return errors.New("more than 10 redirections")
	}
	if via[0].URL.Scheme == "https" && request.URL.Scheme != "https" {
		return fmt.Errorf("redirected from https to %s", request.URL)
	}
	return nil
}

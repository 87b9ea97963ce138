package download

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	good     = bytes.Repeat([]byte("a file of some length, "), 1000)
	errWrong = errors.New("wrong bytes")
)

// isGood is a check that needs all bytes and knows how many there are.
func isGood(r io.Reader) error {
	got := make([]byte, len(good))
	if n, err := io.ReadFull(r, got); err != nil && bytes.HasPrefix(good, got[:n]) {
		return fmt.Errorf("%d bytes: %w", n, io.ErrUnexpectedEOF)
	}
	if rest, _ := io.ReadAll(r); !bytes.Equal(got, good) || len(rest) > 0 {
		return errWrong
	}
	return nil
}

// server answers the first request with the first of answers, and so on, all further ones with the last, and notes what was asked for.
type server struct {
	*httptest.Server
	asked []string // the ranges
}

type answering func(w http.ResponseWriter, r *http.Request)

func serve(t *testing.T, answers ...answering) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked = append(s.asked, r.Header.Get("Range"))
		if as := r.Header.Get("Accept-Encoding"); as != "identity" {
			t.Errorf("asked for the file as %q", as)
		}
		answers[min(len(s.asked), len(answers))-1](w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func gives(b []byte) answering {
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}
}

// sends ignores what is asked for.
func sends(b []byte) answering {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) } // the client may be gone
}

func fails(code int) answering {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// breaks ends in the middle of what it announced.
func breaks(b []byte) answering {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(good)))
		sends(b)(w, r)
	}
}

func ranged(header string, b []byte) answering {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Range", header)
		w.WriteHeader(http.StatusPartialContent)
		sends(b)(w, r)
	}
}

// errAny stands for an error that has no name.
var errAny = errors.New("any")

func is(err, want error) bool {
	var got, status *StatusError
	if errors.As(want, &status) {
		return errors.As(err, &got) && *got == *status
	}
	return errors.Is(err, want) || want == errAny && err != nil
}

// TestGet: what is asked for, what comes of it, and what is left for the next time.
func TestGet(t *testing.T) {
	half := len(good) / 2
	rest := fmt.Sprintf("bytes=%d-", half)
	for name, test := range map[string]struct {
		part    []byte
		answers []answering
		asked   []string
		want    error  // nil: the part is good afterwards
		left    []byte // else; nil: no part
	}{
		"at once":                             {nil, []answering{gives(good)}, []string{""}, nil, nil},
		"it breaks off":                       {nil, []answering{breaks(good[:half]), gives(good)}, []string{"", rest}, nil, nil},
		"it ends too early":                   {nil, []answering{sends(good[:half]), gives(good)}, []string{"", rest}, nil, nil},
		"part of it is there":                 {good[:half], []answering{gives(good)}, []string{rest}, nil, nil},
		"all of it is there":                  {good, []answering{gives(good)}, []string{fmt.Sprintf("bytes=%d-", len(good))}, nil, nil},
		"the server cannot go on":             {good[:half], []answering{sends(good)}, []string{rest}, nil, nil},
		"something else is there":             {[]byte("something else"), []answering{gives(good)}, []string{"bytes=14-", ""}, nil, nil},
		"something longer is there":           {append(bytes.Clone(good), 0), []answering{gives(good)}, []string{fmt.Sprintf("bytes=%d-", len(good)+1), ""}, nil, nil},
		"something else, and it comes anew":   {[]byte("something else"), []answering{sends(good)}, []string{"bytes=14-"}, nil, nil},
		"something longer, and it comes anew": {append(bytes.Clone(good), 0), []answering{sends(good)}, []string{fmt.Sprintf("bytes=%d-", len(good)+1)}, nil, nil},
		"another file":                        {nil, []answering{gives([]byte("another"))}, []string{""}, errWrong, nil},
		"another file, part of it is there":   {[]byte("ano"), []answering{gives([]byte("another"))}, []string{"bytes=3-", ""}, errWrong, nil},
		"the server has less than is there":   {good[:half], []answering{gives(good[:5])}, []string{rest, "", "bytes=5-"}, io.ErrUnexpectedEOF, nil},
		"more than the file":                  {nil, []answering{sends(append(bytes.Clone(good), 0))}, []string{""}, errWrong, nil},
		"nothing":                             {nil, []answering{sends(nil)}, []string{""}, io.ErrUnexpectedEOF, nil},
		"always the first byte":               {nil, []answering{breaks(good[:1])}, []string{"", "bytes=1-", "bytes=1-", "bytes=1-"}, io.ErrUnexpectedEOF, good[:1]},
		"another range":                       {good[:half], []answering{ranged("bytes 7-9/10", good[7:])}, []string{rest, rest, rest}, errAny, good[:half]},
		"no range":                            {good[:half], []answering{ranged("", good)}, []string{rest, rest, rest}, errAny, good[:half]},
		"not found":                           {nil, []answering{fails(404)}, []string{""}, ErrNotFound, nil},
		"gone, and part of it is there":       {good[:half], []answering{fails(410)}, []string{rest}, ErrNotFound, good[:half]},
		"denied":                              {nil, []answering{fails(403)}, []string{""}, &StatusError{403}, nil},
		"a range that was not asked for":      {nil, []answering{fails(416)}, []string{""}, &StatusError{416}, nil},
		"an error that passes":                {nil, []answering{fails(503), fails(429), gives(good)}, []string{"", "", ""}, nil, nil},
		"an error that stays":                 {nil, []answering{fails(503)}, []string{"", "", ""}, &StatusError{503}, nil},
		"an error that stays, between halves": {nil, []answering{breaks(good[:half]), fails(503)}, []string{"", rest, rest, rest}, &StatusError{503}, good[:half]},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, test.answers...)
			part := filepath.Join(t.TempDir(), "part")
			if test.part != nil {
				write(t, part, test.part)
			}
			err := quick().Get(t.Context(), File{From: []string{s.URL + "/f"}, Part: part, Check: isGood})
			if diff := cmp.Diff(test.asked, s.asked); diff != "" {
				t.Errorf("ranges asked for (-want +got):\n%s", diff)
			}
			left, _ := os.ReadFile(part)
			if test.want == nil {
				test.left = good
			}
			if !is(err, test.want) || !bytes.Equal(left, test.left) {
				t.Errorf("%d bytes left, error %v, want %d and %v", len(left), err, len(test.left), test.want)
			}
			if _, statErr := os.Stat(part); (statErr == nil) != (test.left != nil) {
				t.Errorf("the part: %v", statErr)
			}
			if err != nil && !strings.HasPrefix(err.Error(), s.URL+"/f: ") {
				t.Errorf("error %v does not name the location", err)
			}
		})
	}
}

// quick never waits.
func quick() *Client {
	return &Client{Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }}
}

func write(t *testing.T, file string, b []byte) {
	t.Helper()
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// silent is a server that never ends what it begins.
type silent struct {
	first []byte // of the body; without it there is no answer at all
	after time.Duration
}

func (s silent) RoundTrip(r *http.Request) (*http.Response, error) {
	body, out := io.Pipe()
	go func() {
		time.Sleep(s.after)
		_, _ = out.Write(s.first) // the client may be gone
	}()
	context.AfterFunc(r.Context(), func() { out.CloseWithError(r.Context().Err()) })
	if s.first == nil {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: http.StatusOK, Body: body, ContentLength: int64(len(good))}, nil
}

// TestStall: a server that sends nothing is left after that time, before the answer and in the middle of it, and what came is
// kept. The time that the check takes does not count.
func TestStall(t *testing.T) {
	for name, test := range map[string]struct {
		server silent
		lasts  time.Duration
	}{
		"no answer":           {silent{}, time.Minute},
		"nothing of the body": {silent{[]byte{}, 0}, time.Minute},
		// Progress makes it worth a second try, which brings none.
		"its beginning":        {silent{good[:10], 0}, 2 * time.Minute},
		"its beginning, later": {silent{good[:10], 59 * time.Second}, 2 * 119 * time.Second},
	} {
		for _, thinks := range []time.Duration{0, time.Hour} {
			synctest.Test(t, func(t *testing.T) {
				c := &Client{HTTP: &http.Client{Transport: test.server}, Attempts: 1}
				part := filepath.Join(t.TempDir(), "part")
				begin, checked := time.Now(), time.Duration(0)
				err := c.Get(t.Context(), File{From: []string{"http://h/f"}, Part: part, Check: func(r io.Reader) error {
					if _, err := io.ReadFull(r, make([]byte, 10)); err == nil {
						time.Sleep(thinks)
						checked += thinks
					}
					return isGood(io.MultiReader(bytes.NewReader(good[:10]), r))
				}})
				left, _ := os.ReadFile(part)
				if !errors.Is(err, ErrStalled) || err.Error() != "http://h/f: server stalled: nothing for 1m0s" || len(left) != len(test.server.first) {
					t.Errorf("%s: %d bytes left, %v", name, len(left), err)
				}
				if took := time.Since(begin) - checked; took != test.lasts {
					t.Errorf("%s, with %v of checking: it took %v", name, thinks, took)
				}
			})
		}
	}
}

// TestCancel: the error is the context's, whoever notices its end, and nothing that came is thrown away.
func TestCancel(t *testing.T) {
	for name, check := range map[string]func(context.Context, io.Reader) error{
		"in the transfer": func(_ context.Context, r io.Reader) error { return isGood(r) },
		"in the check": func(ctx context.Context, r io.Reader) error {
			_, err := io.ReadFull(r, make([]byte, 10))
			<-ctx.Done()
			return errors.Join(err, ctx.Err())
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			c := &Client{HTTP: &http.Client{Transport: silent{first: good[:10]}}}
			part := filepath.Join(t.TempDir(), "part")
			err := c.Get(ctx, File{From: []string{"http://h/f"}, Part: part, Check: func(r io.Reader) error { return check(ctx, r) }})
			if left, _ := os.ReadFile(part); !errors.Is(err, context.DeadlineExceeded) || len(left) != 10 {
				t.Errorf("%s: %d bytes left, %v", name, len(left), err)
			}
		})
	}
}

// TestLocations: the first that has the right bytes gives them, whatever is wrong with those before it; an error is "not found" only
// if all say so.
func TestLocations(t *testing.T) {
	dir := t.TempDir()
	file, nowhere := filepath.Join(dir, "100% of a #file"), filepath.Join(dir, "nowhere")
	write(t, file, good)
	missing, broken, wrong := serve(t, fails(404)).URL, serve(t, fails(503)).URL, serve(t, sends([]byte("wrong"))).URL
	unreachable := serve(t, fails(404))
	unreachable.Close()
	for name, test := range map[string]struct {
		from []string
		want error
	}{
		"a path":               {[]string{file}, nil},
		"a URL of a file":      {[]string{"file://" + dir + "/100%25%20of%20a%20%23file"}, nil},
		"after all others":     {[]string{nowhere, missing, broken, wrong, unreachable.URL, "http://[", "gopher://h/", file}, nil},
		"none":                 {nil, errAny},
		"no file":              {[]string{nowhere}, ErrNotFound},
		"a folder":             {[]string{dir}, errAny},
		"nowhere":              {[]string{nowhere, missing}, ErrNotFound},
		"perhaps somewhere":    {[]string{nowhere, broken}, errAny},
		"two different faults": {[]string{broken, wrong}, errWrong},
	} {
		t.Run(name, func(t *testing.T) {
			var data []byte
			readErr := quick().Read(t.Context(), test.from, func(r io.Reader) (err error) {
				var b bytes.Buffer
				err = isGood(io.TeeReader(r, &b))
				data = b.Bytes()
				return err
			})
			part := filepath.Join(t.TempDir(), "part")
			write(t, part, good[:len(good)/2])
			getErr := quick().Get(t.Context(), File{From: test.from, Part: part, Check: isGood})
			got, _ := os.ReadFile(part)
			if test.want == nil && (!bytes.Equal(data, good) || !bytes.Equal(got, good)) {
				t.Errorf("%d and %d bytes", len(data), len(got))
			}
			for _, err := range []error{readErr, getErr} {
				if !is(err, test.want) || errors.Is(err, ErrNotFound) != (test.want == ErrNotFound) {
					t.Errorf("error %v, want %v", err, test.want)
				}
			}
		})
	}
}

// TestThisMachine: a failure of the machine says nothing about the bytes, which are kept, and is not tried again.
func TestThisMachine(t *testing.T) {
	s := serve(t, gives(good))
	part := filepath.Join(t.TempDir(), "part")
	err := quick().Get(t.Context(), File{From: []string{s.URL}, Part: part, Check: func(r io.Reader) error {
		_, err := os.Open(filepath.Join(part, "below a file"))
		return errors.Join(isGood(r), err)
	}})
	if left, _ := os.ReadFile(part); err == nil || !bytes.Equal(left, good) || len(s.asked) != 1 {
		t.Errorf("%d bytes left after %d requests, %v", len(left), len(s.asked), err)
	}
	if err := quick().Get(t.Context(), File{From: []string{s.URL}, Part: filepath.Join(part, "x"), Check: isGood}); !errors.As(err, new(*fs.PathError)) {
		t.Errorf("a part that cannot be: %v", err)
	}
}

// TestPatience: waits double, begin anew after progress, and end with the attempts or the context.
func TestPatience(t *testing.T) {
	half := len(good) / 2
	s := serve(t, fails(503), fails(503), breaks(good[:half]), fails(503), fails(503), fails(503))
	var waits []string
	c := &Client{Sleep: func(_ context.Context, d time.Duration) error { waits = append(waits, d.String()); return nil }}
	err := c.Get(t.Context(), File{From: []string{s.URL}, Part: filepath.Join(t.TempDir(), "part"), Check: isGood})
	if diff := cmp.Diff([]string{"500ms", "1s", "500ms", "1s"}, waits); diff != "" || err == nil || !strings.Contains(err.Error(), "503 Service Unavailable (3 attempts)") {
		t.Errorf("%v, waits (-want +got):\n%s", err, diff)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := sleep(ctx, time.Second/2); err != nil {
			t.Error(err)
		}
		if err := sleep(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// TestByteByByte: what makes progress without end comes to one.
func TestByteByByte(t *testing.T) {
	next := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if next > maxAttempts {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if next > 0 {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", next, len(good)-1, len(good)))
			w.WriteHeader(http.StatusPartialContent)
		}
		sends(good[next:next+1])(w, r)
		next++
	})
	err := quick().Get(t.Context(), File{From: []string{s.URL}, Part: filepath.Join(t.TempDir(), "part"), Check: isGood})
	if err == nil || len(s.asked) != maxAttempts {
		t.Errorf("%v after %d requests", err, len(s.asked))
	}
}

// TestProgress: it begins with what is there and rises to the size, of a server's file and of one of this machine.
func TestProgress(t *testing.T) {
	size := int64(len(good))
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, good)
	for _, location := range []string{serve(t, gives(good)).URL, file} {
		part := filepath.Join(t.TempDir(), "part")
		write(t, part, good[:size/2])
		last := size / 2
		err := quick().Get(t.Context(), File{From: []string{location}, Part: part, Check: isGood, Progress: func(done, total int64) {
			if done <= last || done > size || total != size {
				t.Errorf("%s: %d of %d bytes after %d", location, done, total, last)
			}
			last = done
		}})
		if err != nil || last != size {
			t.Errorf("%s: at the end %d bytes of %d, %v", location, last, size, err)
		}
	}
}

func TestBytes(t *testing.T) {
	s := serve(t, gives(good))
	for limit, want := range map[int]error{len(good): nil, len(good) - 1: errAny, 0: errAny} {
		data, err := quick().Bytes(t.Context(), []string{s.URL}, int64(limit))
		if !is(err, want) || err == nil && !bytes.Equal(data, good) || err != nil && data != nil {
			t.Errorf("limit %d: %d bytes, %v", limit, len(data), err)
		}
	}
	if len(s.asked) != 3 {
		t.Errorf("asked %d times for what is too long", len(s.asked))
	}
	if data, err := quick().Bytes(t.Context(), []string{serve(t, breaks(good[:5])).URL}, 1<<20); err == nil || data != nil {
		t.Errorf("it breaks off: %d bytes, %v", len(data), err)
	}
}

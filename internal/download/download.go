// Package download gets files from servers and folders: it notices a server that stalls, asks again where that may help, goes on
// where a transfer broke off, and turns to the next location that has the same bytes.
//
// It owns HTTP ranges, time-outs, retries and the partial file. It must not know what the bytes are: the caller's check reads
// them while they come, and says whether they are right. Nothing is published here; a part that Get completed is whole, checked
// and on stable storage, and the caller gives it its final name. Nor are there locks: of two that complete one part at a time,
// neither gets it right.
//
// A location is an http:// or https:// URL, a file:// URL, or a path. Which of them are to be trusted, and where a server may
// redirect to, is the caller's business.
package download

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// Client gets files. Its zero value works, and it is safe for concurrent use.
type Client struct {
	HTTP     *http.Client                                     // nil means http.DefaultClient
	Stall    time.Duration                                    // how long a server may send nothing; 0 means a minute
	Attempts int                                              // how often a location is asked without anything new coming of it; 0 means 3
	Sleep    func(ctx context.Context, d time.Duration) error // waits before the next attempt; nil means for real
}

// Check reads a file from its beginning, as far as it needs, and says whether it is right. An error that is
// io.ErrUnexpectedEOF says that the file ends too early: what is there is kept, and the rest is asked for. An error that is an
// *fs.PathError is about this machine and not about the bytes. Any other means that the bytes are of no use.
//
// A check bounds what is downloaded: what it does not read does not come.
type Check func(r io.Reader) error

// File is a file that is to be completed.
type File struct {
	From  []string // locations of the same bytes, in order of preference
	Part  string   // what came so far, in a folder that is there; removed when Get fails and nothing of it is worth keeping
	Check Check
	// Progress, if not nil, is told how many bytes are there, of how many; total is 0 while it is unknown.
	Progress func(done, total int64)
}

// Get completes a file. When bytes turn out to be wrong, and some of them are from an earlier transfer, perhaps only those were:
// the same location is then asked once more, for all of them.
//
// An error names every location that failed. It is ErrNotFound only if no location has the file; it is the context's when that
// ended.
func (c *Client) Get(ctx context.Context, f File) (err error) {
	part, err := os.OpenFile(f.Part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, part.Close()) }()
	t := &transfer{c: c, file: f, part: part}
	if err := c.each(ctx, f.From, t.resume); err != nil {
		return errors.Join(err, removeEmpty(f.Part))
	}
	return part.Sync()
}

func removeEmpty(part string) error {
	info, err := os.Stat(part)
	if err != nil || info.Size() > 0 || !info.Mode().IsRegular() {
		return nil
	}
	return os.Remove(part)
}

// transfer is a file on its way.
type transfer struct {
	c    *Client
	file File
	part *os.File
	anew string // the location that is asked for all of the file once more
}

// resume adds one answer to the part.
func (t *transfer) resume(ctx context.Context, location string) (progress bool, err error) {
	before, err := t.part.Seek(0, io.SeekEnd)
	if err != nil {
		return false, err
	}
	a, err := t.c.open(ctx, location, before)
	if err != nil {
		return false, err
	}
	defer a.Close()
	if err := t.part.Truncate(a.start); err != nil {
		return false, err
	}
	a.part, a.progress = t.part, t.file.Progress
	wrong, err := a.judge(t.file.Check(io.MultiReader(io.NewSectionReader(t.part, 0, a.start), a)))
	if wrong && ctx.Err() == nil {
		return t.startOver(location, a.start, err)
	}
	return a.end() > before, err
}

// startOver throws the part away, of which the first bytes are from an earlier answer.
func (t *transfer) startOver(location string, earlier int64, wrong error) (again bool, err error) {
	if err := t.part.Truncate(0); err != nil {
		return false, errors.Join(wrong, err)
	}
	if earlier == 0 || t.anew == location {
		return false, final(wrong)
	}
	t.anew = location
	return true, wrong
}

// Read reads a file, or its beginning, and keeps nothing of it. A check that failed has to be ready to start from the beginning.
func (c *Client) Read(ctx context.Context, from []string, check Check) error {
	return c.each(ctx, from, func(ctx context.Context, location string) (progress bool, err error) {
		a, err := c.open(ctx, location, 0)
		if err != nil {
			return false, err
		}
		defer a.Close()
		wrong, err := a.judge(check(a))
		if wrong {
			return false, final(err)
		}
		return false, err
	})
}

// Bytes reads a small file of at most limit bytes.
func (c *Client) Bytes(ctx context.Context, from []string, limit int64) (data []byte, err error) {
	err = c.Read(ctx, from, func(r io.Reader) (err error) {
		data, err = io.ReadAll(io.LimitReader(r, limit+1))
		if err == nil && int64(len(data)) > limit {
			err = fmt.Errorf("it has more than %d bytes", limit)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return data, nil
}

package download

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Local is the path of a location on this machine.
func Local(location string) (path string, ok bool) {
	if !strings.Contains(location, "://") {
		return location, true
	}
	if u, err := url.Parse(location); err == nil && u.Scheme == "file" {
		return filepath.FromSlash(u.Path), true
	}
	return "", false
}

// open asks for a file from offset on.
func (c *Client) open(ctx context.Context, location string, offset int64) (*answer, error) {
	if name, ok := Local(location); ok {
		return openFile(name, offset)
	}
	return c.request(ctx, location, offset)
}

func openFile(name string, offset int64) (*answer, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &answer{body: f, start: offset, total: info.Size()}, nil
}

// answer is what a location gives of a file.
type answer struct {
	body         io.ReadCloser
	start, total int64 // in bytes: where in the file it begins, and the size of the file, 0 if unknown
	got          int64 // bytes read so far
	failed       error // of the transfer or of writing, not of the bytes

	part     io.WriterAt // nil if nothing is kept
	progress func(done, total int64)
}

func (a *answer) Close() error { return a.body.Close() }

// end is how much of the file is there.
func (a *answer) end() int64 { return a.start + a.got }

// Read passes on what comes, and writes it to the part.
func (a *answer) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	if a.part != nil && n > 0 {
		if _, err := a.part.WriteAt(p[:n], a.end()); err != nil {
			a.failed = err
			return 0, err
		}
	}
	a.got += int64(n)
	if a.progress != nil && n > 0 {
		a.progress(a.end(), a.total)
	}
	if err != nil && err != io.EOF {
		a.failed = err
	}
	return n, err
}

// judge tells from a check's error whether the bytes are wrong or only the way they took.
func (a *answer) judge(err error) (wrong bool, _ error) {
	switch {
	case err == nil:
		return false, nil
	case a.failed != nil:
		return false, a.failed
	case errors.As(err, new(*fs.PathError)):
		return false, err
	}
	// Of a file that is too short and of which nothing more came, no more ever will.
	return !errors.Is(err, io.ErrUnexpectedEOF) || a.got == 0, err
}

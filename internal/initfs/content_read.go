package initfs

import (
	"bytes"
	"io"
)

// ReadContent reads all of a content.
func ReadContent(c Content) ([]byte, error) {
	r, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var all bytes.Buffer
	all.Grow(int(max(c.Size(), 0)) + bytes.MinRead) // it is read to its end, which is nothing more
	_, err = all.ReadFrom(r)
	return all.Bytes(), err
}

// LookInto calls f with a content for it to read parts of: who looks at a program's headers need not have all of it in memory.
func LookInto(c Content, f func(r io.ReaderAt) error) error {
	r, err := c.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	if at, ok := r.(io.ReaderAt); ok {
		return f(at)
	}
	b, err := ReadContent(c)
	if err != nil {
		return err
	}
	return f(bytes.NewReader(b))
}

package initfs

import (
	"io"
)

// ReadContent reads all of a content.
func ReadContent(c Content) ([]byte, error) {
	r, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

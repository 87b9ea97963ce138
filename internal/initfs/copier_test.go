package initfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
)

// copying is content that says one size and writes what it likes, in parts.
type copying struct {
	size  int64
	parts []string
	err   error
}

func (c copying) Size() int64                  { return c.size }
func (c copying) Open() (io.ReadCloser, error) { return nil, errors.New("it is not to be read") }
func (c copying) CopyTo(_ context.Context, w io.Writer) error {
	for _, p := range c.parts {
		if _, err := io.WriteString(w, p); err != nil {
			return err
		}
	}
	return c.err
}

func TestContentThatCopiesItself(t *testing.T) {
	broken := errors.New("the disk is gone")
	for name, test := range map[string]struct {
		content Content
		fails   string
	}{
		"whole":      {copying{5, []string{"he", "llo"}, nil}, ""},
		"too short":  {copying{5, []string{"hell"}, nil}, "bin/a: the file changed while it was packed: 4 bytes are left of 5"},
		"too long":   {copying{5, []string{"hello", "!"}, nil}, "bin/a: the file changed while it was packed: it is longer"},
		"its errors": {copying{5, []string{"he"}, broken}, "bin/a: the disk is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := testSpec(V1)
			spec.Root.Children[1].Children[0].Content = test.content
			var out bytes.Buffer
			_, err := Write(t.Context(), &out, spec)
			if test.fails != "" {
				if err == nil || !strings.Contains(err.Error(), test.fails) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || !bytes.Equal(out.Bytes(), pack(t, testSpec(V1))) {
				t.Errorf("another image than that of the same bytes read (%v)", err)
			}
		})
	}
}

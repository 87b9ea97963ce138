// Package xzreader reads .xz files. It owns how much memory that takes: one dictionary for each reader, of the size that the first block
// asks for, however many blocks and streams follow. (The reader of github.com/ulikunitz/xz, by which we write .xz, makes another dictionary for each
// block and leaves the old ones to the collector.)
// It must not know what is in a file, nor where it comes from.
package xzreader

import (
	"errors"
	"fmt"
	"io"

	"github.com/mikelolasagasti/xz"
)

// MaxDictionary is the largest dictionary, in bytes, that a file may ask for: what the programs of XZ Utils write at most, see `man xz`. Rust's releases
// have up to 128 MiB, `xz -9` has 64 MiB.
const MaxDictionary = 1536 << 20

// New returns what a .xz holds, of all its streams one after the other. An error says what is wrong with the file; a cut one gives one
// before io.EOF.
func New(packed io.Reader) (io.Reader, error) {
	r, err := xz.NewReader(packed, MaxDictionary)
	if err != nil {
		return nil, explained(err)
	}
	return reader{r}, nil
}

type reader struct{ xz *xz.Reader }

// Read implements io.Reader.
func (r reader) Read(p []byte) (int, error) {
	n, err := r.xz.Read(p)
	return n, explained(err)
}

func explained(err error) error {
	if errors.Is(err, xz.ErrMemlimit) {
		return fmt.Errorf("xz: it asks for a dictionary of more than %d MiB; xz -9 takes 64: compress it again", MaxDictionary>>20)
	}
	return err
}

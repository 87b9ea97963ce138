package pkgar

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

const (
	// maxDict is how far back a match may reach: the dictionary of the reference reader.
	maxDict = 64 << 20
	// segmentSize is how much of a file is packed by itself, so that the parts of a large file can be packed side by side.
	segmentSize = 2 << 20
	// packDict is how far back our matches reach. A larger one makes programs larger, texts 0.3 % smaller, and costs 8 bytes of
	// memory for each byte. Changing it, like segmentSize, changes the bytes of archives.
	packDict = 512 << 10
)

// packSegment appends the LZMA2 chunks of data to out, from a dictionary reset on and without an end mark, so that the chunks of
// several segments can follow each other.
func packSegment(out *bytes.Buffer, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	w, err := lzma.Writer2Config{DictCap: max(lzma.MinDictCap, min(len(data), packDict))}.NewWriter2(out)
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return w.Flush()
}

// measureChunks walks the headers of a sequence, which has to fill in and to hold declared bytes, and returns the dictionary
// that it needs. A large claim is believed only of an archive that has the chunks for it.
func measureChunks(ctx context.Context, in *io.SectionReader, declared uint64) (dict int64, err error) {
	var total uint64
	var reach int64
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		c, err := chunkAt(in, at)
		if err != nil {
			return 0, err
		}
		total += uint64(c.unpacked)
		switch {
		case c.end > in.Size():
			return 0, fmt.Errorf("%w: ends inside the LZMA2 chunk at packed byte %d", ErrTruncated, at)
		case total > declared || c.last && total < declared:
			return 0, fmt.Errorf("declared length is %d, LZMA2 chunks to packed byte %d have %d bytes", declared, c.end, total)
		case c.last && c.end < in.Size():
			return 0, fmt.Errorf("%d stored bytes behind the end of the LZMA2 data", in.Size()-c.end)
		case c.last:
			return min(dict, maxDict), nil
		case c.reset:
			reach = 0
		}
		reach += c.unpacked
		dict = max(dict, reach)
		at = c.end
	}
}

// decodeChunks writes what is in a sequence that measureChunks accepted. It goes chunk by chunk, since the library does not look
// whether it used all of a chunk's data, and would take what is left for the next header.
func decodeChunks(out io.Writer, in *io.SectionReader, dict int64) error {
	packed := bufio.NewReader(in)
	r, err := lzma.Reader2Config{DictCap: max(lzma.MinDictCap, int(dict))}.NewReader2(packed)
	if err != nil {
		return err
	}
	for at := int64(0); ; {
		c, err := chunkAt(in, at)
		if err != nil || c.last {
			return err
		}
		if _, err := io.CopyN(out, r, c.unpacked); err != nil {
			return err
		}
		read, err := in.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if at = read - int64(packed.Buffered()); at != c.end {
			return fmt.Errorf("LZMA2 chunk before packed byte %d: only the data to byte %d belongs to it", c.end, at)
		}
	}
}

// chunk is what the header of an LZMA2 chunk says.
type chunk struct {
	end      int64 // where the next one begins
	unpacked int64
	reset    bool // matches do not reach back beyond its start
	last     bool // it is the end mark
}

// chunkAt reads the header at a place of a sequence. By the chunk table of the .xz documentation, sizes big endian:
//
//	0x00        end of the sequence
//	0x01        stored chunk, dictionary reset first          u16 size-1, data
//	0x02        stored chunk                                  u16 size-1, data
//	0x80..0x9f  LZMA chunk, state goes on                     low 5 bits and u16: size-1; u16 packed size-1; data
//	0xa0..0xbf  LZMA chunk, state reset
//	0xc0..0xdf  LZMA chunk, state reset, new properties byte  before the data
//	0xe0..0xff  LZMA chunk, dictionary and state reset, new properties byte
func chunkAt(in io.ReaderAt, at int64) (chunk, error) {
	var h [6]byte
	n, err := in.ReadAt(h[:], at)
	if err != nil && !errors.Is(err, io.EOF) {
		return chunk{}, err
	}
	control, size := h[0], headerSize(h[0])
	if n < size {
		return chunk{}, fmt.Errorf("%w: ends inside the LZMA2 chunk header at packed byte %d", ErrTruncated, at)
	}
	c := chunk{end: at + int64(size), reset: control == 1 || control >= 0xe0, last: control == 0}
	switch {
	case c.last:
		return c, nil
	case control > 2 && control < 0x80:
		return chunk{}, fmt.Errorf("LZMA2 chunk at packed byte %d: control byte %#02x is not defined", at, control)
	case size == 6 && !allowedProps(h[5]):
		return chunk{}, fmt.Errorf("LZMA2 chunk at packed byte %d: properties byte %#02x is not allowed", at, h[5])
	}
	c.unpacked = int64(binary.BigEndian.Uint16(h[1:])) + 1
	if control < 0x80 {
		c.end += c.unpacked
		return c, nil
	}
	c.unpacked += int64(control&0x1f) << 16
	c.end += int64(binary.BigEndian.Uint16(h[3:])) + 1
	return c, nil
}

func headerSize(control byte) int {
	switch {
	case control == 0:
		return 1
	case control < 0x80:
		return 3
	case control < 0xc0:
		return 5
	}
	return 6
}

// allowedProps looks at lc, lp and pb, of which the library takes any: that may be 6 MiB of tables for a chunk of a dozen bytes.
func allowedProps(props byte) bool {
	lc, lp, pb := props%9, props/9%5, props/9/5
	return lc+lp <= 4 && pb <= 4
}

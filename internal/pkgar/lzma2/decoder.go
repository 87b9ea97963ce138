// Package lzma2 decodes and encodes raw LZMA2 chunk sequences, the way pkgar stores the data of one file.
//
// It owns the chunk format and nothing else: no xz container, no checksums, no file names. It exists beside the general
// module github.com/ulikunitz/xz because pkgar needs three things that module does not give: memory that is bounded by the
// caller and reused from one file to the next (a package holds thousands of small streams), matches that reach further back
// than that memory (read again from the output file), and a decoder that keeps up with the disk.
//
// Sources of the format facts: the LZMA specification of the LZMA SDK (lzma-specification.txt, public domain) for symbols and
// probabilities, and the chunk table of the .xz documentation for the control byte:
//
//	0x00        end of the sequence
//	0x01        stored chunk, dictionary reset first          u16 size-1, data
//	0x02        stored chunk                                  u16 size-1, data
//	0x80..0x9f  LZMA chunk, state goes on                     low 5 bits and u16: size-1; u16 packed size-1; data
//	0xa0..0xbf  LZMA chunk, state reset
//	0xc0..0xdf  LZMA chunk, state reset, new properties byte  before the data
//	0xe0..0xff  LZMA chunk, dictionary and state reset, new properties byte
//
// Sizes are big endian. A chunk holds at most 2 MiB of output and 64 KiB of packed data.
package lzma2

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// MaxDistance is the furthest a match may reach back: the dictionary of the reference reader of pkgar, 64 MiB.
const MaxDistance = 64 << 20

// maxChunk is the most output one chunk can hold; a window is never smaller unless the whole output is.
const maxChunk = 2 << 20

// maxPacked is the most packed data one chunk can hold.
const maxPacked = 64 << 10

// packedSlack is readable space behind a packed chunk. One symbol takes at most 22 bytes, so the symbol loop checks for the
// end of its input once per symbol and never inside one.
const packedSlack = 64

// Errors that callers tell apart. Everything else that is wrong with the input is a *CorruptError.
var (
	// ErrWindow reports a match that reaches further back than the window and no History to read it from.
	ErrWindow = errors.New("match reaches beyond the decoder's window")
	// ErrTooLong reports output beyond the limit given to Decode.
	ErrTooLong = errors.New("more data than declared")
)

// CorruptError says what is wrong with the input and after how many packed bytes.
type CorruptError struct {
	Offset  int64 // packed bytes consumed before the chunk in question
	Problem string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("LZMA2 chunk at packed byte %d: %s", e.Offset, e.Problem)
}

// Decoder decodes one sequence after the other and keeps its memory in between: at most the window plus about 100 KiB.
// It is not safe for concurrent use.
type Decoder struct {
	maxWindow int

	win     []byte // ring; its length is a power of two
	mask    int
	pos     int64 // bytes produced since the last dictionary reset
	total   int64 // bytes produced
	base    int64 // total at the last dictionary reset
	flushed int64 // bytes handed to the output

	in      *bufio.Reader
	read    int64 // packed bytes consumed
	chunkAt int64
	out     io.Writer
	history io.ReaderAt

	rc     rangeDecoder
	packed [maxPacked + packedSlack]byte
	model  model

	state               int
	rep0, rep1          int64 // distances, 0 = the byte before
	rep2, rep3          int64
	lc                  uint
	lpMask, pbMask      int64
	needProps, needDict bool
	far                 [maxMatch]byte
}

// NewDecoder returns a decoder with a window of at most maxWindow bytes (rounded up to a power of two of at least 2 MiB and
// at most MaxDistance). The window is allocated when needed and no larger than the output.
func NewDecoder(maxWindow int) *Decoder {
	size := maxChunk
	for size < maxWindow && size < MaxDistance {
		size <<= 1
	}
	return &Decoder{maxWindow: size, in: bufio.NewReaderSize(nil, 32<<10)}
}

// Decode reads one sequence from in up to and including its end mark and writes exactly the data to out, in pieces of at
// most 2 MiB. Output beyond limit bytes is ErrTooLong. history, which may be nil, reads back what was written to out, for
// matches beyond the window. It returns the number of packed and unpacked bytes, on an error too.
//
// Decode reads ahead: bytes of in behind the end mark may be consumed, but they are not counted in packed.
func (d *Decoder) Decode(out io.Writer, in io.Reader, limit int64, history io.ReaderAt) (packed, unpacked int64, err error) {
	d.begin(out, in, limit, history)
	for {
		more, err := d.chunk(limit)
		if err == nil {
			err = d.flush()
		}
		if err != nil || !more {
			d.in.Reset(nil)
			d.out, d.history = nil, nil
			return d.read, d.total, err
		}
	}
}

func (d *Decoder) begin(out io.Writer, in io.Reader, limit int64, history io.ReaderAt) {
	d.in.Reset(in)
	d.out, d.history = out, history
	d.pos, d.total, d.base, d.flushed, d.read, d.chunkAt = 0, 0, 0, 0, 0, 0
	d.needProps, d.needDict = true, true
	size := 4096
	for size < d.maxWindow && int64(size) < limit {
		size <<= 1
	}
	if len(d.win) < size {
		d.win = make([]byte, size)
		d.mask = size - 1
	}
}

func (d *Decoder) corrupt(format string, args ...any) error {
	return &CorruptError{Offset: d.chunkAt, Problem: fmt.Sprintf(format, args...)}
}

func (d *Decoder) truncated(what string, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return &CorruptError{Offset: d.chunkAt, Problem: "ends inside " + what}
	}
	return err
}

// chunk decodes one chunk into the window. It reports false after the end mark.
func (d *Decoder) chunk(limit int64) (bool, error) {
	d.chunkAt = d.read
	control, err := d.byte()
	if err != nil {
		return false, d.truncated("the control byte", err)
	}
	switch {
	case control == 0:
		return false, nil
	case control == 1 || control >= 0xe0:
		d.resetDictionary()
	case control == 2:
	case control < 0x80:
		return false, d.corrupt("control byte %#02x is not defined", control)
	}
	if d.needDict {
		return false, d.corrupt("control byte %#02x before any dictionary reset", control)
	}
	if control < 0x80 {
		return true, d.stored(limit)
	}
	return true, d.compressed(control, limit)
}

func (d *Decoder) resetDictionary() {
	d.needDict = false
	d.needProps = true
	d.pos = 0
	d.base = d.total
}

func (d *Decoder) stored(limit int64) error {
	n, err := d.uint16()
	if err != nil {
		return err
	}
	n++
	if d.total+int64(n) > limit {
		return ErrTooLong
	}
	for n > 0 {
		at := int(d.pos) & d.mask
		end := min(at+n, len(d.win))
		if _, err := io.ReadFull(d.in, d.win[at:end]); err != nil {
			return d.truncated("a stored chunk", err)
		}
		d.advance(end - at)
		d.read += int64(end - at)
		n -= end - at
	}
	return nil
}

func (d *Decoder) advance(n int) {
	d.pos += int64(n)
	d.total += int64(n)
}

func (d *Decoder) compressed(control byte, limit int64) error {
	low, err := d.uint16()
	if err != nil {
		return err
	}
	unpacked := int(control&0x1f)<<16 + low + 1
	packed, err := d.uint16()
	if err != nil {
		return err
	}
	packed++
	if err := d.prepareState(control); err != nil {
		return err
	}
	if d.total+int64(unpacked) > limit {
		return ErrTooLong
	}
	if _, err := io.ReadFull(d.in, d.packed[:packed]); err != nil {
		return d.truncated("a compressed chunk", err)
	}
	clear(d.packed[packed : packed+packedSlack])
	d.read += int64(packed)
	if !d.rc.init(d.packed[:], packed) {
		return d.corrupt("range coder does not start with a zero byte")
	}
	return d.symbols(unpacked)
}

func (d *Decoder) prepareState(control byte) error {
	switch {
	case control >= 0xc0:
		props, err := d.byte()
		if err != nil {
			return d.truncated("the properties byte", err)
		}
		return d.setProps(props)
	case d.needProps:
		return d.corrupt("control byte %#02x before any properties", control)
	case control >= 0xa0:
		d.resetState()
	}
	return nil
}

func (d *Decoder) setProps(props byte) error {
	if props >= 9*5*5 {
		return d.corrupt("properties byte %#02x is not defined", props)
	}
	lc, lp, pb := uint(props%9), uint(props/9%5), uint(props/45)
	if lc+lp > 4 {
		return d.corrupt("lc %d + lp %d is more than 4", lc, lp)
	}
	d.lc, d.lpMask, d.pbMask = lc, 1<<lp-1, 1<<pb-1
	d.needProps = false
	d.resetState()
	return nil
}

func (d *Decoder) resetState() {
	d.state = 0
	d.rep0, d.rep1, d.rep2, d.rep3 = 0, 0, 0, 0
	d.model.reset(d.lc + lowBits(d.lpMask))
}

func lowBits(mask int64) uint {
	n := uint(0)
	for ; mask > 0; mask >>= 1 {
		n++
	}
	return n
}

func (d *Decoder) byte() (byte, error) {
	b, err := d.in.ReadByte()
	if err == nil {
		d.read++
	}
	return b, err
}

func (d *Decoder) uint16() (int, error) {
	hi, err := d.byte()
	if err != nil {
		return 0, d.truncated("a chunk header", err)
	}
	lo, err := d.byte()
	if err != nil {
		return 0, d.truncated("a chunk header", err)
	}
	return int(hi)<<8 | int(lo), nil
}

// flush hands the finished part of the window to the output.
func (d *Decoder) flush() error {
	for d.flushed < d.total {
		at := int(d.flushed-d.base) & d.mask
		if d.flushed < d.base {
			return d.corrupt("internal: unflushed data before a dictionary reset")
		}
		n := min(int(d.total-d.flushed), len(d.win)-at)
		if _, err := d.out.Write(d.win[at : at+n]); err != nil {
			return err
		}
		d.flushed += int64(n)
	}
	return nil
}

package pkgar

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ulikunitz/xz/lzma"
)

// samples are inputs of different kinds. The test binary itself stands for machine code.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	var words strings.Builder
	for words.Len() < 400_000 {
		fmt.Fprintf(&words, "line %d says %s\n", r.IntN(5000), strings.Repeat("ab", r.IntN(9)))
	}
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"empty":   {},
		"one":     {7},
		"two":     {7, 7},
		"three":   []byte("abc"),
		"zeros":   make([]byte, segmentSize),
		"noise":   noise,
		"words":   []byte(words.String()),
		"code":    self[:min(len(self), 700_000)],
		"mixed":   append(append(append([]byte{}, words.String()[:70_000]...), noise[:190_000]...), words.String()[:70_000]...),
		"overlap": bytes.Repeat([]byte("abcabcabd"), 5000),
	}
}

// packSequence packs segments and ends the sequence.
func packSequence(t testing.TB, segments ...[]byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	for _, data := range segments {
		if err := packSegment(&packed, data); err != nil {
			t.Fatal(err)
		}
	}
	return append(packed.Bytes(), 0)
}

func unpackSequence(packed []byte, declared uint64) ([]byte, error) {
	in := io.NewSectionReader(bytes.NewReader(packed), 0, int64(len(packed)))
	dict, err := measureChunks(context.Background(), in, declared)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = decodeChunks(&out, in, dict)
	return out.Bytes(), err
}

// sayHeaders is how much the headers of a sequence promise, as far as they can be read.
func sayHeaders(packed []byte) (n uint64) {
	for at := int64(0); ; {
		c, err := chunkAt(bytes.NewReader(packed), at)
		if err != nil || c.last {
			return n
		}
		n += uint64(c.unpacked)
		at = c.end
	}
}

func checkUnpacks(t testing.TB, name string, packed, want []byte) {
	t.Helper()
	if got, err := unpackSequence(packed, uint64(len(want))); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes of %d, equal %t, err %v", name, len(got), len(want), bytes.Equal(got, want), err)
	}
}

func TestSegmentRoundTrip(t *testing.T) {
	for name, data := range samples(t) {
		packed := packSequence(t, data)
		if !bytes.Equal(packed, packSequence(t, data)) {
			t.Errorf("%s: packed twice gives other bytes", name)
		}
		if most := len(data) + 3*(len(data)>>16+2); len(packed) > most {
			t.Errorf("%s: %d bytes became %d, more than as stored chunks", name, len(data), len(packed))
		}
		checkUnpacks(t, name, packed, data)
	}
}

// TestSegments checks that results can be put behind each other, which is how large files are packed, and that the dictionary
// for them is that of one.
func TestSegments(t *testing.T) {
	all := samples(t)
	var segments [][]byte
	for _, name := range []string{"words", "one", "code", "zeros", "noise", "words"} {
		segments = append(segments, all[name])
	}
	packed, data := packSequence(t, segments...), bytes.Join(segments, nil)
	checkUnpacks(t, "segments", packed, data)
	dict, err := measureChunks(context.Background(), io.NewSectionReader(bytes.NewReader(packed), 0, int64(len(packed))), uint64(len(data)))
	if err != nil || dict != segmentSize {
		t.Errorf("dictionary of %d bytes, want %d for the largest segment; %v", dict, segmentSize, err)
	}
}

// TestLiblzma unpacks what `xz --format=raw` of XZ Utils 5.4.1 made of the same text, with its defaults and with lc=0,lp=4,pb=4.
func TestLiblzma(t *testing.T) {
	var text bytes.Buffer
	for i := range 400 {
		fmt.Fprintf(&text, "%d squared is %d\n", i, i*i)
	}
	for _, name := range []string{"liblzma.lzma2", "liblzma-lp4-pb4.lzma2"} {
		checkUnpacks(t, name, mustRead(t, filepath.Join("testdata", name)), text.Bytes())
	}
}

// TestFar unpacks matches that reach back further than any of ours.
func TestFar(t *testing.T) {
	data := append([]byte("needle in a large haystack, more than once, with a tail"), make([]byte, 5<<19)...)
	r := rand.New(rand.NewPCG(3, 4))
	for i := 100; i < len(data); i += 7 {
		data[i] = byte(r.Uint32())
	}
	data = append(data, data[:2000]...)
	var packed bytes.Buffer
	w, err := lzma.Writer2Config{DictCap: 16 << 20}.NewWriter2(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	checkUnpacks(t, "far", packed.Bytes(), data)
}

func TestBadChunks(t *testing.T) {
	const size = 1400
	good := packSequence(t, bytes.Repeat([]byte("hello, world. "), size/14))
	cut := func(n int) []byte { return good[:n] }
	set := func(i int, b byte) []byte { c := bytes.Clone(good); c[i] = b; return c }
	// A chunk that claims more packed data than it has, with a chunk hidden there whose tables would take 6 MiB.
	hidden := append([]byte{0xc0, 0, 0, 0, 5, 4*9 + 8}, 0, 0, 0, 0, 0, 0)
	stuffed := append(bytes.Clone(good[:len(good)-1]), append(hidden, 0)...)
	binary.BigEndian.PutUint16(stuffed[3:], binary.BigEndian.Uint16(stuffed[3:])+uint16(len(hidden)))
	for name, c := range map[string]struct {
		packed   []byte
		declared uint64
		want     string
	}{
		"nothing":             {nil, 0, "ends inside the LZMA2 chunk header at packed byte 0"},
		"no end mark":         {cut(len(good) - 1), size, "ends inside the LZMA2 chunk header"},
		"cut header":          {cut(3), size, "ends inside the LZMA2 chunk header"},
		"cut properties":      {cut(5), size, "ends inside the LZMA2 chunk header"},
		"cut data":            {cut(20), size, "ends inside the LZMA2 chunk at packed byte 0"},
		"cut stored":          {[]byte{1, 0, 9, 1, 2}, 10, "ends inside the LZMA2 chunk at packed byte 0"},
		"behind the end mark": {append(bytes.Clone(good), 'x', 'y'), size, "2 stored bytes behind the end"},
		"declared less":       {good, size - 1, "declared length is 1399, LZMA2 chunks to packed byte"},
		"declared more":       {good, size + 1, "have 1400 bytes"},
		"declared 4 GiB":      {[]byte{0}, 4 << 30, "have 0 bytes"},
		"declared all bits":   {good, 1<<64 - 1, "have 1400 bytes"},
		"undefined control":   {set(0, 0x33), size, "control byte 0x33 is not defined"},
		"no dictionary reset": {set(0, 0xc0), size, "unexpected chunk type"},
		"stored, no reset":    {[]byte{2, 0, 0, 1, 0}, 1, "unexpected chunk type"},
		"no properties":       {[]byte{1, 0, 0, 'a', 0x80, 0, 0, 0, 0, 0, 0}, 2, "unexpected chunk type"},
		"properties":          {set(5, 225), size, "properties byte 0xe1 is not allowed"},
		"lc+lp":               {set(5, 4*9+4), size, "properties byte 0x28 is not allowed"},
		"first byte":          {set(6, 1), size, "first byte not zero"},
		"unpacked size":       {set(2, good[2]-1), size - 1, "wrong uncompressed data size"},
		"packed size less":    {set(4, 4), size, "ends inside the LZMA2 chunk at packed byte 11"},
		"packed data less":    {append(set(4, good[4]-1)[:len(good)-2], 0), size, "unexpected EOF"},
		"packed size more":    {stuffed, size, "only the data to byte"},
		"match before start":  {append([]byte{0xe0, 0xff, 9, 0, 15, 93, 0, 0xff, 0xff, 0xff, 0xfe}, make([]byte, 12)...), 65290, "distance out of range"},
	} {
		if _, err := unpackSequence(c.packed, c.declared); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		} else if cutOff := strings.Contains(c.want, "ends inside"); cutOff != errors.Is(err, ErrTruncated) {
			t.Errorf("%s: error %v, ErrTruncated %t", name, err, !cutOff)
		}
	}
}

// allocated is what do allocates altogether, freed or not.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestBomb unpacks 96 MiB from 20 KB without a dictionary reset: it costs the largest dictionary and no more.
func TestBomb(t *testing.T) {
	const copies = 48
	packed := packSequence(t, make([]byte, segmentSize))
	packed = packed[:len(packed)-1]
	bomb := bytes.Repeat(packed, copies)
	for at := len(packed); at < len(bomb); at += len(packed) {
		bomb[at] &^= 0x20 // properties and state only
	}
	in := io.NewSectionReader(bytes.NewReader(append(bomb, 0)), 0, int64(len(bomb)+1))
	got := allocated(func() {
		dict, err := measureChunks(context.Background(), in, copies*segmentSize)
		if err != nil || dict != maxDict {
			t.Fatalf("dictionary of %d bytes, want %d; %v", dict, maxDict, err)
		}
		if err := decodeChunks(io.Discard, in, dict); err != nil {
			t.Error(err)
		}
	})
	// Every chunk costs new tables and a buffer to copy through.
	if most := uint64(maxDict + copies*200<<10); got > most {
		t.Errorf("%d packed bytes allocated %d, more than %d", len(bomb), got, most)
	}
}

// TestDictsShared checks that an entry waits until there is room for its dictionary.
func TestDictsShared(t *testing.T) {
	a := open(t, badSample(t, LZMA2))
	if !a.dicts.TryAcquire(maxDict) {
		t.Fatal("there is no room for one dictionary")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := a.Verify(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without room: %v, want to wait for it", err)
	}
	a.dicts.Release(maxDict)
	if _, err := a.Verify(context.Background()); err != nil {
		t.Error(err)
	}
	if !a.dicts.TryAcquire(maxDict) {
		t.Error("room is not given back")
	}
}

func FuzzDecodeChunks(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(packSequence(f, data[:min(len(data), 5000)]))
	}
	for _, p := range []lzma.Properties{{LC: 0, LP: 4, PB: 4}, {LC: 4}} {
		var packed bytes.Buffer
		w, err := lzma.Writer2Config{Properties: &p, DictCap: lzma.MinDictCap}.NewWriter2(&packed)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range []string{"words", "noise", "words"} {
			if _, err := w.Write(samples(f)[name][:2000]); err != nil {
				f.Fatal(err)
			}
			if err := w.Flush(); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(append(packed.Bytes(), 0))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		declared := sayHeaders(packed)
		if declared > 1<<22 {
			return
		}
		if out, err := unpackSequence(packed, declared); err == nil && uint64(len(out)) != declared {
			t.Fatalf("%d bytes of %d without an error", len(out), declared)
		}
	})
}

func FuzzSegment(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data[:min(len(data), 5000)])
	}
	f.Fuzz(func(t *testing.T, data []byte) { checkUnpacks(t, "fuzzed", packSequence(t, data), data) })
}

func BenchmarkPackSegment(b *testing.B) {
	for _, name := range []string{"code", "words", "noise"} {
		data := samples(b)[name]
		b.Run(name, func(b *testing.B) {
			var packed []byte
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				packed = packSequence(b, data)
			}
			b.ReportMetric(float64(len(packed))/float64(len(data)), "ratio")
		})
	}
}

func BenchmarkDecodeChunks(b *testing.B) {
	for _, name := range []string{"code", "words", "noise"} {
		data := samples(b)[name]
		b.Run(name, func(b *testing.B) {
			packed := packSequence(b, data)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := unpackSequence(packed, uint64(len(data))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

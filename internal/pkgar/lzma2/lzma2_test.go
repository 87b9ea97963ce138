package lzma2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	xz "github.com/ulikunitz/xz/lzma"
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
		"zeros":   make([]byte, MaxSegment),
		"noise":   noise,
		"words":   []byte(words.String()),
		"code":    self[:min(len(self), 700_000)],
		"mixed":   append(append(append([]byte{}, noise[:100_000]...), words.String()[:70_000]...), noise[:90_000]...),
		"overlap": bytes.Repeat([]byte("abcabcabd"), 5000),
	}
}

func TestRoundTrip(t *testing.T) {
	enc, dec := NewEncoder(), NewDecoder(0)
	for name, data := range samples(t) {
		packed := append(enc.Encode(nil, data), 0)
		if again := append(NewEncoder().Encode(nil, data), 0); !bytes.Equal(packed, again) {
			t.Errorf("%s: a used encoder gives other bytes than a new one", name)
		}
		var out bytes.Buffer
		n, m, err := dec.Decode(&out, bytes.NewReader(packed), int64(len(data)), nil)
		if err != nil || n != int64(len(packed)) || m != int64(len(data)) || !bytes.Equal(out.Bytes(), data) {
			t.Errorf("%s: %d of %d packed, %d of %d unpacked bytes, equal %t, err %v", name, n, len(packed), m, len(data), bytes.Equal(out.Bytes(), data), err)
		}
		t.Logf("%s: %d -> %d", name, len(data), len(packed))
	}
}

// TestOther checks both directions against an independent implementation.
func TestOther(t *testing.T) {
	for name, data := range samples(t) {
		packed := append(NewEncoder().Encode(nil, data), 0)
		r, err := xz.Reader2Config{DictCap: 8 << 20}.NewReader2(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: the other reader gives %d bytes of %d, err %v", name, len(got), len(data), err)
		}
		var theirs bytes.Buffer
		w, err := xz.Writer2Config{DictCap: 1 << 20}.NewWriter2(&theirs)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		size := theirs.Len()
		var out bytes.Buffer
		n, _, err := NewDecoder(0).Decode(&out, &theirs, int64(len(data)), nil)
		if err != nil || n != int64(size) || !bytes.Equal(out.Bytes(), data) {
			t.Errorf("%s: of the other writer's %d bytes %d read, equal %t, err %v", name, size, n, bytes.Equal(out.Bytes(), data), err)
		}
	}
}

// TestSegments checks that results can be put behind each other, which is how large files are packed.
func TestSegments(t *testing.T) {
	all := samples(t)
	enc := NewEncoder()
	var packed, data []byte
	for _, name := range []string{"words", "noise", "one", "code", "zeros", "words"} {
		packed = enc.Encode(packed, all[name])
		data = append(data, all[name]...)
	}
	packed = append(packed, 0, 'x', 'y')
	var out bytes.Buffer
	n, _, err := NewDecoder(0).Decode(&out, bytes.NewReader(packed), int64(len(data)), nil)
	if err != nil || !bytes.Equal(out.Bytes(), data) {
		t.Fatalf("equal %t, err %v", bytes.Equal(out.Bytes(), data), err)
	}
	if n != int64(len(packed)-2) {
		t.Errorf("%d packed bytes counted, want %d without those behind the end mark", n, len(packed)-2)
	}
}

type history struct{ bytes.Buffer }

func (h *history) ReadAt(p []byte, off int64) (int, error) { return copy(p, h.Bytes()[off:]), nil }

// TestFar decodes matches that reach back further than the window.
func TestFar(t *testing.T) {
	data := append([]byte("needle in a large haystack, more than once, with a tail"), make([]byte, 5<<19)...)
	r := rand.New(rand.NewPCG(3, 4))
	for i := 100; i < len(data); i += 7 {
		data[i] = byte(r.Uint32())
	}
	data = append(data, data[:2000]...)
	var packed bytes.Buffer
	w, err := xz.Writer2Config{DictCap: 16 << 20}.NewWriter2(&packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	d := NewDecoder(2 << 20)
	if _, _, err := d.Decode(io.Discard, bytes.NewReader(packed.Bytes()), int64(len(data)), nil); !errors.Is(err, ErrWindow) {
		t.Fatalf("without a history: %v, want ErrWindow", err)
	}
	var h history
	if _, _, err := d.Decode(&h, &packed, int64(len(data)), &h); err != nil || !bytes.Equal(h.Bytes(), data) {
		t.Fatalf("equal %t, err %v", bytes.Equal(h.Bytes(), data), err)
	}
}

func TestBad(t *testing.T) {
	good := append(NewEncoder().Encode(nil, bytes.Repeat([]byte("hello, world. "), 100)), 0)
	cut := func(n int) []byte { return good[:n] }
	set := func(i int, b byte) []byte { c := bytes.Clone(good); c[i] = b; return c }
	for name, c := range map[string]struct {
		packed []byte
		want   string
	}{
		"nothing":             {nil, "ends inside the control byte"},
		"no end mark":         {cut(len(good) - 1), "ends inside the control byte"},
		"cut header":          {cut(3), "ends inside a chunk header"},
		"cut properties":      {cut(5), "ends inside the properties byte"},
		"cut data":            {cut(20), "ends inside a compressed chunk"},
		"undefined control":   {set(0, 0x33), "control byte 0x33 is not defined"},
		"no dictionary reset": {set(0, 0xc0), "before any dictionary reset"},
		"stored, no reset":    {[]byte{2, 0, 0, 1, 0}, "before any dictionary reset"},
		"no properties":       {[]byte{1, 0, 0, 'a', 0x80, 0, 0, 0, 0, 0, 0}, "before any properties"},
		"properties":          {set(5, 225), "properties byte 0xe1 is not defined"},
		"lc+lp":               {set(5, 4*9+4), "lc 4 + lp 4 is more than 4"},
		"first byte":          {set(6, 1), "does not start with a zero byte"},
		"cut stored":          {[]byte{1, 0, 9, 1, 2}, "ends inside a stored chunk"},
		"unpacked size":       {set(2, good[2]-1), "chunk"},
		"short packed size":   {set(4, 4), "LZMA2 chunk"},
		"match before start":  {[]byte{0xe0, 0xff, 9, 0, 5, 93, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0}, "before the start"},
	} {
		_, _, err := NewDecoder(0).Decode(io.Discard, bytes.NewReader(c.packed), 1<<20, nil)
		var corrupt *CorruptError
		if !errors.As(err, &corrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	if _, _, err := NewDecoder(0).Decode(io.Discard, bytes.NewReader(good), 1399, nil); !errors.Is(err, ErrTooLong) {
		t.Errorf("one byte more than the limit: %v, want ErrTooLong", err)
	}
}

// TestMemory checks that a claim of a large output costs the window and no more.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d := NewDecoder(4 << 20)
	for range 20 {
		if _, _, err := d.Decode(io.Discard, strings.NewReader("\x00"), 4<<30, nil); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 5<<20 {
		t.Errorf("20 decodings allocated %d bytes, want the window of 4 MiB once", got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(append(NewEncoder().Encode(nil, data[:min(len(data), 5000)]), 0))
	}
	d := NewDecoder(0)
	f.Fuzz(func(t *testing.T, packed []byte) {
		var out bytes.Buffer
		n, m, err := d.Decode(&out, bytes.NewReader(packed), 1<<22, nil)
		if int64(out.Len()) != m && err == nil || n > int64(len(packed)) || m > 1<<22 {
			t.Fatalf("packed %d of %d, unpacked %d, written %d", n, len(packed), m, out.Len())
		}
		if err != nil {
			return
		}
		r, rerr := xz.Reader2Config{DictCap: 8 << 20}.NewReader2(bytes.NewReader(packed))
		if rerr != nil {
			t.Fatal(rerr)
		}
		if theirs, rerr := io.ReadAll(r); rerr == nil && !bytes.Equal(theirs, out.Bytes()) {
			t.Fatal("accepted with other data than the other implementation")
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	for _, data := range samples(f) {
		f.Add(data[:min(len(data), 5000)])
	}
	enc, dec := NewEncoder(), NewDecoder(0)
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		packed := append(enc.Encode(nil, data), 0)
		if _, _, err := dec.Decode(&out, bytes.NewReader(packed), int64(len(data)), nil); err != nil || !bytes.Equal(out.Bytes(), data) {
			t.Fatalf("err %v", err)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	for _, name := range []string{"code", "words", "noise"} {
		data := samples(b)[name]
		b.Run(name, func(b *testing.B) {
			enc := NewEncoder()
			var packed []byte
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				packed = enc.Encode(packed[:0], data)
			}
			b.ReportMetric(float64(len(packed))/float64(len(data)), "ratio")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"code", "words", "noise"} {
		data := samples(b)[name]
		b.Run(name, func(b *testing.B) {
			packed := append(NewEncoder().Encode(nil, data), 0)
			dec := NewDecoder(0)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, _, err := dec.Decode(io.Discard, bytes.NewReader(packed), int64(len(data)), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

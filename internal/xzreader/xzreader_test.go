package xzreader_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/pannous/redox-clif/internal/xzreader"
)

// stream packs text and has the header of the block ask for a dictionary of what the property byte says (40 is 4 GiB - 1).
func stream(t *testing.T, text string, property byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := xz.NewWriter(&out)
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	packed := out.Bytes()
	const at = 12 // after the header of the stream: length, flags, filter, length of its properties, the property, padding, CRC-32
	end := at + 4*int(packed[at])
	packed[at+4] = property
	binary.LittleEndian.PutUint32(packed[end:], crc32.ChecksumIEEE(packed[at:end]))
	return packed
}

// Properties of dictionaries.
const (
	of64MiB  = 28
	of128MiB = 30
	of2GiB   = 38
)

func read(packed []byte) (string, error) {
	r, err := xzreader.New(bytes.NewReader(packed))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), err
}

func TestStreamsAreReadOneAfterTheOther(t *testing.T) {
	one, two := strings.Repeat("one ", 100_000), "two"
	for name, between := range map[string]string{"nothing between": "", "padding between": "\x00\x00\x00\x00"} {
		packed := append(append(stream(t, one, of64MiB), between...), stream(t, two, of64MiB)...)
		if text, err := read(packed); err != nil || text != one+two {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
	}
}

func TestWhatIsDamagedIsAnError(t *testing.T) {
	random, text := rand.New(rand.NewPCG(1, 2)), make([]byte, 3000)
	for i := range text {
		text[i] = byte('a' + random.IntN(4))
	}
	packed := stream(t, string(text), of64MiB)
	for i := range packed {
		if got, err := read(packed[:i]); err == nil {
			t.Fatalf("cut to %d of %d bytes it gives %d bytes and no error", i, len(packed), len(got))
		}
		changed := bytes.Clone(packed)
		changed[i] ^= 1 << random.IntN(8)
		if got, err := read(changed); err == nil && got != string(text) { // the first byte of a range coder says nothing
			t.Fatalf("with byte %d changed it gives something else and no error", i)
		}
	}
}

func TestADictionaryThatIsTooLargeIsRefused(t *testing.T) {
	_, err := read(stream(t, "x", of2GiB))
	if err == nil || !strings.Contains(err.Error(), "a dictionary of more than 1536 MiB") {
		t.Errorf("%v", err)
	}
}

// One dictionary serves all blocks: with one for each, as much as this is what an archive of a few GiB took.
func TestManyBlocksTakeOneDictionary(t *testing.T) {
	packed := bytes.Repeat(stream(t, strings.Repeat("text ", 1000), of128MiB), 10)
	r, err := xzreader.New(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := io.Copy(io.Discard, r)
	runtime.ReadMemStats(&after)
	if n != 50_000 || err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 130 {
		t.Errorf("%d MiB were allocated for dictionaries of 128 MiB", took)
	}
}

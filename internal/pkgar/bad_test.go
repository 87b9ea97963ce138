package pkgar

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hashicorp/go-multierror"
	"lukechampine.com/blake3"
)

// resign makes header and table consistent again after a change, as a hostile or broken writer with the right key would.
func resign(t testing.TB, data []byte) []byte {
	t.Helper()
	count := int64(binary.LittleEndian.Uint32(data[countAt:]))
	end := min(HeaderSize+count*EntrySize, int64(len(data)))
	sum := blake3.Sum256(data[HeaderSize:end])
	copy(data[tableHashAt:], sum[:])
	return signOnly(t, data)
}

func signOnly(t testing.TB, data []byte) []byte {
	t.Helper()
	key := testKey(t, 1)
	h := Header{}
	copy(data[publicKeyAt:], key.key[32:])
	copy(h.Signature[:], signBytes(key, data[publicKeyAt:HeaderSize]))
	copy(data[signatureAt:], h.Signature[:])
	return data
}

func badSample(t testing.TB, p Packaging) []byte {
	return create(t, makeTree(t,
		file{path: "bin/one", data: strings.Repeat("1", 1000), mode: 0o755},
		file{path: "link", data: "bin/one", mode: fs.ModeSymlink},
		file{path: "two", data: "22"},
	), p)
}

// TestMutated changes every field, once as an attacker without the key and once as one with it.
func TestMutated(t *testing.T) {
	entry := func(i, at int) int { return HeaderSize + i*EntrySize + at }
	put32 := func(at int, v uint32) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
	}
	put64 := func(at int, v uint64) func([]byte) {
		return func(b []byte) { binary.LittleEndian.PutUint64(b[at:], v) }
	}
	path := func(i int, p string) func([]byte) {
		return func(b []byte) {
			clear(b[entry(i, entryPathAt):entry(i+1, 0)])
			copy(b[entry(i, entryPathAt):entry(i+1, 0)], p)
		}
	}
	const unsigned = "header signature at byte 0x0"
	const table = "entry table at byte 0x88: has the hash"
	for name, c := range map[string]struct {
		change       func([]byte)
		unsigned     string // error without a new signature
		signed       string // error with one; empty if that makes a good archive
		dataTells    bool   // only reading the data shows it
		signOnly     bool   // sign without correcting the table hash
		onlyUnsigned bool
	}{
		"signature":    {change: func(b []byte) { b[signatureAt+5] ^= 1 }, unsigned: unsigned, onlyUnsigned: true},
		"public key":   {change: func(b []byte) { b[publicKeyAt+5] ^= 1 }, unsigned: "header public key at byte 0x40", onlyUnsigned: true},
		"table hash":   {change: func(b []byte) { b[tableHashAt] ^= 1 }, unsigned: unsigned, signed: table, signOnly: true},
		"count less":   {change: put32(countAt, 2), unsigned: unsigned, signed: "data at byte"},
		"count zero":   {change: put32(countAt, 0), unsigned: unsigned, signed: "data at byte 0x88"},
		"count more":   {change: put32(countAt, 4), unsigned: unsigned, signed: " at byte 0x"},
		"count beyond": {change: put32(countAt, 1000), unsigned: unsigned, signed: "header count at byte 0x80: 1000 entries need 308136 bytes"},
		"count huge":   {change: put32(countAt, 0xffffffff), unsigned: unsigned, signed: "header count at byte 0x80: 4294967295 entries are more than the limit"},
		"version":      {change: func(b []byte) { b[flagsAt] = 1 }, unsigned: unsigned, signed: "header version at byte 0x84: data version 1"},
		"architecture": {change: func(b []byte) { b[flagsAt+1] = 9 }, unsigned: unsigned, signed: "header architecture at byte 0x85: 9"},
		"packaging":    {change: func(b []byte) { b[flagsAt+2] = 2 }, unsigned: unsigned, signed: "header packaging at byte 0x86: 2"},
		"reserved":     {change: func(b []byte) { b[flagsAt+3] = 1 }, unsigned: unsigned, signed: "header flags at byte 0x87"},

		"entry hash":        {change: func(b []byte) { b[entry(1, 0)] ^= 1 }, unsigned: table, signed: "entry 1 (link) data at byte", dataTells: true},
		"entry offset":      {change: put64(entry(1, entryOffsetAt), 3), unsigned: table, signed: "entry 1 offset at byte 0x1dc: 3"},
		"entry offset huge": {change: put64(entry(1, entryOffsetAt), 1<<64-1), unsigned: table, signed: "entry 1 offset"},
		"entry size":        {change: put64(entry(2, entrySizeAt), 100), unsigned: table, signed: "entry 2 size at byte 0x318: \"two\" ends at byte"},
		"entry size less":   {change: put64(entry(2, entrySizeAt), 1), unsigned: table, signed: ""},
		"entry size 4 GiB":  {change: put64(entry(2, entrySizeAt), 4<<30), unsigned: table, signed: "entry 2 size at byte 0x318"},
		"entry size wraps":  {change: put64(entry(0, entrySizeAt), 1<<64-1), unsigned: table, signed: "entry 0 size at byte 0xb0"},
		"entry size adds":   {change: func(b []byte) { put64(entry(0, entrySizeAt), 1<<62)(b); put64(entry(1, entryOffsetAt), 1<<62)(b) }, unsigned: table, signed: "entry 1 size"},
		"link size zero":    {change: put64(entry(1, entrySizeAt), 0), unsigned: table, signed: "entry 1 size at byte 0x1e4: 0"},
		"link size":         {change: put64(entry(1, entrySizeAt), 4097), unsigned: table, signed: "entry 1"},
		"mode kind":         {change: put32(entry(2, entryModeAt), 0o040755), unsigned: table, signed: "entry 2 mode at byte 0x320: 040755 of \"two\""},
		"mode zero":         {change: put32(entry(2, entryModeAt), 0), unsigned: table, signed: "entry 2 mode"},
		"mode high bits":    {change: put32(entry(2, entryModeAt), 1<<20|0o100644), unsigned: table, signed: "entry 2 mode"},
		"path up":           {change: path(2, "../two"), unsigned: table, signed: "entry 2 path at byte 0x324: \"../two\" has a component \"..\""},
		"path up inside":    {change: path(2, "a/../../two"), unsigned: table, signed: "has a component \"..\""},
		"path dot":          {change: path(2, "./two"), unsigned: table, signed: "has a component \".\""},
		"path absolute":     {change: path(2, "/etc/passwd"), unsigned: table, signed: "is absolute"},
		"path empty":        {change: path(2, ""), unsigned: table, signed: "is empty"},
		"path two slashes":  {change: path(2, "a//b"), unsigned: table, signed: "has an empty component"},
		"path end slash":    {change: path(2, "a/"), unsigned: table, signed: "has an empty component"},
		"path twice":        {change: path(2, "bin/one"), unsigned: table, signed: "entry 2 path at byte 0x324: \"bin/one\" is entry 0 already"},
		"path through link": {change: path(2, "link/two"), unsigned: table, signed: "leads through the link \"link\" (entry 1)"},
		"path through file": {change: path(2, "bin/one/a/two"), unsigned: table, signed: "leads through the file \"bin/one\" (entry 0)"},
		"path no end":       {change: path(2, strings.Repeat("x", 256)), unsigned: table, signed: "is not terminated"},
		"path garbage":      {change: func(b []byte) { b[entry(2, entryPathAt+10)] = 'x' }, unsigned: table, signed: "entry 2 path at byte 0x32e: \"two\" is followed by the byte 0x78"},
		"data":              {change: func(b []byte) { b[entry(3, 20)] ^= 1 }, unsigned: "entry 0 (bin/one) data at byte 0x424", signed: "entry 0 (bin/one) data at byte 0x424", dataTells: true},
		"data twice":        {change: func(b []byte) { b[entry(3, 20)] ^= 1; b[len(b)-1] ^= 1 }, unsigned: "2 errors", signed: "entry 2 (two) data", dataTells: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range packagings {
				data := badSample(t, p)
				c.change(data)
				checkBad(t, data, c.unsigned)
				if c.onlyUnsigned {
					continue
				}
				if c.signOnly {
					signOnly(t, data)
				} else {
					resign(t, data)
				}
				if c.signed == "" {
					checkBad(t, data, "")
				} else if p == Raw || !strings.Contains(name, "size") {
					checkBad(t, data, c.signed)
				} else {
					checkBad(t, data, "")
				}
			}
		})
	}
}

// checkBad opens, verifies and extracts: one of them has to fail with the text want, and nothing may be left.
func checkBad(t *testing.T, data []byte, want string) {
	t.Helper()
	key := testKey(t, 1).Public()
	err := useAll(t, data, Options{Key: &key})
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
		return
	}
	var format *FormatError
	if !errors.As(err, &format) || format.Field == "" {
		t.Errorf("error %v does not name a field", err)
	}
}

func useAll(t *testing.T, data []byte, opt Options) error {
	t.Helper()
	a, err := Open(bytes.NewReader(data), int64(len(data)), opt)
	if err != nil {
		return err
	}
	parent := t.TempDir()
	_, err = a.Extract(context.Background(), filepath.Join(parent, "x"), ExtractOptions{NoSync: true})
	if _, verifyErr := a.Verify(context.Background()); (verifyErr == nil) != (err == nil) {
		t.Errorf("extract says %v, verify %v", err, verifyErr)
	}
	left, readErr := os.ReadDir(parent)
	if err != nil && (readErr != nil || len(left) > 0) {
		t.Errorf("left behind: %v, %v", left, readErr)
	}
	return err
}

// TestEveryByte flips every bit of head and data in turn, unsigned: none of them is accepted.
func TestEveryByte(t *testing.T) {
	key := testKey(t, 1).Public()
	for _, p := range packagings {
		good := badSample(t, p)
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			a, err := Open(bytes.NewReader(bad), int64(len(bad)), Options{Key: &key})
			if err == nil {
				_, err = a.Verify(context.Background())
			}
			if err == nil {
				t.Errorf("%v: byte %d changed and accepted", p, i)
			}
		}
	}
}

// TestTruncated cuts at and around every section boundary.
func TestTruncated(t *testing.T) {
	for _, p := range packagings {
		good := badSample(t, p)
		key := testKey(t, 1).Public()
		a := open(t, good)
		bounds := []int64{0, publicKeyAt, tableHashAt, countAt, flagsAt, HeaderSize}
		for i := range a.Entries {
			at := HeaderSize + int64(i)*EntrySize
			bounds = append(bounds, at+entryOffsetAt, at+entrySizeAt, at+entryModeAt, at+entryPathAt, at+EntrySize,
				a.HeadSize()+int64(a.Entries[i].Offset), a.HeadSize()+int64(a.Entries[i].Offset+a.Entries[i].Size))
		}
		for _, bound := range bounds {
			for _, n := range []int64{bound - 1, bound, bound + 1} {
				if n < 0 || n >= int64(len(good)) {
					continue
				}
				_, err := Open(bytes.NewReader(good[:n]), n, Options{Key: &key})
				var format *FormatError
				if !errors.Is(err, ErrTruncated) || !errors.As(err, &format) {
					t.Errorf("%v, cut at %d: error %v, want ErrTruncated with a field", p, n, err)
				}
				// The size is a lie: the file is shorter than it was when it was opened.
				a, err := Open(bytes.NewReader(good[:n]), int64(len(good)), Options{Key: &key})
				if err == nil {
					_, err = a.Verify(context.Background())
				}
				if !errors.Is(err, ErrTruncated) && !strings.Contains(fmt.Sprint(err), "ends inside") {
					t.Errorf("%v, shrunk to %d: error %v", p, n, err)
				}
			}
		}
		if _, err := Open(bytes.NewReader(append(good, 0)), int64(len(good)+1), Options{Key: &key}); err == nil {
			t.Errorf("%v: a byte too many is accepted", p)
		}
	}
}

// TestBehindLZMA2 adds to an entry what its LZMA2 data does not need: no hash covers it.
func TestBehindLZMA2(t *testing.T) {
	at := HeaderSize + 2*EntrySize + entrySizeAt
	for n := range 3 {
		data := append(badSample(t, LZMA2), make([]byte, n)...)
		binary.LittleEndian.PutUint64(data[at:], binary.LittleEndian.Uint64(data[at:])+uint64(n))
		resign(t, data)
		key := testKey(t, 1).Public()
		err := useAll(t, data, Options{Key: &key})
		if want := fmt.Sprintf("%d stored bytes behind the end", n); (err == nil) != (n == 0) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// TestLinkTargets has a signer who wants a link that C programs read differently, or one that costs memory.
func TestLinkTargets(t *testing.T) {
	for _, target := range []string{"\x00in/one", "bin\x00one", "bin/on\x00"} {
		data := badSample(t, Raw)
		a := open(t, data)
		copy(data[a.HeadSize()+int64(a.Entries[1].Offset):], target)
		hash := blake3.Sum256([]byte(target))
		copy(data[HeaderSize+EntrySize:], hash[:])
		checkBad(t, resign(t, data), "zero byte")
	}
	for length, over := range map[int]bool{maxLink: false, maxLink + 1: true} {
		var b limitedBuffer
		for _, part := range []int{1, length - 1} {
			if n, err := b.Write(make([]byte, part)); n != part || err != nil {
				t.Error(n, err)
			}
		}
		if b.over != over {
			t.Errorf("%d bytes: over %t", length, b.over)
		}
	}
}

// TestMaxEntries opens three entries.
func TestMaxEntries(t *testing.T) {
	data := badSample(t, Raw)
	for most, ok := range map[uint32]bool{2: false, 3: true} {
		if _, err := Open(bytes.NewReader(data), int64(len(data)), Options{Insecure: true, MaxEntries: most}); (err == nil) != ok {
			t.Errorf("at most %d: %v", most, err)
		}
	}
}

// TestClaims opens a file of 1 KiB that claims 4 GiB in every place that can, and counts what that allocates.
func TestClaims(t *testing.T) {
	key := testKey(t, 1).Public()
	for name, change := range map[string]func([]byte){
		"count":       func(b []byte) { binary.LittleEndian.PutUint32(b[countAt:], 4<<30/EntrySize) },
		"size":        func(b []byte) { binary.LittleEndian.PutUint64(b[HeaderSize+entrySizeAt:], 4<<30) },
		"offset":      func(b []byte) { binary.LittleEndian.PutUint64(b[HeaderSize+entryOffsetAt:], 4<<30) },
		"LZMA2 bytes": func(b []byte) { binary.LittleEndian.PutUint64(b[HeaderSize+3*EntrySize:], 4<<30) },
		"LZMA2 wraps": func(b []byte) { binary.LittleEndian.PutUint64(b[HeaderSize+3*EntrySize:], 1<<63) },
	} {
		data := badSample(t, LZMA2)
		change(data)
		resign(t, data)
		for _, opt := range []Options{{Key: &key}, {Insecure: true}, {Key: &key, MaxEntries: 1 << 31}} {
			var err error
			got := allocated(func() {
				var a *Archive
				if a, err = Open(bytes.NewReader(data), int64(len(data)), opt); err == nil {
					_, err = a.Verify(context.Background())
				}
			})
			if err == nil {
				t.Errorf("%s: accepted", name)
			}
			if got > 1<<20 {
				t.Errorf("%s: allocated %d bytes to refuse it", name, got)
			}
		}
	}
}

// TestUnknownLength reads a table that is not there from a stream that cannot say so.
func TestUnknownLength(t *testing.T) {
	data := badSample(t, Raw)
	binary.LittleEndian.PutUint32(data[countAt:], 1<<20)
	resign(t, data)
	var err error
	got := allocated(func() { _, err = ReadHead(bytes.NewReader(data), -1, Options{Insecure: true}) })
	if err == nil || got > 1<<20 {
		t.Errorf("error %v after %d bytes", err, got)
	}
	if _, err := ReadHead(iotest.ErrReader(errFull), -1, Options{Insecure: true}); !errors.Is(err, errFull) {
		t.Errorf("read error %v is not passed on", err)
	}
}

func TestHeadOnly(t *testing.T) {
	data := badSample(t, LZMA2)
	a := open(t, data)
	key := testKey(t, 1).Public()
	r := bytes.NewReader(data)
	head, err := ReadHead(r, -1, Options{Key: &key})
	if err != nil || head.FileSize() != int64(len(data)) || !head.Verified() {
		t.Fatalf("%v, %v", head, err)
	}
	if read := int64(len(data) - r.Len()); read != a.HeadSize() {
		t.Errorf("%d bytes taken from the stream, want the head's %d", read, a.HeadSize())
	}
}

func TestUnverified(t *testing.T) {
	data := badSample(t, Raw)
	if _, err := Open(bytes.NewReader(data), int64(len(data)), Options{}); !errors.Is(err, ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	other := testKey(t, 9).Public()
	if _, err := Open(bytes.NewReader(data), int64(len(data)), Options{Key: &other, Insecure: true}); !errors.Is(err, ErrWrongKey) {
		t.Errorf("another key, even with Insecure: %v", err)
	}
	data[signatureAt] ^= 1
	a, err := Open(bytes.NewReader(data), int64(len(data)), Options{Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	used := makeTree(t, file{path: "mine", data: "x"})
	if _, err := a.Extract(context.Background(), used, ExtractOptions{NoSync: true}); !errors.Is(err, ErrNotFresh) {
		t.Errorf("into a used folder: %v", err)
	}
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "new")} {
		if _, err := a.Extract(context.Background(), dir, ExtractOptions{NoSync: true}); err != nil {
			t.Errorf("into a fresh folder: %v", err)
		}
	}
}

func TestAllFailuresListed(t *testing.T) {
	data := badSample(t, Raw)
	a := open(t, data)
	data[a.HeadSize()] ^= 1
	data[len(data)-1] ^= 1
	_, err := a.Verify(context.Background())
	var all *multierror.Error
	if !errors.As(err, &all) || len(all.Errors) != 2 || !errors.Is(err, ErrHash) {
		t.Errorf("error %v, want two hash errors", err)
	}
}

func FuzzOpen(f *testing.F) {
	for _, p := range packagings {
		f.Add(badSample(f, p))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Open(bytes.NewReader(data), int64(len(data)), Options{Insecure: true})
		if err != nil {
			return
		}
		if !bytes.Equal(a.Head.Marshal(), data[:a.HeadSize()]) {
			t.Fatal("accepted a head that is not written like that")
		}
		n, err := a.Verify(context.Background())
		if err == nil && a.Packaging == Raw && n != a.DataSize {
			t.Fatalf("%d bytes verified of %d", n, a.DataSize)
		}
	})
}

// FuzzEntry makes every input a signed archive, so that fuzzing gets behind the hashes.
func FuzzEntry(f *testing.F) {
	for _, p := range packagings {
		f.Add(badSample(f, p)[HeaderSize:], byte(p))
	}
	f.Fuzz(func(t *testing.T, body []byte, p byte) {
		data := make([]byte, HeaderSize, HeaderSize+len(body))
		binary.LittleEndian.PutUint32(data[countAt:], uint32(len(body)/EntrySize/2+1))
		data[flagsAt+2] = p
		data = append(data, body...)
		err := useAll(t, resign(t, data), Options{Insecure: true})
		var format *FormatError
		if err != nil && !errors.As(err, &format) {
			t.Fatalf("%v does not name a field", err)
		}
	})
}

func signBytes(key SecretKey, b []byte) []byte { return ed25519.Sign(key.key[:], b) }

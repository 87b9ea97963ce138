package initfs

import (
	"bytes"
	"context"
	"io"
	"runtime"
	"testing"
)

// FuzzOpen: no panic, no allocation the input does not justify, and whatever
// opens can be walked, verified and, when it verifies, written again.
func FuzzOpen(f *testing.F) {
	for _, v := range []Version{V1, V2} {
		spec := testSpec(v)
		f.Add(handImage(v))
		f.Add(put64(0x1a, NoEntry)(handImage(v)))
		spec.Root = dir("", file("a", 0o755, "x"), file("b", 0o755, "x"))
		spec.Share = true
		f.Add(pack(f, spec))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = fixSize(b)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		img, err := Open(bytes.NewReader(b), int64(len(b)))
		runtime.ReadMemStats(&after)
		// A record of 8 bytes becomes a Node, an extent and a map entry.
		if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+200*len(b)); got > limit {
			t.Errorf("%d bytes allocated for %d bytes of input", got, len(b))
		}
		if err != nil {
			return
		}
		count := 0
		if err := img.Walk(func(string, *Node) error { count++; return nil }); err != nil {
			t.Error(err)
		}
		if count > MaxInodes+1 {
			t.Errorf("%d nodes", count)
		}
		if img.Verify() != nil {
			return
		}
		spec := img.Spec()
		if _, err := Write(context.Background(), io.Discard, spec); err != nil {
			t.Errorf("a verified image cannot be written again: %v", err)
		}
	})
}

// fixSize puts the length where the layout has it, so that mutations that
// change it get past the first check.
func fixSize(b []byte) []byte {
	if len(b) < 0x2c {
		return b
	}
	b = bytes.Clone(b)
	if b[0x2b] == 0x10 && b[0x2a] == 0 {
		return put64(0x22, uint64(len(b)))(b)
	}
	if b[0x15] == 0x10 && b[0x14] == 0 {
		return put64(0x0c, uint64(len(b)))(b)
	}
	return b
}

// TestHostileSharing: many directories at the same dirents and many dirents at
// the same long names must not multiply.
func TestHostileSharing(t *testing.T) {
	const dirs = 2000
	b := make([]byte, 0x3000)
	copy(b, handImage(V1)[:0x2000])
	b = put32(8, 0x3000)(put16(0x18, dirs)(b))
	add := func(words ...uint32) {
		for _, w := range words {
			b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
		}
	}
	dirents := uint32(0x3000 + 20*dirs)
	for range dirs {
		add(0x100001ed, 8*(dirs-1), dirents, 0, 0)
	}
	for i := uint32(1); i < dirs; i++ {
		add(i|250<<16, dirents+i)
	}
	b = fixSize(b)
	if _, err := Open(bytes.NewReader(b), int64(len(b))); err == nil {
		t.Error("opened")
	} else {
		t.Log(err)
	}
}

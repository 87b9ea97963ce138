package execroot

import (
	"bytes"
	"io"
	"runtime"
	"testing"
)

// A tool that never ends its line costs no more memory than one that does.
func TestALineOf50MegabytesIsNotHeld(t *testing.T) {
	const most = 8 << 20 // bytes of the heap, where the line has 50 million
	w := io.MultiWriter(io.Discard, &watcher{status: func(string) {}})
	part := bytes.Repeat([]byte("error x "), 4<<10)
	var peak, before uint64
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before = m.HeapAlloc
	for written := 0; written < 50_000_000; written += len(part) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if written%(1<<20) < len(part) {
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	if peak > before+most {
		t.Errorf("%d KiB are held", (peak-before)>>10)
	}
}

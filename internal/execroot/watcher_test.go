package execroot

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
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

// What a failing step says is shown while it runs, and again when it has failed: neither has a secret key in it.
func TestNoSecretKeyIsShown(t *testing.T) {
	r := newRunner(t)
	key := strings.Repeat("c3", 64)
	script := fmt.Sprintf(`printf 'read skey = "%%s' %s; printf '%%s"\n' %s; echo 'error: skey = "%s"'; exit 1`, key[:50], key[50:], key)
	var shown []string
	_, err := r.Run(t.Context(), Spec{Action: shell(script, inputs(t, r, nil)), Log: io.Discard, Status: func(line string) { shown = append(shown, line) }}, collectOut(r))
	var failed *CommandError
	if !errors.As(err, &failed) {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%q %q %+v", shown, failed.Error(), failed.Messages)
	if strings.Contains(all, "c3c3") || strings.Count(all, "(a secret key)") < 3 {
		t.Error(all)
	}
}

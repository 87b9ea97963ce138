package qemu

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// logged is a request for logOf. A discard has no data and a length.
type logged struct {
	sector, sectors, flags uint64
	data                   string
}

// logOf is a log as blklogwrites writes it.
func logOf(t *testing.T, requests ...logged) string {
	t.Helper()
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
				t.Fatal(err)
			}
		}
		b.Write(make([]byte, (512-b.Len()%512)%512))
	}
	put(uint64(writeLogMagic), uint64(1), uint64(len(requests)), uint32(512))
	for _, r := range requests {
		put(r.sector, r.sectors, r.flags, uint64(0))
		put([]byte(r.data))
	}
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func text(c byte, sectors int) string { return strings.Repeat(string(c), 512*sectors) }

func TestReplayFlushed(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk")
	tests := map[string]struct {
		requests []logged
		want     string // the disk's sectors, a letter for each
		counts   Replayed
	}{
		"nothing":      {nil, "......", Replayed{}},
		"no flush":     {[]logged{{0, 1, 0, text('a', 1)}}, "......", Replayed{Lost: 1}},
		"flush":        {[]logged{{0, 1, 0, text('a', 1)}, {2, 2, 0, text('b', 2)}, {0, 0, logFlush, ""}, {1, 1, 0, text('c', 1)}}, "a.bb..", Replayed{1, 2, 1}},
		"write flush":  {[]logged{{5, 1, logFlush, text('a', 1)}, {0, 0, logFlush, ""}}, ".....a", Replayed{2, 1, 0}},
		"overwritten":  {[]logged{{0, 1, 0, text('a', 1)}, {0, 1, 0, text('b', 1)}, {0, 0, logFlush, ""}, {0, 1, 0, text('c', 1)}}, "b.....", Replayed{1, 2, 1}},
		"discard":      {[]logged{{0, 3, 0, text('a', 3)}, {1, 1, logDiscard, ""}, {0, 0, logFlush, ""}}, "a\x00a...", Replayed{1, 2, 0}},
		"lost discard": {[]logged{{0, 0, logFlush, ""}, {1, 1, logDiscard, ""}}, "......", Replayed{1, 0, 1}},
	}
	for name, tt := range tests {
		if err := os.WriteFile(disk, []byte(text('.', 6)), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := ReplayFlushed(logOf(t, tt.requests...), disk)
		if diff := cmp.Diff(tt.counts, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
		b, err := os.ReadFile(disk)
		if err != nil {
			t.Fatal(err)
		}
		var sectors strings.Builder
		for i := 0; i < len(b); i += 512 {
			sectors.WriteByte(b[i])
		}
		if sectors.String() != tt.want || len(b) != 6*512 {
			t.Errorf("%s: %q, want %q", name, sectors.String(), tt.want)
		}
	}
}

// QEMU leaves the first sector empty until the guest flushes.
func TestReplayWithoutFlush(t *testing.T) {
	log, disk := logOf(t, logged{0, 1, 0, text('a', 1)}), filepath.Join(t.TempDir(), "disk")
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[:512])
	if err := os.WriteFile(log, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(disk, []byte("untouched"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReplayFlushed(log, disk)
	if b, _ := os.ReadFile(disk); got != (Replayed{}) || err != nil || string(b) != "untouched" {
		t.Errorf("%+v, %v, the disk holds %q", got, err, b)
	}
}

// The last sector of a log that was cut short would be half a write.
func TestReplayRefusesAByteTooFew(t *testing.T) {
	log, disk := logOf(t, logged{0, 1, logFlush, text('a', 1)}), filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(disk, []byte(text('.', 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReplayFlushed(log, disk); err != nil {
		t.Errorf("the whole log: %v", err)
	}
	if err := os.Truncate(log, 3*512-1); err != nil {
		t.Fatal(err)
	}
	if _, err := ReplayFlushed(log, disk); err == nil || !strings.Contains(err.Error(), "beyond the end") {
		t.Errorf("got %v", err)
	}
}

func TestReplayRefuses(t *testing.T) {
	good := logOf(t, logged{0, 2, 0, text('a', 2)}, logged{0, 0, logFlush, ""})
	tests := map[string]struct {
		damage func(b []byte) []byte
		want   string
	}{
		"magic":     {func(b []byte) []byte { b[0]++; return b }, "no log of writes"},
		"version":   {func(b []byte) []byte { b[8]++; return b }, "version 2"},
		"truncated": {func(b []byte) []byte { return b[:1200] }, "beyond the end"},
		"no entry":  {func(b []byte) []byte { return b[:512+512+1024] }, "entry 1 of 2"},
		"short":     {func(b []byte) []byte { return b[:5] }, "EOF"},
		"length":    {func(b []byte) []byte { b[512+8+6] = 0xff; return b }, "no request"},
		"sectors":   {func(b []byte) []byte { b[512+8+1] = 1; return b }, "beyond the end"},
		"mark":      {func(b []byte) []byte { b[512+24] = 1; return b }, "mark"},
	}
	for name, tt := range tests {
		b, err := os.ReadFile(good)
		if err != nil {
			t.Fatal(err)
		}
		log, disk := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "disk")
		if err := os.WriteFile(log, tt.damage(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(disk, []byte("untouched"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = ReplayFlushed(log, disk)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
		if b, _ := os.ReadFile(disk); string(b) != "untouched" {
			t.Errorf("%s: the disk was written to", name)
		}
	}
}

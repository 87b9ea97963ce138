package initfs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// benchDir makes 40 MB in 60 files.
func benchDir(b *testing.B) (string, []string) {
	b.Helper()
	d := b.TempDir()
	var names []string
	for i := range 60 {
		name := filepath.Join(d, fmt.Sprintf("prog%02d", i))
		data := bytes.Repeat([]byte{byte(i), 1, 2, 3}, (40<<20)/60/4)
		if err := os.WriteFile(name, data, 0o755); err != nil {
			b.Fatal(err)
		}
		names = append(names, name)
	}
	return d, names
}

// BenchmarkPackAgainstCat packs 40 MB and lets cat read the same files into
// /dev/null, in turn, and reports the ratio of the medians as x-cat (goal: at
// most 1.5) and against cat into a file as x-cp. Nothing is synced on any side.
func BenchmarkPackAgainstCat(b *testing.B) {
	d, names := benchDir(b)
	out, err := os.Create(filepath.Join(b.TempDir(), "img"))
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	var pack, read, copied []time.Duration
	timed := func(into *[]time.Duration, f func()) {
		rewind(b, out)
		start := time.Now()
		f()
		*into = append(*into, time.Since(start))
	}
	b.SetBytes(40 << 20)
	for b.Loop() {
		timed(&pack, func() { packDir(b, d, out) })
		timed(&read, func() { cat(b, names, nil) })
		timed(&copied, func() { cat(b, names, out) })
	}
	b.ReportMetric(float64(median(pack))/float64(median(read)), "x-cat")
	b.ReportMetric(float64(median(pack))/float64(median(copied)), "x-cp")
	b.ReportMetric(float64(median(pack).Microseconds()), "µs-pack")
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func packDir(b *testing.B, d string, w io.Writer) {
	root, err := FromDir(d, DirOptions{})
	if err != nil {
		b.Fatal(err)
	}
	spec := Spec{Version: V1, Bootstrap: Bootstrap{Bytes(testBootstrap("CODE")), testEntry}, Root: root}
	if _, err := Write(context.Background(), w, spec); err != nil {
		b.Fatal(err)
	}
}

// cat runs the real thing; out nil means /dev/null.
func cat(b *testing.B, names []string, out *os.File) {
	cmd := exec.Command("cat", names...)
	if out != nil {
		cmd.Stdout = out
	}
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
}

func rewind(b *testing.B, f *os.File) {
	if err := f.Truncate(0); err != nil {
		b.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		b.Fatal(err)
	}
}

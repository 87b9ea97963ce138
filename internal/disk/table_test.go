package disk

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"

	"github.com/pannous/redox-clif/internal/redoxfs"
)

// foreign makes a disk of 40 MiB with RedoxFS in a partition, as another tool could: the partitions are of whole sectors, "+" marks the
// one with RedoxFS, which has 12 MiB.
func foreign(t *testing.T, sector int64, names ...string) (tool, path string, at int64) {
	t.Helper()
	tool, small := make1(t)
	root, err := FindRoot(small)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "foreign.img")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 40 * mib
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	table := &gpt.Table{LogicalSectorSize: int(sector), PhysicalSectorSize: int(sector), ProtectiveMBR: true}
	start := 3 * mib / sector
	for i, name := range names {
		name, isRoot := strings.CutPrefix(name, "+")
		length := int64(mib)
		if isRoot {
			at, length = start*sector, root.Length
			from, err := os.Open(small)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.NewOffsetWriter(f, at), io.NewSectionReader(from, root.Offset, root.Length)); err != nil {
				t.Fatal(err)
			}
			if err := from.Close(); err != nil {
				t.Fatal(err)
			}
		}
		end := start + length/sector - 1
		table.Partitions = append(table.Partitions, &gpt.Partition{Index: i + 1, Start: uint64(start), End: uint64(end), Name: name, Type: gpt.LinuxFilesystem})
		start = end + 2
	}
	if err := table.Write(f, size); err != nil {
		t.Fatal(err)
	}
	return tool, path, at
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func zero(t *testing.T, path string, at, n int64) {
	t.Helper()
	patchFile(t, path, at, make([]byte, n)...)
}

// Disks of other tools are found, changed and made larger.
func TestForeignTables(t *testing.T) {
	const size = 40 * mib
	tests := []struct {
		name   string
		sector int64
		parts  []string
		damage func(t *testing.T, path string)
	}{
		{"plain", 512, []string{"EFI", "+REDOX"}, nil},
		{"4096-byte sectors", 4096, []string{"EFI", "+REDOX"}, nil},
		{"first copy gone", 512, []string{"EFI", "+REDOX"}, func(t *testing.T, path string) { zero(t, path, 512, 33*512) }},
		{"first copy's entries flipped", 512, []string{"EFI", "+REDOX"}, func(t *testing.T, path string) { patchFile(t, path, 1024+128+32, 1, 1, 1) }},
		{"first copy of 4096-byte sectors gone", 4096, []string{"EFI", "+REDOX"}, func(t *testing.T, path string) { zero(t, path, 4096, 5*4096) }},
		{"second copy gone", 512, []string{"EFI", "+REDOX"}, func(t *testing.T, path string) { zero(t, path, size-33*512, 33*512) }},
		{"another name", 512, []string{"EFI", "+root"}, nil},
		{"the name twice", 512, []string{"REDOX", "+REDOX"}, nil},
		{"longer than its table", 512, []string{"EFI", "+REDOX"}, func(t *testing.T, path string) { truncate(t, path, size+5*mib) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tool, path, at := foreign(t, tt.sector, tt.parts...)
			if tt.damage != nil {
				tt.damage(t, path)
			}
			if root, err := FindRoot(path); err != nil || root.Offset != at {
				t.Fatalf("RedoxFS at %+v, want %d, %v", root, at, err)
			}
			e := openEditor(t, tool, path)
			host := randomFile(t, 5, 5000)
			if err := e.Edit(t.Context(), []redoxfs.Op{put("/new", host)}); err != nil {
				t.Fatal(err)
			}
			if err := e.Grow(t.Context(), 50); err != nil {
				t.Fatal(err)
			}
			root, err := FindRoot(path)
			if err != nil || root.Offset != at || root.Offset+root.Length != 49*mib {
				t.Errorf("grown: RedoxFS at %+v, %v", root, err)
			}
			if got := content(t, tool, path, "/new"); len(got) != 5000 {
				t.Errorf("%d bytes", len(got))
			}
			for _, copyAt := range []int64{tt.sector, 50*mib - tt.sector} {
				if f, _ := os.Open(path); !has(f, "EFI PART", copyAt) {
					t.Errorf("no copy of the table at %d", copyAt)
				}
			}
		})
	}
}

// Where the boot loader would look without a table.
func TestWithoutTable(t *testing.T) {
	tool, path := make1(t)
	zero(t, path, 0, 34*512)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	zero(t, path, info.Size()-33*512, 33*512)
	if got := content(t, tool, path, "/etc/hostname"); string(got) != "test\n" {
		t.Errorf("content %q", got)
	}
}

func TestBadTables(t *testing.T) {
	// sign makes the checksums of the first copy right again, as whoever means harm would.
	sign := func(b []byte) {
		binary.LittleEndian.PutUint32(b[512+88:], crc32.ChecksumIEEE(b[1024:1024+128*128]))
		clear(b[512+16 : 512+20])
		binary.LittleEndian.PutUint32(b[512+16:], crc32.ChecksumIEEE(b[512:512+92]))
	}
	tests := map[string]struct {
		change func(b []byte)
		want   string
	}{
		"2^32-1 entries":       {func(b []byte) { binary.LittleEndian.PutUint32(b[512+80:], 1<<32-1) }, "entries"},
		"entries of no size":   {func(b []byte) { binary.LittleEndian.PutUint32(b[512+84:], 0) }, "entries"},
		"start beyond all":     {func(b []byte) { binary.LittleEndian.PutUint64(b[1024+2*128+32:], 1<<62) }, "sectors"},
		"end beyond all":       {func(b []byte) { binary.LittleEndian.PutUint64(b[1024+2*128+40:], 1<<63) }, "sectors"},
		"end before the start": {func(b []byte) { binary.LittleEndian.PutUint64(b[1024+2*128+40:], 1) }, "sectors"},
		"end after the image":  {func(b []byte) { binary.LittleEndian.PutUint64(b[1024+2*128+40:], 1<<40) }, "truncated"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, path := make1(t)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(b)
			sign(b)
			clear(b[2*mib : 2*mib+8]) // else the boot loader's place is taken
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			if root, err := FindRoot(path); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, error %v, want %q", root, err, tt.want)
			}
		})
	}
}

// A pipe or a device in place of a file would be read for ever.
func TestNoFiles(t *testing.T) {
	for _, path := range []string{"/dev/zero", t.TempDir()} {
		if _, err := FindRoot(path); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s: %v", path, err)
		}
	}
	tool, path := make1(t)
	e := openEditor(t, tool, path)
	for _, from := range []string{"/dev/zero", t.TempDir()} {
		if err := e.Edit(t.Context(), []redoxfs.Op{put("/x", from)}); err == nil || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s: %v", from, err)
		}
	}
	if err := e.Edit(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if all, err := e.Snapshots(); err != nil || len(all) != 0 {
		t.Errorf("snapshots %v, %v", all, err)
	}
}

// A name that leads to no image leaves nothing behind.
func TestOpenMissing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "x.img")
	if e, err := Open(t.Context(), "", path); err == nil {
		e.Close()
		t.Error("opened")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left %v, %v", entries, err)
	}
}

// What is mostly holes or compresses well fits where its size does not.
func TestSparseFileFits(t *testing.T) {
	tool, path := make1(t)
	e := openEditor(t, tool, path)
	host := randomFile(t, 6, 100)
	if err := os.Truncate(host, 64*mib); err != nil {
		t.Fatal(err)
	}
	if err := e.Edit(t.Context(), []redoxfs.Op{put("/sparse", host)}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Bless(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.RestorePaths(t.Context(), []string{"/sparse"}); err != nil {
		t.Fatal(err)
	}
	if got := content(t, tool, path, "/sparse"); len(got) != 64*mib {
		t.Errorf("%d bytes", len(got))
	}
}

func TestSizeLimits(t *testing.T) {
	tool, path := make1(t)
	e := openEditor(t, tool, path)
	for _, size := range []int64{maxMiB + 1, 1<<44 + 64, 1 << 62} {
		if err := e.Grow(t.Context(), size); err == nil || !strings.Contains(err.Error(), "largest") {
			t.Errorf("grew to %d MiB: %v", size, err)
		}
		text := strings.Replace(small, "size-mib = 12", fmt.Sprintf("size-mib = %d", size), 1)
		if _, err := Parse("small", "small.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), "at most") {
			t.Errorf("%d MiB: %v", size, err)
		}
	}
}

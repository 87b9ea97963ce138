package initfs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// liar announces another size than it has.
type liar struct {
	size int64
	data string
}

func (l liar) Size() int64                  { return l.size }
func (l liar) Open() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(l.data)), nil }

func TestWriterRefuses(t *testing.T) {
	loop := dir("d")
	loop.Children = []*Node{loop}
	many := dir("many")
	for i := range MaxInodes {
		many.Children = append(many.Children, file("f"+strings.Repeat("x", i%3)+string(rune('a'+i%26))+hexName(i), 0o644, ""))
	}
	tests := []struct {
		name string
		edit func(*Spec)
		want []string
	}{
		{"no bootstrap", func(s *Spec) { s.Bootstrap.Content = nil }, []string{"no bootstrap"}},
		{"empty bootstrap", func(s *Spec) { s.Bootstrap.Content = Bytes(nil) }, []string{"no bootstrap"}},
		{"entry of nothing", func(s *Spec) { s.Bootstrap.Entry = NoEntry }, []string{"FFFFFFFFFFFFFFFF"}},
		{"entry outside", func(s *Spec) { s.Bootstrap.Entry = 0x400000 }, []string{"outside the bootstrap", "not the ELF's own"}},
		{"entry just before the bootstrap", func(s *Spec) { *s = withEntry(*s, ImageBase+BootstrapOffset-1) }, []string{"0x1fff is outside the bootstrap"}},
		{"entry just behind the bootstrap", func(s *Spec) { s.Bootstrap.Content = Bytes(testBootstrap("")) }, []string{"0x2040 is outside the bootstrap"}},
		{"entry of another ELF", func(s *Spec) { s.Bootstrap.Entry = testEntry + 4 }, []string{"not the ELF's own, 0x2040"}},
		{"bootstrap no ELF", func(s *Spec) { s.Bootstrap.Content = Bytes(make([]byte, 100)) }, []string{"not an ELF file"}},
		{"layout", func(s *Spec) { s.Version = 3 }, []string{"layout 3"}},
		{"root is a file", func(s *Spec) { s.Root = file("", 0, "") }, []string{"root is not a directory"}},
		{"names, all at once", func(s *Spec) {
			s.Root = dir("", file("", 0, ""), file("..", 0, ""), file("a/b", 0, ""), file(strings.Repeat("n", 256), 0, ""), file("\xff", 0, ""))
		}, []string{"empty name", `".." is not allowed`, "slash", "256 bytes", "not UTF-8"}},
		{"twice", func(s *Spec) { s.Root = dir("", file("a", 0, ""), file("a", 0, "")) }, []string{"a: twice"}},
		{"loop", func(s *Spec) { s.Root = dir("", loop) }, []string{"contains itself"}},
		{"absolute link", func(s *Spec) { s.Root = dir("", link("l", "/bin/a")) }, []string{"absolute"}},
		{"escaping link", func(s *Spec) { s.Root = dir("", dir("d", link("l", "../../a"))) }, []string{"leaves the image"}},
		{"empty link", func(s *Spec) { s.Root = dir("", link("l", "")) }, []string{"empty link target"}},
		{"path", func(s *Spec) { s.Root = dir("", longPath(MaxPathLen+1)) }, []string{"path of 4097 bytes"}},
		{"mode", func(s *Spec) { s.Root = dir("", file("a", 0o10000, "")) }, []string{"12 bits"}},
		{"no content", func(s *Spec) { s.Root = dir("", &Node{Name: "a"}) }, []string{"without content"}},
		{"kind", func(s *Spec) { s.Root = dir("", &Node{Name: "a", Kind: 9}) }, []string{"unknown kind 9"}},
		{"too many inodes", func(s *Spec) { s.Root = dir("", many) }, []string{"65537 inodes"}},
		{"over the limit", func(s *Spec) { s.MaxSize = 3 * PageSize }, []string{"the limit is 12288", "largest file: bin/a (5 bytes)"}},
		{"over u32", func(s *Spec) {
			s.MaxSize = 1 << 40
			s.Root = dir("", &Node{Name: "a", Content: liar{1 << 32, ""}})
		}, []string{"u32"}},
		{"shrunk file", func(s *Spec) { s.Root = dir("", &Node{Name: "a", Content: liar{10, "123"}}) }, []string{"a: the file changed", "3 bytes are left of 10"}},
		{"grown file", func(s *Spec) { s.Root = dir("", &Node{Name: "a", Content: liar{2, "123"}}) }, []string{"longer than the 2 bytes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := testSpec(V1)
			tt.edit(&spec)
			_, err := Write(context.Background(), io.Discard, spec)
			if err == nil {
				t.Fatal("written")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error lacks %q:\n%v", w, err)
				}
			}
		})
	}
}

// withEntry is a spec whose bootstrap says so itself.
func withEntry(s Spec, entry uint64) Spec {
	elf := testBootstrap("CODE")
	binary.LittleEndian.PutUint64(elf[0x18:], entry)
	s.Bootstrap = Bootstrap{Bytes(elf), entry}
	return s
}

// longPath is directories around a file whose path has so many bytes.
func longPath(length int) *Node {
	if length <= MaxNameLen {
		return file(strings.Repeat("f", length), 0o644, "")
	}
	const name = 100
	return dir(strings.Repeat("d", name), longPath(length-name-1))
}

// What is refused one byte further is written up to there.
func TestWriterGoesUpToTheLimits(t *testing.T) {
	for _, entry := range []uint64{ImageBase + BootstrapOffset, ImageBase + BootstrapOffset + 64 + uint64(len("CODE")) - 1} {
		b := pack(t, withEntry(testSpec(V2), entry))
		if err := open(t, b).Verify(); err != nil {
			t.Errorf("entry %#x: %v", entry, err)
		}
	}
	spec := testSpec(V1)
	spec.Root = dir("", longPath(MaxPathLen))
	if err := open(t, pack(t, spec)).Verify(); err != nil {
		t.Errorf("the longest path: %v", err)
	}
	spec = testSpec(V1)
	size := int64(len(pack(t, spec)))
	for max, want := range map[int64]bool{size: true, size - 1: false} {
		spec.MaxSize = max
		if _, err := Write(t.Context(), io.Discard, spec); (err == nil) != want {
			t.Errorf("%d bytes, at most %d: %v", size, max, err)
		}
	}
}

func hexName(i int) string {
	return string([]byte{'0' + byte(i>>12&15), 'A' + byte(i>>8&15), 'A' + byte(i>>4&15), 'A' + byte(i&15)})
}

func TestWriteFileLeavesNothingHalfMade(t *testing.T) {
	name := filepath.Join(t.TempDir(), "initfs.img")
	if err := os.WriteFile(name, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	spec := testSpec(V1)
	spec.Root.Children = append(spec.Root.Children, &Node{Name: "z", Content: liar{10, "123"}})
	if _, err := WriteFile(context.Background(), name, spec); err == nil {
		t.Fatal("written")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := WriteFile(ctx, name, testSpec(V1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	if b, _ := os.ReadFile(name); string(b) != "old" {
		t.Errorf("the old file became %q", b)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func put16(at int, v uint16) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint16(b[at:], v); return b }
}
func put32(at int, v uint32) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b }
}
func put64(at int, v uint64) func([]byte) []byte {
	return func(b []byte) []byte { binary.LittleEndian.PutUint64(b[at:], v); return b }
}

// Offsets into handImage(V1).
const (
	v1Inodes  = 0x3000
	v1Dirents = 0x3078
)

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name    string
		version Version
		edit    func([]byte) []byte
		want    string
	}{
		{"empty", V1, func(b []byte) []byte { return nil }, "a header takes"},
		{"magic", V1, func(b []byte) []byte { b[0] = 'r'; return b }, "offset 0x0, magic"},
		{"truncated", V1, func(b []byte) []byte { return b[:len(b)-1] }, "offset 0x22, initfs_size"},
		{"truncated v2", V2, func(b []byte) []byte { return b[:len(b)-1] }, "offset 0xc, initfs_size"},
		{"truncated to the header", V1, func(b []byte) []byte { return b[:0x30] }, "truncated or extended"},
		{"extended", V2, func(b []byte) []byte { return append(b, 0) }, "truncated or extended"},
		{"neither", V1, put64(0x22, 0x1234), "initfs_size"},
		{"no page size", V1, put16(0x2a, 0), "before 2025-12-12"},
		{"16k pages", V1, put16(0x2a, 16384), "offset 0x2a, page_size: 16384"},
		{"16k pages v2", V2, put16(0x14, 16384), "offset 0x14, page_size: 16384"},
		{"both layouts", V1, func(b []byte) []byte { return put16(0x14, 4096)(put64(0x0c, uint64(len(b)))(b)) }, "both layouts"},
		{"small inodes", V1, put32(v1Inodes, 2), "2026-02-17"},
		{"root_inode appended", V1, func(b []byte) []byte { return put16(0x2c, 5)(put32(v1Inodes, 2)(b)) }, "root_inode appended"},
		{"root_inode appended, file first", V1, put32(v1Inodes, 1), "root_inode appended"},
		{"no inodes", V1, put16(0x18, 0), "offset 0x18, inode_count"},
		{"inode table in header", V1, put32(0x08, 0x10), "inside the header"},
		{"inode table past end", V1, put32(0x08, 0x30ad), "would end at"},
		{"huge inode count", V1, put16(0x18, 0xffff), "would end at"},
		{"root_inode", V2, put16(0x16, 6), "offset 0x16, root_inode"},
		{"root is no directory", V2, put16(0x16, 1), "the root is a file"},
		{"root is a link", V1, put32(v1Inodes, 0x20000000), "want a directory"},
		{"type", V1, put32(v1Inodes+40, 0x70000000), "offset 0x3028, inode 2 (bin/a): unknown type 7"},
		{"type v2", V2, put32(0x3000+12, 4), "inode 1 (bin/a): unknown type 4"},
		{"data outside", V1, put32(v1Inodes+44, 0xffffffff), "offset 0x302c, inode 2: data"},
		{"data one byte outside", V1, put32(v1Inodes+48, 0x30aa), "offset 0x302c, inode 2: data"},
		{"dirents length", V1, put32(v1Inodes+24, 7), "not a multiple of 8"},
		{"dirent inode", V1, put16(v1Dirents, 6), "offset 0x3078, dirent in ., inode: 6 of 6"},
		{"directory contains itself", V1, put16(v1Dirents+16, 1), "named twice or contains itself"},
		{"directory contains the root", V1, put16(v1Dirents+16, 0), "named twice or contains itself"},
		{"name outside", V1, put32(v1Dirents+4, 0x30ad), "offset 0x307c, dirent in ., name_off"},
		{"name one byte outside", V1, put32(v1Dirents+4, 0x30ac), "offset 0x307c, dirent in ., name_off"},
		{"name length", V1, put16(v1Dirents+2, 256), "name_off"},
		{"empty name", V1, put16(v1Dirents+2, 0), "empty name"},
		{"name twice", V1, func(b []byte) []byte { return append(b[:0x30a3], append([]byte("bin"), b[0x30a6:]...)...) }, `"bin" is there twice`},
		{"slash", V1, func(b []byte) []byte { b[0x30a0] = '/'; return b }, "slash"},
		{"dotdot", V1, func(b []byte) []byte {
			b[0x30a0], b[0x30a1] = '.', '.'
			return put16(v1Dirents+2, 2)(b)
		}, `".."`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := tt.edit(handImage(tt.version))
			_, err := Open(bytes.NewReader(b), int64(len(b)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestRevisionErrorIsTyped(t *testing.T) {
	b := put16(0x2a, 0)(handImage(V1))
	_, err := Open(bytes.NewReader(b), int64(len(b)))
	var rev *RevisionError
	if !errors.As(err, &rev) || rev.Revision != revisionNoPageSize {
		t.Errorf("error %v", err)
	}
}

func TestVerify(t *testing.T) {
	tests := []struct {
		name string
		edit func([]byte) []byte
		want []string
	}{
		{"clean", func(b []byte) []byte { return b }, nil},
		{"no bootstrap", put64(0x1a, NoEntry), []string{"offset 0x1a, bootstrap_entry: 0xffffffffffffffff: no bootstrap"}},
		{"wrong entry", put64(0x1a, 0x2004), []string{"ELF's own entry is 0x2040"}},
		{"entry just before the bootstrap", put64(0x1a, 0x1fff), []string{"0x1fff is outside the bootstrap"}},
		{"entry just behind the bootstrap", put64(0x1a, 0x2044), []string{"0x2044 is outside the bootstrap"}},
		{"entry far away", put64(0x1a, 0x9000), []string{"outside the bootstrap", "ELF's own"}},
		{"bootstrap wiped", func(b []byte) []byte { copy(b[0x1000:], "xxxx"); return b }, []string{"not an ELF"}},
		{"padding", func(b []byte) []byte { b[0x2005] = 1; return b }, []string{"offset 0x2005, data of a: the rest"}},
		{"unaligned data", put32(v1Inodes+48, 0x2001), []string{"offset 0x2001, data of a: not on a page"}},
		{"data over the tables", put32(v1Inodes+44, 0x1001), []string{"offset 0x3000, inode table: overlaps the data of a"}},
		{"data over the bootstrap", put32(v1Inodes+48, 0x1000), []string{"no bootstrap"}},
		{"file named twice, another not", put16(v1Dirents+24, 2), []string{"inode 2: named 2 times", "inode 4: no directory names it"}},
		{"uid", put32(v1Inodes+12, 7), []string{"offset 0x300c, inode 0: uid 7"}},
		{"reserved", put32(v1Inodes, 0x10ff01ed), []string{"reserved bits"}},
		{"UTF-8", func(b []byte) []byte { b[0x30a0] = 0xff; return b }, []string{"not UTF-8"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := open(t, tt.edit(handImage(V1))).Verify()
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error lacks %q:\n%v", w, err)
				}
			}
		})
	}
}

func TestBootable(t *testing.T) {
	if err := open(t, handImage(V1)).Bootable(); err == nil || !strings.Contains(err.Error(), "bin/init") {
		t.Errorf("error %v, want bin/init missing", err)
	}
	spec := testSpec(V2)
	for _, tt := range []struct {
		node *Node
		ok   bool
	}{{file("init", 0o755, "x"), true}, {file("init", 0o644, "x"), false}, {link("init", "a"), false}} {
		spec.Root = dir("", dir("bin", tt.node))
		if err := open(t, pack(t, spec)).Bootable(); (err == nil) != tt.ok {
			t.Errorf("%s %#o: error %v", tt.node.Kind, tt.node.Perm, err)
		}
	}
}

// TestUpstreamPlacement reads an image laid out as the upstream tool does it:
// everything, names too, on pages of its own, the inode table after the
// bootstrap, and the directory's order as readdir gave it.
func TestUpstreamPlacement(t *testing.T) {
	b := make([]byte, 9*PageSize)
	le := binary.LittleEndian
	copy(b, "RedoxFtw")
	le.PutUint32(b[8:], 0x2000)
	le.PutUint64(b[0x0c:], 1767000000)
	le.PutUint16(b[0x18:], 3)
	le.PutUint64(b[0x1a:], testEntry)
	le.PutUint64(b[0x22:], uint64(len(b)))
	le.PutUint16(b[0x2a:], 4096)
	copy(b[0x1000:], testBootstrap("CODE"))
	for i, w := range []uint32{0x100001ed, 16, 0x3000, 0, 0, 0x000001ed, 3, 0x4000, 0, 0, 0x200001ff, 1, 0x6000, 0, 0} {
		le.PutUint32(b[0x2000+4*i:], w)
	}
	for i, w := range []uint32{1 | 1<<16, 0x5000, 2 | 1<<16, 0x7000} {
		le.PutUint32(b[0x3000+4*i:], w)
	}
	copy(b[0x4000:], "abc")
	b[0x5000], b[0x6000], b[0x7000] = 'z', 'z', 'l'
	img := open(t, b)
	if err := img.Verify(); err != nil {
		t.Error(err)
	}
	want := []string{". directory 0755", "l link z 0777", "z file exec=true 616263 0755"}
	if diff := cmp.Diff(want, listing(t, img.Root, V1)); diff != "" {
		t.Error(diff)
	}
	if img.Bootstrap.Size() != 68 || img.BuildTime.Sec != 1767000000 {
		t.Errorf("bootstrap of %d bytes, time %v", img.Bootstrap.Size(), img.BuildTime)
	}
}

package initfs

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const testEntry = 0x2040

// testBootstrap is the smallest thing with an ELF64 header: it has no tables,
// so its length by the headers is 64.
func testBootstrap(tail string) []byte {
	b := make([]byte, 64)
	copy(b, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint64(b[0x18:], testEntry)
	return append(b, tail...)
}

func dir(name string, children ...*Node) *Node {
	return &Node{Name: name, Kind: Dir, Perm: 0o755, Children: children}
}
func file(name string, perm uint16, data string) *Node {
	return &Node{Name: name, Kind: File, Perm: perm, Content: Bytes([]byte(data))}
}
func link(name, target string) *Node {
	return &Node{Name: name, Kind: Link, Perm: 0o777, Target: target}
}

func testSpec(v Version) Spec {
	return Spec{
		Version:   v,
		Bootstrap: Bootstrap{Bytes(testBootstrap("CODE")), testEntry},
		Root:      dir("", dir("etc", link("l", "../bin/a"), file("e", 0o644, "")), dir("bin", file("a", 0o755, "hello"))),
	}
}

func pack(t testing.TB, s Spec) []byte {
	t.Helper()
	var b bytes.Buffer
	sum, err := Write(context.Background(), &b, s)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Size != int64(b.Len()) {
		t.Fatalf("Summary.Size %d, written %d", sum.Size, b.Len())
	}
	return b.Bytes()
}

func open(t testing.TB, b []byte) *Image {
	t.Helper()
	img, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// handImage is testSpec's image written down from the table by hand: offsets
// are counted, not computed.
//
//	0x0000 header  0x1000 bootstrap (64 + 4)  0x2000 "hello"  0x3000 inodes
//	V1 inodes: 0 root, 1 bin, 2 bin/a, 3 etc, 4 etc/e, 5 etc/l   (6 * 20 = 0x78)
//	V2 inodes: 0 bin, 1 bin/a, 2 etc, 3 etc/e, 4 etc/l, 5 root   (6 * 12 = 0x48)
func handImage(v Version) []byte {
	img := make([]byte, 0x3000)
	put := func(at int, hexBytes string) {
		b, err := hex.DecodeString(strings.ReplaceAll(hexBytes, " ", ""))
		if err != nil {
			panic(err)
		}
		copy(img[at:], b)
	}
	copy(img, "RedoxFtw")
	put(0x08, "00300000")         // inode_table_offset
	put(0x18, "0600")             // inode_count
	put(0x1a, "4020000000000000") // bootstrap_entry
	copy(img[0x1000:], testBootstrap("CODE"))
	copy(img[0x2000:], "hello")
	var tables string
	if v == V1 {
		// table 0x3000..0x3078, dirents 0x3078..0x30a0, names 0x30a0..0x30a9, target 0x30a9..0x30ae
		put(0x22, "ae30000000000000 0010") // initfs_size, page_size
		zero := "00000000 00000000"
		tables = "ed010010 10000000 78300000" + zero + // root: 2 dirents at 0x3078
			"ed010010 08000000 88300000" + zero + // bin: 1 dirent at 0x3088
			"ed010000 05000000 00200000" + zero + // bin/a: 0755
			"ed010010 10000000 90300000" + zero + // etc: 2 dirents at 0x3090
			"a4010000 00000000 00300000" + zero + // etc/e: 0644, empty, where its data would be
			"ff010020 05000000 a9300000" + zero + // etc/l: "bin/a", from the root
			"0100 0300 a0300000" + "0300 0300 a3300000" + // root: bin, etc
			"0200 0100 a6300000" + // bin: a
			"0400 0100 a7300000" + "0500 0100 a8300000" + // etc: e, l
			hex.EncodeToString([]byte("binetcaelbin/a"))
	} else {
		// table 0x3000..0x3048, dirents 0x3048..0x3070, names 0x3070..0x3079, target 0x3079..0x3081
		put(0x0c, "8130000000000000 0010 0500") // initfs_size, page_size, root_inode
		tables = "02000000 08000000 48300000" + // bin: 1 dirent
			"01000000 05000000 00200000" + // bin/a: executable
			"02000000 10000000 50300000" + // etc: 2 dirents
			"00000000 00000000 00300000" + // etc/e
			"03000000 08000000 79300000" + // etc/l: "../bin/a"
			"02000000 10000000 60300000" + // root: 2 dirents
			"0100 0100 70300000" + // bin: a
			"0300 0100 71300000" + "0400 0100 72300000" + // etc: e, l
			"0000 0300 73300000" + "0200 0300 76300000" + // root: bin, etc
			hex.EncodeToString([]byte("aelbinetc../bin/a"))
	}
	b, err := hex.DecodeString(strings.ReplaceAll(tables, " ", ""))
	if err != nil {
		panic(err)
	}
	return append(img, b...)
}

func TestGoldenBytes(t *testing.T) {
	for _, v := range []Version{V1, V2} {
		t.Run(v.String(), func(t *testing.T) {
			got := pack(t, testSpec(v))
			if diff := cmp.Diff(hex.Dump(handImage(v)), hex.Dump(got)); diff != "" {
				t.Errorf("not the hand-computed image (-want +got):\n%s", diff)
			}
			golden := filepath.Join("testdata", "tiny-"+v.String()+".hex")
			if *update {
				if err := os.MkdirAll("testdata", 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, []byte(hex.Dump(got[:0x30])+hex.Dump(got[0x3000:])), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), hex.Dump(got[:0x30])+hex.Dump(got[0x3000:])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// listing is a tree in a comparable form.
func listing(t testing.TB, root *Node, v Version) []string {
	t.Helper()
	var out []string
	err := root.Walk(func(at string, n *Node) error {
		line := fmt.Sprintf("%s %s", at, n.Kind)
		switch n.Kind {
		case File:
			r, err := n.Content.Open()
			if err != nil {
				return err
			}
			defer r.Close()
			b, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			line += fmt.Sprintf(" exec=%v %x", n.Exec(), b)
		case Link:
			line += " " + path.Join(path.Dir(at), n.Target)
		}
		if v == V1 {
			line += fmt.Sprintf(" %#o", n.Perm)
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// naive reads an image with nothing but the table: no checks, no code of the
// package. It would panic on a wrong image.
func naive(b []byte, v Version) []string {
	u16 := func(o int) int { return int(b[o]) | int(b[o+1])<<8 }
	u32 := func(o int) int { return u16(o) | u16(o+2)<<16 }
	table, root := u32(8), 0
	if v == V2 {
		root = u16(0x16)
	}
	var out []string
	var visit func(ino int, at string)
	visit = func(ino int, at string) {
		isDir, isLink, perm, exec := false, false, 0, false
		var size, off int
		if v == V1 {
			rec := table + 20*ino
			word := u32(rec)
			isDir, isLink, perm = word>>28 == 1, word>>28 == 2, word&0xfff
			exec = perm&0o111 != 0
			size, off = u32(rec+4), u32(rec+8)
		} else {
			rec := table + 12*ino
			isDir, isLink, exec = u32(rec) == 2, u32(rec) == 3, u32(rec) == 1
			size, off = u32(rec+4), u32(rec+8)
		}
		line := ""
		switch {
		case isDir:
			line = at + " directory"
		case isLink:
			target := string(b[off : off+size])
			if v == V2 {
				target = path.Join(path.Dir(at), target)
			}
			line = at + " link " + target
		default:
			line = fmt.Sprintf("%s file exec=%v %x", at, exec, b[off:off+size])
		}
		if v == V1 {
			line += fmt.Sprintf(" %#o", perm)
		}
		out = append(out, line)
		if isDir {
			for d := off; d < off+size; d += 8 {
				name := string(b[u32(d+4) : u32(d+4)+u16(d+2)])
				visit(u16(d), path.Join(at, name))
			}
		}
	}
	visit(root, ".")
	return out
}

func randomTree(rnd *rand.Rand) *Node {
	count := 0
	var fill func(n *Node, depth int)
	fill = func(n *Node, depth int) {
		for i := range rnd.Intn(8) {
			count++
			name := fmt.Sprintf("%c%d-%s", 'a'+rnd.Intn(26), i, strings.Repeat("ü", rnd.Intn(4)))
			switch k := rnd.Intn(4); {
			case k == 0 && depth < 5:
				d := dir(name)
				d.Perm = uint16(rnd.Intn(0o10000))
				fill(d, depth+1)
				n.Children = append(n.Children, d)
			case k == 1:
				n.Children = append(n.Children, link(name, []string{"x", "./y/../z", strings.Repeat("../", depth) + "bin/q", "."}[rnd.Intn(4)]))
			default:
				data := make([]byte, []int{0, 1, rnd.Intn(5000), 4096, 8192}[rnd.Intn(5)])
				rnd.Read(data)
				n.Children = append(n.Children, file(name, uint16(rnd.Intn(0o10000)), string(data)))
			}
		}
	}
	root := dir("")
	fill(root, 0)
	rnd.Shuffle(len(root.Children), func(i, j int) { root.Children[i], root.Children[j] = root.Children[j], root.Children[i] })
	return root
}

// sortTree gives the order Open returns.
func sortTree(n *Node) {
	n.Children = sorted(n.Children)
	for _, c := range n.Children {
		sortTree(c)
	}
}

func TestWriteReadProperty(t *testing.T) {
	for seed := range int64(200) {
		rnd := rand.New(rand.NewSource(seed))
		for _, v := range []Version{V1, V2} {
			spec := testSpec(v)
			spec.Root, spec.Share = randomTree(rnd), seed%2 == 0
			b := pack(t, spec)
			if again := pack(t, spec); !bytes.Equal(b, again) {
				t.Fatalf("seed %d %s: two writes differ", seed, v)
			}
			img := open(t, b)
			if err := img.Verify(); err != nil {
				t.Fatalf("seed %d %s: %v", seed, v, err)
			}
			sortTree(spec.Root)
			want := listing(t, spec.Root, v)
			if diff := cmp.Diff(want, listing(t, img.Root, v)); diff != "" {
				t.Fatalf("seed %d %s (-want +got):\n%s", seed, v, diff)
			}
			if diff := cmp.Diff(want, naive(b, v)); diff != "" {
				t.Fatalf("seed %d %s, independent parser (-want +got):\n%s", seed, v, diff)
			}
			if got := img.Bootstrap.Size(); got != 68 {
				t.Fatalf("bootstrap of %d bytes, want 68", got)
			}
			// Writing what was read gives the same bytes.
			if again := pack(t, img.Spec()); !spec.Share && !bytes.Equal(b, again) {
				t.Fatalf("seed %d %s: rewriting changes the image", seed, v)
			}
		}
	}
}

func TestShare(t *testing.T) {
	spec := testSpec(V1)
	spec.Root = dir("", file("nulld", 0o755, "same"), file("zerod", 0o755, "same"), file("other", 0o755, "diff"))
	plain := pack(t, spec)
	spec.Share = true
	shared := pack(t, spec)
	if len(plain)-len(shared) != PageSize {
		t.Errorf("sharing saved %d bytes, want one page", len(plain)-len(shared))
	}
	img := open(t, shared)
	if err := img.Verify(); err != nil {
		t.Error(err)
	}
	if a, b := img.Root.Child("nulld").Offset, img.Root.Child("zerod").Offset; a != b {
		t.Errorf("offsets %#x and %#x differ", a, b)
	}
	if !img.Spec().Share || open(t, plain).Spec().Share {
		t.Error("Spec does not say whether the image shares data")
	}
}

package redoxfs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/redoxfs"
	"github.com/pannous/redox-clif/internal/redoxfs/redoxfstest"
)

const testUUID = "00112233445566778899aabbccddeeff"

// newVolume makes an empty file system in the middle of a file.
func newVolume(t *testing.T, mib int64) redoxfs.Volume {
	t.Helper()
	v := redoxfs.Volume{Tool: redoxfstest.Tool(t), Image: filepath.Join(t.TempDir(), "v.img"), Offset: 1 << 20, Length: mib << 20}
	f, err := os.Create(v.Image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate((mib+2)<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	if err := v.Mkfs(t.Context(), testUUID, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	return v
}

func ptr[T any](v T) *T { return &v }

// sample is one of everything: inline, one record, many records, compressible, empty, link, owner, time.
func sample(t *testing.T) ([]redoxfs.Op, map[string][]byte) {
	t.Helper()
	dir := t.TempDir()
	random := rand.New(rand.NewSource(1))
	content := map[string][]byte{}
	ops := []redoxfs.Op{{Op: redoxfs.OpDir, Path: "/d", Mode: ptr[uint16](0o750), UID: ptr[uint32](7), GID: ptr[uint32](8), MTime: ptr[uint64](9)}}
	for name, size := range map[string]int{"empty": 0, "inline": 300, "small": 5000, "record": 128 << 10, "large": 3_000_001} {
		b := make([]byte, size)
		random.Read(b)
		content["/d/"+name] = b
	}
	content["/d/text"] = bytes.Repeat([]byte("all work and no play\n"), 50_000)
	content["/d/zero"] = make([]byte, 400_000)
	for p, b := range content {
		host := filepath.Join(dir, filepath.Base(p))
		if err := os.WriteFile(host, b, 0o600); err != nil {
			t.Fatal(err)
		}
		ops = append(ops, redoxfs.Op{Op: redoxfs.OpFile, Path: p, From: host, Mode: ptr[uint16](0o4711)})
	}
	ops = append(ops, redoxfs.Op{Op: redoxfs.OpLink, Path: "/d/link", Target: "../d/large"})
	return ops, content
}

func apply(t *testing.T, v redoxfs.Volume, ops ...redoxfs.Op) {
	t.Helper()
	if _, err := v.Apply(t.Context(), ops, redoxfs.ApplyOptions{Parents: true}); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, v redoxfs.Volume) redoxfs.Report {
	t.Helper()
	r, err := v.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWriteAndRead(t *testing.T) {
	v := newVolume(t, 16)
	ops, content := sample(t)
	apply(t, v, ops...)
	if r := verify(t, v); r.Leaked != 0 || r.Files != int64(len(content))+1 {
		t.Errorf("report %+v", r)
	}
	nodes, err := v.Tree(t.Context(), "/d", true)
	if err != nil {
		t.Fatal(err)
	}
	if n := nodes[0]; n.Path != "/d" || n.Type != "dir" || n.Mode != 0o750 || n.UID != 7 || n.GID != 8 || n.MTime != 9 {
		t.Errorf("directory %+v", n)
	}
	for _, n := range nodes[1:] {
		want, isFile := content[n.Path]
		sum := sha256.Sum256(want)
		switch {
		case n.Path == "/d/link":
			if n.Type != "link" || n.Target != "../d/large" {
				t.Errorf("link %+v", n)
			}
		case !isFile || n.Size != int64(len(want)) || n.SHA256 != hex.EncodeToString(sum[:]) || n.Mode != 0o4711 || n.UID != 0:
			t.Errorf("file %+v", n)
		}
		var got bytes.Buffer
		if isFile {
			if err := v.Cat(t.Context(), n.Path, &got); err != nil || !bytes.Equal(got.Bytes(), want) {
				t.Errorf("cat %s: %d bytes, %v", n.Path, got.Len(), err)
			}
		}
	}
	to := filepath.Join(t.TempDir(), "copy")
	if _, err := v.Get(t.Context(), "/d", to); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(to, "link"))
	if err != nil && !os.IsNotExist(err) || len(got) > 0 && !bytes.Equal(got, content["/d/large"]) {
		t.Errorf("copy: %d bytes, %v", len(got), err)
	}
	if info, err := os.Stat(filepath.Join(to, "small")); err != nil || info.Mode().Perm() != 0o711 {
		t.Errorf("copy: %v %v", info, err)
	}
}

// Files removed and replaced give everything back that they took, and a failed list changes no byte.
func TestNothingLeaks(t *testing.T) {
	v := newVolume(t, 16)
	ops, _ := sample(t)
	for range 3 {
		apply(t, v, ops...)
		apply(t, v, ops...) // over the old files
		if err := v.Rm(t.Context(), "/d", true); err != nil {
			t.Fatal(err)
		}
	}
	if r := verify(t, v); r.Leaked != 0 || r.Files != 0 {
		t.Errorf("report %+v", r)
	}
}

func TestSameInputSameBytes(t *testing.T) {
	ops, _ := sample(t)
	sums := map[string]bool{}
	for range 2 {
		v := newVolume(t, 16)
		// Flushed in pieces and at once is the same to a reader but not the same bytes; each is deterministic.
		if _, err := v.Apply(t.Context(), ops, redoxfs.ApplyOptions{FlushMiB: 1, Parents: true}); err != nil {
			t.Fatal(err)
		}
		sums[fileSum(t, v.Image)] = true
		time.Sleep(20 * time.Millisecond)
	}
	if len(sums) != 1 {
		t.Error("two images of the same input differ")
	}
}

func fileSum(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Thousands of names make the directory a tree of several levels.
func TestManyNames(t *testing.T) {
	v := newVolume(t, 64)
	var ops []redoxfs.Op
	for i := range 6000 {
		ops = append(ops, redoxfs.Op{Op: redoxfs.OpFile, Path: "/many/" + strings.Repeat("n", i%200) + string(rune('a'+i%26)) + hex.EncodeToString([]byte{byte(i), byte(i >> 8)}), Text: ptr("x")})
	}
	apply(t, v, ops...)
	nodes, err := v.List(t.Context(), "/many")
	if err != nil || len(nodes) != len(ops) {
		t.Fatalf("%d entries, %v", len(nodes), err)
	}
	verify(t, v)
	if err := v.Rm(t.Context(), "/many", true); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, v); r.Leaked != 0 {
		t.Errorf("report %+v", r)
	}
}

func TestRefused(t *testing.T) {
	v := newVolume(t, 4)
	apply(t, v,
		redoxfs.Op{Op: redoxfs.OpFile, Path: "/dir/file", Text: ptr("x")},
		redoxfs.Op{Op: redoxfs.OpLink, Path: "/link", Target: "dir"})
	huge := filepath.Join(t.TempDir(), "huge")
	b := make([]byte, 5<<20)
	rand.New(rand.NewSource(1)).Read(b)
	if err := os.WriteFile(huge, b, 0o600); err != nil {
		t.Fatal(err)
	}
	file := func(p string) redoxfs.Op { return redoxfs.Op{Op: redoxfs.OpFile, Path: p, Text: ptr("y")} }
	tests := []struct {
		name string
		op   redoxfs.Op
		want redoxfs.Kind
	}{
		{"path through a link", file("/link/file"), redoxfs.Link},
		{"onto a link", file("/link"), redoxfs.Link},
		{"below a file", file("/dir/file/x"), redoxfs.NotDirectory},
		{"onto a directory", file("/dir"), redoxfs.IsDirectory},
		{"253 bytes", file("/" + strings.Repeat("n", 253)), redoxfs.Name},
		{"colon", file("/a:b"), redoxfs.Name},
		{"dots", file("/dir/../x"), redoxfs.Name},
		{"empty part", file("/dir//x"), redoxfs.Name},
		{"the root", redoxfs.Op{Op: redoxfs.OpRemove, Path: "/", Recursive: true}, redoxfs.Name},
		{"not empty", redoxfs.Op{Op: redoxfs.OpRemove, Path: "/dir"}, redoxfs.NotEmpty},
		{"not there", redoxfs.Op{Op: redoxfs.OpRemove, Path: "/nope"}, redoxfs.NotFound},
		{"mode of nothing", redoxfs.Op{Op: redoxfs.OpMeta, Path: "/nope", Mode: ptr[uint16](0)}, redoxfs.NotFound},
		{"full", redoxfs.Op{Op: redoxfs.OpFile, Path: "/huge", From: huge}, redoxfs.Full},
		{"no such host file", redoxfs.Op{Op: redoxfs.OpFile, Path: "/x", From: huge + "x"}, redoxfs.IO},
		{"unknown operation", redoxfs.Op{Op: "paint", Path: "/x"}, redoxfs.Usage},
		{"no content", redoxfs.Op{Op: redoxfs.OpFile, Path: "/x"}, redoxfs.Usage},
	}
	before := fileSum(t, v.Image)
	for _, tt := range tests {
		// An operation that would succeed comes first: it must not be kept either.
		_, err := v.Apply(t.Context(), []redoxfs.Op{file("/first"), tt.op}, redoxfs.ApplyOptions{Parents: true})
		if redoxfs.KindOf(err) != tt.want {
			t.Errorf("%s: %v (%s), want %s", tt.name, err, redoxfs.KindOf(err), tt.want)
		}
		if fileSum(t, v.Image) != before {
			t.Fatalf("%s: the image was changed", tt.name)
		}
	}
	if err := v.Mkdir(t.Context(), "/"+strings.Repeat("n", 252), 0o700); err != nil {
		t.Errorf("252 bytes: %v", err)
	}
}

// At a generation that is a multiple of 1024 the crate writes when it is only asked to read, and the boot loader panics. Slot
// 0 of the header ring, where that looks, holds multiples of 256.
func TestGenerationBoots(t *testing.T) {
	v := newVolume(t, 4)
	for i := range 9 {
		apply(t, v, redoxfs.Op{Op: redoxfs.OpFile, Path: "/f", Text: ptr(strings.Repeat("x", i))})
		if s, err := v.Df(t.Context()); err != nil || s.Generation%256 != 0 || s.Generation%1024 == 0 {
			t.Errorf("generation %d, %v", s.Generation, err)
		}
	}
}

// patch writes bytes into the file system, counted from its begin.
func patch(t *testing.T, v redoxfs.Volume, at int64, b ...byte) {
	t.Helper()
	f, err := os.OpenFile(v.Image, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(b, v.Offset+at)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestDamage(t *testing.T) {
	tests := []struct {
		name   string
		damage func(*testing.T, redoxfs.Volume)
		want   redoxfs.Kind
		verify bool // only verify has to notice
	}{
		{"truncated", func(t *testing.T, v redoxfs.Volume) {
			if err := os.Truncate(v.Image, v.Offset+v.Length-4096); err != nil {
				t.Fatal(err)
			}
		}, redoxfs.Truncated, false},
		{"other version", func(t *testing.T, v redoxfs.Volume) { patch(t, v, 8, 7) }, redoxfs.Version, false},
		{"header", func(t *testing.T, v redoxfs.Volume) { patch(t, v, 100, 1, 2, 3, 4) }, redoxfs.Corrupt, false},
		{"signature", func(t *testing.T, v redoxfs.Volume) { patch(t, v, 0, 'X') }, redoxfs.NotRedoxFS, false},
		// The encrypted copy of the header's hash lies before the hash, which does not cover it.
		{"encrypted", func(t *testing.T, v redoxfs.Volume) { patch(t, v, 4096-24, 0xaa, 0xbb) }, redoxfs.Encrypted, false},
		{"something in an unused header slot", func(t *testing.T, v redoxfs.Volume) { patch(t, v, 5*4096, 1) }, redoxfs.Corrupt, true},
		{"data block", func(t *testing.T, v redoxfs.Volume) {
			b, err := os.ReadFile(v.Image)
			if err != nil {
				t.Fatal(err)
			}
			at := bytes.Index(b, []byte("NEEDLE"))
			if at < 0 {
				t.Fatal("the content is not in the image")
			}
			patch(t, v, int64(at)-v.Offset, 'n')
		}, redoxfs.Corrupt, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVolume(t, 4)
			apply(t, v, redoxfs.Op{Op: redoxfs.OpFile, Path: "/f", Text: ptr("NEEDLE")})
			tt.damage(t, v)
			if _, err := v.Verify(t.Context()); redoxfs.KindOf(err) != tt.want {
				t.Errorf("verify: %v (%s), want %s", err, redoxfs.KindOf(err), tt.want)
			}
			if _, err := v.Df(t.Context()); !tt.verify && redoxfs.KindOf(err) != tt.want {
				t.Errorf("df: %v", err)
			}
		})
	}
}

// Any flipped byte in use is noticed, whatever it belongs to.
func TestEveryBlockIsChecked(t *testing.T) {
	v := newVolume(t, 4)
	ops, _ := sample(t)
	apply(t, v, ops[0], redoxfs.Op{Op: redoxfs.OpFile, Path: "/d/e/f", Text: ptr("some text")})
	whole, err := os.ReadFile(v.Image)
	if err != nil {
		t.Fatal(err)
	}
	r := verify(t, v)
	noticed := int64(0)
	for at := v.Offset; at < v.Offset+v.Length; at += 4096 {
		if bytes.Equal(whole[at:at+4096], make([]byte, 4096)) {
			continue
		}
		patch(t, v, at-v.Offset+50, whole[at+50]^1)
		if _, err := v.Verify(t.Context()); err != nil {
			noticed++
		}
		patch(t, v, at-v.Offset+50, whole[at+50])
	}
	if want := r.Blocks + 1; noticed != want { // and the header
		t.Errorf("%d damaged blocks noticed of %d in use", noticed, want)
	}
}

func TestCancel(t *testing.T) {
	v := newVolume(t, 4)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := v.Df(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// script is a volume whose tool is a shell script.
func script(t *testing.T, text string) redoxfs.Volume {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "tool")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return redoxfs.Volume{Tool: tool, Image: "x"}
}

// A tool that is ended while it works has failed for the reason that it was ended for.
func TestCancelInTheMiddle(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := script(t, "exec /bin/sleep 60").Df(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// A tool that breaks down says so in words that are no message of ours.
func TestToolBreaksDown(t *testing.T) {
	for text, want := range map[string]string{
		"echo thread main panicked >&2; echo at x >&2; exit 101": "exit status 101: thread main panicked at x",
		"exit 3":         "df: exit status 3",
		"echo no answer": `answer "no answer\n"`,
	} {
		_, err := script(t, text).Df(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || redoxfs.KindOf(err) != "" {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// What lies behind the volume is another partition.
func TestStaysInItsPlace(t *testing.T) {
	v := newVolume(t, 4)
	image, err := os.ReadFile(v.Image)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(image[:v.Offset], make([]byte, v.Offset)) || !bytes.Equal(image[v.Offset+v.Length:], make([]byte, 1<<20)) {
		t.Error("written outside")
	}
	if s, err := v.Df(t.Context()); err != nil || s.Size > v.Length {
		t.Errorf("%d of %d bytes, %v", s.Size, v.Length, err)
	}
}

func TestToolIsMissing(t *testing.T) {
	v := redoxfs.Volume{Tool: filepath.Join(t.TempDir(), "no-tool"), Image: "x"}
	if _, err := v.Df(t.Context()); err == nil || redoxfs.KindOf(err) != "" {
		t.Errorf("error %v", err)
	}
}

func TestProgress(t *testing.T) {
	v := newVolume(t, 16)
	var ops []redoxfs.Op
	for i := range 600 {
		ops = append(ops, redoxfs.Op{Op: redoxfs.OpDir, Path: "/d" + hex.EncodeToString([]byte{byte(i), byte(i >> 8)})})
	}
	var seen []int64
	done, err := v.Apply(t.Context(), ops, redoxfs.ApplyOptions{Progress: func(a redoxfs.Applied) { seen = append(seen, a.Entries) }})
	if err != nil || done.Entries != 600 {
		t.Fatal(done, err)
	}
	if diff := cmp.Diff([]int64{256, 512}, seen); diff != "" {
		t.Error(diff)
	}
}

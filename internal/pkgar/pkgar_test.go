package pkgar

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zeros and counting are "random" sources for keys that are the same in every run.
type counting byte

func (c counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c) + byte(i)
	}
	return len(p), nil
}

func testKey(t testing.TB, n byte) SecretKey {
	t.Helper()
	k, err := GenerateKey(counting(n))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// file is one thing in a test tree: mode 0 is 0644, a mode with ModeSymlink makes data the target.
type file struct {
	path, data string
	mode       fs.FileMode
}

func makeTree(t testing.TB, files ...file) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		name := filepath.Join(dir, f.path)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case f.mode&fs.ModeSymlink != 0:
			err = os.Symlink(f.data, name)
		case f.mode&fs.ModeDir != 0:
			err = os.Mkdir(name, f.mode.Perm())
		default:
			if f.mode == 0 {
				f.mode = 0o644
			}
			if err = os.WriteFile(name, []byte(f.data), 0o600); err == nil {
				err = os.Chmod(name, f.mode)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// listTree describes a tree; folders are listed with a slash.
func listTree(t testing.TB, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, name)
		switch {
		case d.IsDir():
			list = append(list, rel+"/")
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(name)
			if err != nil {
				return err
			}
			list = append(list, rel+" -> "+target)
		default:
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			list = append(list, fmt.Sprintf("%s %v %x", rel, info.Mode(), sha256.Sum256(data)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func sampleTree(t testing.TB) string {
	noise := make([]byte, 1<<20)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	// Something that packs after something that does not: an LZMA2 chunk that goes on with the state before stored chunks.
	large := string(noise) + strings.Repeat("x", 1<<18) + string(noise[:1<<17]) + strings.Repeat("x", 1<<18) + string(noise)
	return makeTree(t,
		file{"b/empty", "", 0},
		file{"b/setuid", "#!", 0o755 | fs.ModeSetuid},
		file{"b.txt", "between b/ and b0", 0o600},
		file{"b0", "zero", 0o444},
		file{"a/deep/er/file", strings.Repeat("some text ", 1000), 0},
		file{"a/link", "../b.txt", fs.ModeSymlink},
		file{"a/dangling", "/nowhere at all", fs.ModeSymlink},
		file{"large", large, 0o755},
		file{"\xff not utf-8 \x01", "odd", 0},
	)
}

// buffer is an io.WriterAt in memory.
type buffer struct{ b []byte }

func (b *buffer) WriteAt(p []byte, off int64) (int, error) {
	if need := int(off) + len(p); need > len(b.b) {
		b.b = append(b.b, make([]byte, need-len(b.b))...)
	}
	return copy(b.b[off:], p), nil
}

// lockedBuffer lets several goroutines write.
type lockedBuffer struct {
	buffer
	lock chan struct{}
}

func (b *lockedBuffer) WriteAt(p []byte, off int64) (int, error) {
	b.lock <- struct{}{}
	defer func() { <-b.lock }()
	return b.buffer.WriteAt(p, off)
}

func create(t testing.TB, dir string, p Packaging) []byte {
	t.Helper()
	out := &lockedBuffer{lock: make(chan struct{}, 1)}
	if _, err := Create(context.Background(), out, dir, CreateOptions{Key: testKey(t, 1), Arch: ArchAArch64, Packaging: p}); err != nil {
		t.Fatal(err)
	}
	return out.b
}

func open(t testing.TB, data []byte) *Archive {
	t.Helper()
	key := testKey(t, 1).Public()
	a, err := Open(bytes.NewReader(data), int64(len(data)), Options{Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var packagings = []Packaging{Raw, LZMA2}

func TestRoundTrip(t *testing.T) {
	dir := sampleTree(t)
	for _, p := range packagings {
		t.Run(p.String(), func(t *testing.T) {
			data := create(t, dir, p)
			a := open(t, data)
			var paths []string
			for _, e := range a.Entries {
				paths = append(paths, e.Path)
			}
			// Byte order per folder: "b" is entered before "b.txt" is seen, unlike with an order of whole paths.
			want := []string{"a/dangling", "a/deep/er/file", "a/link", "b/empty", "b/setuid", "b.txt", "b0", "large", "\xff not utf-8 \x01"}
			if diff := cmp.Diff(want, paths); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
			if !bytes.Equal(a.Head.Marshal(), data[:a.HeadSize()]) {
				t.Error("head is not marshalled to the bytes it was read from")
			}
			n, err := a.Verify(context.Background())
			if err != nil || n < 5<<19 {
				t.Errorf("verify: %d bytes, %v", n, err)
			}
			to := filepath.Join(t.TempDir(), "new", "place")
			result, err := a.Extract(context.Background(), to, ExtractOptions{NoSync: p == Raw})
			if err != nil {
				t.Fatal(err)
			}
			if result.Files != 7 || result.Links != 2 {
				t.Errorf("%d files and %d links, want 7 and 2", result.Files, result.Links)
			}
			if diff := cmp.Diff(listTree(t, dir), listTree(t, to)); diff != "" {
				t.Errorf("extracted (-want +got):\n%s", diff)
			}
			checkNoStage(t, filepath.Dir(to))
		})
	}
}

func checkNoStage(t *testing.T, parent string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(parent, stagePrefix+"*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCreateDeterministic(t *testing.T) {
	first, second := sampleTree(t), sampleTree(t)
	if err := os.Chtimes(filepath.Join(second, "b0"), testTime, testTime); err != nil {
		t.Fatal(err)
	}
	for _, p := range packagings {
		want := create(t, first, p)
		procs := runtime.GOMAXPROCS(1)
		got := create(t, second, p)
		runtime.GOMAXPROCS(procs)
		if !bytes.Equal(want, got) {
			t.Errorf("%v: the same tree in another place gives other bytes with one processor", p)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	long := strings.Repeat("d/", 130)
	for name, c := range map[string]struct {
		files []file
		want  string
	}{
		"long path":      {[]file{{path: long + "f"}}, "has 261 bytes, more than 255"},
		"no permissions": {[]file{{path: "f"}}, "has no permissions"},
		"pipe":           {nil, "neither a file nor a link"},
	} {
		dir := makeTree(t, c.files...)
		switch name {
		case "no permissions":
			if err := os.Chmod(filepath.Join(dir, "f"), 0); err != nil {
				t.Fatal(err)
			}
		case "pipe":
			if err := makePipe(filepath.Join(dir, "p")); err != nil {
				t.Skip(err)
			}
		}
		out := filepath.Join(t.TempDir(), "x.pkgar")
		_, err := CreateFile(context.Background(), out, dir, CreateOptions{Key: testKey(t, 1)})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
		if left, _ := os.ReadDir(filepath.Dir(out)); len(left) > 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
	if _, err := Create(context.Background(), &buffer{}, t.TempDir(), CreateOptions{}); err == nil {
		t.Error("an archive without a key was made")
	}
}

func TestCreateEmpty(t *testing.T) {
	dir := makeTree(t, file{path: "x/y/empty", mode: fs.ModeDir | 0o755})
	for _, p := range packagings {
		out := &lockedBuffer{lock: make(chan struct{}, 1)}
		result, err := Create(context.Background(), out, dir, CreateOptions{Key: testKey(t, 1), Packaging: p})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"x/y/empty"}, result.EmptyDirs); diff != "" {
			t.Errorf("empty folders (-want +got):\n%s", diff)
		}
		if a := open(t, out.b); len(a.Entries) != 0 || len(out.b) != HeaderSize {
			t.Errorf("%d entries, %d bytes", len(a.Entries), len(out.b))
		}
	}
}

// TestFileChanges packs a tree while it changes: an error, never an archive that lies about its contents.
func TestFileChanges(t *testing.T) {
	for _, p := range packagings {
		dir := makeTree(t, file{path: "f", data: "0123456789"})
		tr, err := scanTree(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, data := range []string{"", "0123", "0123456789ab"} {
			if err := os.WriteFile(filepath.Join(dir, "f"), []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
			w := &writer{dir: dir, out: &buffer{}, head: &Head{Header: Header{Count: 1, Packaging: p}, Entries: tr.entries}, lengths: tr.lengths, links: tr.links}
			if p == LZMA2 {
				err = w.writePacked(context.Background())
			} else {
				err = w.writeRaw(context.Background())
			}
			if err == nil || !strings.Contains(err.Error(), "changed its length") {
				t.Errorf("%v, %d bytes: error %v", p, len(data), err)
			}
		}
	}
}

func TestWriteEntry(t *testing.T) {
	big := strings.Repeat("more than a window of text that repeats itself. ", 200_000)
	dir := makeTree(t, file{path: "big", data: big}, file{path: "link", data: "big", mode: fs.ModeSymlink})
	for _, p := range packagings {
		a := open(t, create(t, dir, p))
		var out bytes.Buffer
		if err := a.WriteEntry(context.Background(), 0, &out); err != nil || out.String() != big {
			t.Errorf("%v: %d bytes, %v", p, out.Len(), err)
		}
		if target, err := a.LinkTarget(context.Background(), 1); err != nil || target != "big" {
			t.Errorf("%v: target %q, %v", p, target, err)
		}
		if _, err := a.LinkTarget(context.Background(), 0); err == nil {
			t.Errorf("%v: a file has a link target", p)
		}
		full := &limitedWriter{left: 100}
		if err := a.WriteEntry(context.Background(), 0, full); !errors.Is(err, errFull) {
			t.Errorf("%v: full output: %v", p, err)
		}
	}
}

var errFull = errors.New("disk full")

type limitedWriter struct{ left int }

func (w *limitedWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

package cas

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"
)

// bytesOf makes n bytes that differ from chunk to chunk.
func bytesOf(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16) ^ seed
	}
	return b
}

// Around every length at which something is done in another way.
var lengths = []int{0, 1, aloneBelow - 1, aloneBelow, chunkSize - 1, chunkSize, chunkSize + 1, 3*chunkSize + aloneBelow}

func TestBlobsOfEveryLengthComeBack(t *testing.T) {
	for _, n := range lengths {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s, want := newStore(t), bytesOf(n, 1)
			d, err := s.Put(t.Context(), bytes.NewReader(want))
			if err != nil || d != DigestBytes(want) {
				t.Fatalf("%v %v", d, err)
			}
			if got, err := s.ReadAll(d); err != nil || !bytes.Equal(got, want) {
				t.Errorf("ReadAll: %d bytes, %v", len(got), err)
			}
			// As the process that wrote it, and as another.
			for _, s := range []*Store{s, reopened(t, s)} {
				var out bytes.Buffer
				if err := s.CopyTo(t.Context(), d, &out); err != nil || !bytes.Equal(out.Bytes(), want) {
					t.Errorf("CopyTo: %d bytes, %v", out.Len(), err)
				}
			}
			file := filepath.Join(t.TempDir(), "f")
			if err := s.PlaceFile(t.Context(), d, file, 0o644); err != nil {
				t.Fatal(err)
			}
			if got, err := DigestFile(file); err != nil || got != d {
				t.Errorf("placed: %v %v", got, err)
			}
		})
	}
}

func reopened(t *testing.T, s *Store) *Store {
	t.Helper()
	other, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// A copy of a large blob is not hashed in the process that wrote it. What was done to the blob since is found all
// the same, by any process, also when size and modification time are as they were.
func TestFlipInALargeBlobIsFoundByCopies(t *testing.T) {
	for _, byOther := range []bool{false, true} {
		for _, hideTime := range []bool{false, true} {
			s := newStore(t)
			d, err := s.Put(t.Context(), bytes.NewReader(bytesOf(2*chunkSize, 1)))
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond) // a change time has the resolution of a kernel tick
			flip(t, s.path(d.Hash), hideTime)
			if byOther {
				s = reopened(t, s)
			}
			var missing *MissingError
			dst := filepath.Join(t.TempDir(), "f")
			if err := s.PlaceFile(t.Context(), d, dst, 0o644); !errors.As(err, &missing) {
				t.Errorf("by another process %v, hidden %v: %v", byOther, hideTime, err)
			}
			if _, err := os.Stat(dst); err == nil {
				t.Error("a damaged copy was placed")
			}
			if s.Has(d) {
				t.Error("the damaged blob is still there")
			}
		}
	}
}

func TestWriterLeavesNothingWithoutCommit(t *testing.T) {
	s := newStore(t)
	w, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bytesOf(chunkSize, 1)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("written after Close: %v", err)
	}
	if _, err := w.Commit(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("committed after Close: %v", err)
	}
	left, _ := os.ReadDir(s.tmpDir())
	if len(left) != 0 || s.Has(DigestBytes(bytesOf(chunkSize, 1))) {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriterCommits(t *testing.T) {
	s := newStore(t)
	for range 2 { // the second time it is there already
		w, err := s.Create()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for _, part := range []string{"some ", "by", "tes"} {
			if _, err := io.WriteString(w, part); err != nil {
				t.Fatal(err)
			}
		}
		d, err := w.Commit()
		if err != nil || d != DigestBytes([]byte("some bytes")) {
			t.Errorf("%v %v", d, err)
		}
		if got, err := s.ReadAll(d); err != nil || string(got) != "some bytes" {
			t.Errorf("%q %v", got, err)
		}
	}
	left, _ := os.ReadDir(s.tmpDir())
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestCopyStopsWithItsContext(t *testing.T) {
	s := newStore(t)
	d, err := s.Put(t.Context(), bytes.NewReader(bytesOf(3*chunkSize, 1)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stop := writerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	})
	for _, s := range []*Store{s, reopened(t, s)} {
		if err := s.CopyTo(ctx, d, stop); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Trees are kept in memory. Whether one is complete is still asked of the disk, and a message known to be lost is.
func TestCompleteLooksAtTheDisk(t *testing.T) {
	s := newStore(t)
	blob, err := s.PutBytes([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	tree := NewTree()
	tree.Entries["a/b/f"] = Entry{Digest: blob}
	root, err := s.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	sub, ok, err := s.Lookup(root, "a")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := os.Remove(s.path(sub.Digest.Hash)); err != nil { // by another process
		t.Fatal(err)
	}
	var missing *MissingError
	if err := s.Complete(root); !errors.As(err, &missing) || missing.Digest != sub.Digest {
		t.Errorf("got %v", err)
	}
	if err := s.Remove(sub.Digest); err != nil {
		t.Fatal(err)
	}
	if _, err := s.LoadTree(root); !errors.As(err, &missing) {
		t.Errorf("a message that this process removed is known: %v", err)
	}
	// Whoever stores the tree again makes it whole.
	if again, err := s.PutTree(tree); err != nil || again != root || s.Complete(root) != nil {
		t.Errorf("%v %v", again, err)
	}
}

// Who changes a Directory that was loaded changes no tree that is loaded later.
func TestLoadedTreesAreNotShared(t *testing.T) {
	s := newStore(t)
	tree := NewTree()
	tree.Entries["f"] = Entry{Digest: DigestBytes([]byte("f"))}
	tree.Entries["g"] = Entry{Digest: DigestBytes([]byte("g"))}
	root, err := s.PutTree(tree)
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.PutTree(NewTree())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.Graft(root, "f", other); err != nil {
			t.Fatal(err)
		}
		dir, err := s.LoadDirectory(root)
		if err != nil {
			t.Fatal(err)
		}
		dir.Files[0].Name = "changed"
		got, err := s.LoadTree(root)
		if err != nil || len(got.Entries) != 2 || got.Entries["f"] != tree.Entries["f"] {
			t.Errorf("%v %v", got, err)
		}
		delete(got.Entries, "f")
	}
}

// A blob that has grown would be written too far: nothing of it may come out, and it is dropped.
func TestGrownBlobIsDropped(t *testing.T) {
	s := newStore(t)
	d, err := s.Put(t.Context(), bytes.NewReader([]byte("text")))
	if err != nil {
		t.Fatal(err)
	}
	path := s.path(d.Hash)
	if err := errors.Join(os.Chmod(path, 0o644), os.WriteFile(path, []byte("text and more"), 0o644)); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := s.CopyTo(t.Context(), d, &out); !errors.As(err, new(*MissingError)) || out.Len() > 0 {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// A stream that was cut is no shorter blob.
func TestCutStreamIsAnError(t *testing.T) {
	s := newStore(t)
	cut := io.MultiReader(bytes.NewReader([]byte("half")), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := s.Put(t.Context(), cut); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

// A power failure may leave a file with the dates that are known and other bytes.
func TestFileThatIsNotWhatIsKnown(t *testing.T) {
	s, path := newStore(t), filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("before"), 0o644); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	stats := OpenStatCache(filepath.Join(t.TempDir(), "stats"))
	stats.fresh[path] = &statEntry{inode: inodeOf(&st), hash: sha256.Sum256([]byte("what was there"))}
	if _, err := s.PutKnownFile(t.Context(), path, stats); !errors.As(err, new(*OtherContentError)) {
		t.Errorf("got %v", err)
	}
}

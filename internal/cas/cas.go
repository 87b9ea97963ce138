// Package cas is the content-addressed store: blobs and Merkle trees named by
// SHA-256, on a local disk.
//
// It owns the on-disk layout of the store, the encoding of trees, and the
// rule that nothing half-written or altered is ever handed out. It must not
// know what the bytes mean: no recipe, no compiler, no action.
//
// The data model is that of the Bazel Remote Execution API v2 (Digest,
// Directory, FileNode, DirectoryNode, SymlinkNode; digest function SHA-256), and
// a Directory is stored as the API's canonical protobuf bytes, so that a
// remote cache is a transport to add and not a second data model.
//
// # How damage is found
//
// A blob is written beside, then renamed into place with mode 0444 and a fixed
// modification time. [Store.Has] compares size and time: whatever was written
// into the file afterwards has moved the time, is hashed again, and is dropped if
// it no longer fits its name. Every read through the store is hashed as well (but for
// copies of what this very process has just hashed, whose inode has not changed), so a
// flip that leaves no trace in the inode is found when the bytes are used, and
// [Store.Verify] finds it at any time. So what a step can make again is not forced to
// stable storage either: after a power failure it is found short or wrong and is made again.
package cas

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/cachefile"
	"github.com/pannous/redox-clif/internal/foldcase"
)

// Digest names a blob: the lower-case hex SHA-256 of its bytes and their count.
// The zero Digest names nothing.
type Digest struct {
	Hash string `json:"hash"`
	Size int64  `json:"size"`
}

// String is "hash/size", the form used in the Remote Execution API's resource names.
func (d Digest) String() string { return d.Hash + "/" + strconv.FormatInt(d.Size, 10) }

// Short is the first 12 hex digits, for people.
func (d Digest) Short() string {
	if len(d.Hash) < 12 {
		return d.Hash
	}
	return d.Hash[:12]
}

// IsZero reports whether d names nothing.
func (d Digest) IsZero() bool { return d.Hash == "" }

// ParseDigest reads the form written by [Digest.String].
func ParseDigest(s string) (Digest, error) {
	h, n, ok := strings.Cut(s, "/")
	size, err := strconv.ParseInt(n, 10, 64)
	if !ok || err != nil || size < 0 || !validHash(h) {
		return Digest{}, fmt.Errorf("%q is not a digest (want 64 hex digits, a slash and a size)", s)
	}
	return Digest{h, size}, nil
}

func validHash(h string) bool {
	if len(h) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(h) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// DigestBytes is the digest of b.
func DigestBytes(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest{hex.EncodeToString(sum[:]), int64(len(b))}
}

// MissingError says that the store does not hold a blob, or held it damaged and dropped it.
// The way out is to run again the action that made it.
type MissingError struct {
	Digest  Digest
	Damaged bool
}

func (e *MissingError) Error() string {
	if e.Damaged {
		return fmt.Sprintf("blob %s was damaged and has been dropped from the cache", e.Digest.Short())
	}
	return fmt.Sprintf("blob %s is not in the cache", e.Digest.Short())
}

// blobTime is the modification time of every intact blob; see the package comment.
var blobTime = time.Unix(1_000_000_000, 0)

// Store is a store on disk. Its methods may be called from any number of
// goroutines and processes at once: a blob appears by rename and never changes.
type Store struct {
	dir string
	// messages are the Directory messages that this process has read or written, by Digest. They are
	// not changed.
	messages sync.Map
	// written are the inodes of the large blobs that this process has hashed while it wrote them, by Digest.
	written sync.Map
	// upstream, when it is set, has blobs that are not here.
	upstream upstreamInUse
	// folds tells whether the file system takes names that differ by case for one. What is laid out lies beside the store. Where a
	// store may only be read it is not asked.
	folds func() bool
}

// Open returns the store in dir and makes its folders when they are missing. A
// store that cannot be written to can still be read: writes then fail with the
// operating system's error.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir}
	s.folds = sync.OnceValue(func() bool {
		folds, err := foldcase.In(s.tmpDir())
		return err == nil && folds
	})
	if err := cachefile.MakeFolder(dir, tmpName); err != nil {
		if _, statErr := os.Stat(dir); statErr == nil && (errors.Is(err, fs.ErrPermission) || isReadOnly(err)) {
			return s, nil
		}
		return nil, fmt.Errorf("opening the cache %s: %w", dir, err)
	}
	return s, nil
}

// Dir is the folder of the store.
func (s *Store) Dir() string { return s.dir }

// Names of folders in a store.
const (
	tmpName   = "tmp"
	blobsName = "sha256"
)

func (s *Store) tmpDir() string { return filepath.Join(s.dir, tmpName) }

func (s *Store) path(hash string) string {
	return filepath.Join(s.dir, blobsName, hash[:2], hash)
}

// Has reports whether the store holds an intact blob, as far as the inode tells.
func (s *Store) Has(d Digest) bool {
	if !validHash(d.Hash) {
		return false
	}
	info, err := cachefile.Stat(s.path(d.Hash))
	if err != nil || info.Size() != d.Size {
		return false
	}
	if info.ModTime().Equal(blobTime) {
		return true
	}
	return s.recheck(d)
}

// recheck hashes a blob whose inode was touched: it mends the time or drops the blob.
func (s *Store) recheck(d Digest) bool {
	path := s.path(d.Hash)
	got, err := digestBlob(path)
	if err != nil {
		return false
	}
	if got != d {
		_ = os.Remove(path)
		return false
	}
	_ = os.Chtimes(path, blobTime, blobTime)
	return true
}

// PutBytes stores b.
func (s *Store) PutBytes(b []byte) (Digest, error) {
	d := DigestBytes(b)
	if s.Has(d) {
		return d, nil
	}
	return s.put(context.Background(), bytes.NewReader(b), false)
}

// Put stores everything r gives. The blob is on stable storage before it has its name.
func (s *Store) Put(ctx context.Context, r io.Reader) (Digest, error) {
	return s.put(ctx, r, true)
}

// put leaves out the fsync for what can be made again: every read is verified, so after a power
// failure such a blob is found missing, not wrong.
func (s *Store) put(ctx context.Context, r io.Reader, durable bool) (Digest, error) {
	w, err := s.Create()
	if err != nil {
		return Digest{}, err
	}
	defer func() { _ = w.Close() }() // committed, or dropped
	err = eachChunk(ctx, r, func(p []byte) error {
		_, err := w.Write(p)
		return err
	})
	if err != nil {
		return Digest{}, err
	}
	return w.commit(durable)
}

// publish gives a finished file its name. The file is closed last: until then its lock keeps
// Sweep away from it.
func (s *Store) publish(tmp *os.File, d Digest, durable bool) error {
	if err := tmp.Chmod(0o444); err != nil {
		return err
	}
	if durable {
		if err := tmp.Sync(); err != nil {
			return err
		}
	}
	if err := os.Chtimes(tmp.Name(), blobTime, blobTime); err != nil {
		return err
	}
	path := s.path(d.Hash)
	if err := cachefile.MakeFolder(s.dir, filepath.Join(blobsName, d.Hash[:2])); err != nil {
		return err
	}
	if err := cachefile.Rename(tmp.Name(), path); err != nil {
		return err
	}
	if d.Size >= chunkSize {
		if now, err := inodeOfOpen(tmp); err == nil {
			s.written.Store(d, now)
		}
	}
	if err := tmp.Close(); err != nil {
		s.written.Delete(d)
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// isOurs tells whether a blob is one that this process has written, and nothing was done to it since.
func (s *Store) isOurs(d Digest, f *os.File) bool {
	then, ok := s.written.Load(d)
	if !ok {
		return false
	}
	now, err := inodeOfOpen(f)
	return err == nil && now == then.(inode)
}

// PutFile stores the content of a file. A file already held is only read. It is for what a step has made
// and can make again: in place of waiting for the disk (some 20 ms for each file of a busy one), a
// power failure within the half minute after may cost the step once more. [Store.Put] waits.
func (s *Store) PutFile(ctx context.Context, path string) (Digest, error) {
	return s.putFile(ctx, path, nil, false)
}

// PutKnownFile is PutFile, without reading a file that stats knows and the store has.
func (s *Store) PutKnownFile(ctx context.Context, path string, stats *StatCache) (Digest, error) {
	return s.putFile(ctx, path, stats, false)
}

func (s *Store) putFile(ctx context.Context, path string, stats *StatCache, durable bool) (Digest, error) {
	d, err := stats.DigestFile(path)
	if err != nil {
		return Digest{}, err
	}
	if s.Has(d) {
		return d, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return Digest{}, err
	}
	defer f.Close()
	got, err := s.put(ctx, f, durable)
	if err == nil && got != d {
		err = &OtherContentError{Path: path}
	}
	return got, err
}

// OtherContentError says that a file is not what it was when its digest was taken: it was written meanwhile, or
// a power failure took its content and left its dates.
type OtherContentError struct{ Path string }

func (e *OtherContentError) Error() string {
	return e.Path + " is not what it was when its digest was taken"
}

// ReadAll returns a blob's bytes, verified. A damaged blob is dropped and reported
// as a [MissingError].
func (s *Store) ReadAll(d Digest) ([]byte, error) {
	if !validHash(d.Hash) {
		return nil, &MissingError{Digest: d}
	}
	b, err := cachefile.Read(s.path(d.Hash))
	if errors.Is(err, fs.ErrNotExist) && s.bring(d) {
		b, err = cachefile.Read(s.path(d.Hash))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &MissingError{Digest: d}
	}
	if errors.Is(err, unix.EIO) {
		return nil, s.drop(d) // the disk has lost it
	}
	if err != nil {
		return nil, fmt.Errorf("reading the cache: %w", err)
	}
	if DigestBytes(b) != d {
		return nil, s.drop(d)
	}
	return b, nil
}

// CopyTo writes a blob's bytes to w and verifies them on the way. When it returns
// a [MissingError] with Damaged set, what reached w must be thrown away.
func (s *Store) CopyTo(ctx context.Context, d Digest, w io.Writer) error {
	if !validHash(d.Hash) {
		return &MissingError{Digest: d}
	}
	f, err := cachefile.Open(s.path(d.Hash))
	if errors.Is(err, fs.ErrNotExist) && s.bring(d) {
		f, err = cachefile.Open(s.path(d.Hash))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return &MissingError{Digest: d}
	}
	if err != nil {
		return fmt.Errorf("reading the cache: %w", err)
	}
	defer f.Close()
	// What has grown would be written too far before its hash shows it.
	if info, err := f.Stat(); err == nil && info.Size() != d.Size {
		return s.drop(d)
	}
	if s.isOurs(d, f) {
		return eachChunk(ctx, f, func(p []byte) error {
			_, err := w.Write(p)
			return err
		})
	}
	h := sha256.New()
	from := &blobReader{file: f}
	if err := eachChunk(ctx, from, func(p []byte) error { return hashAndWrite(h, w, p) }); err != nil {
		if from.lost {
			return s.drop(d)
		}
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != d.Hash {
		return s.drop(d)
	}
	return nil
}

// blobReader tells what the disk has lost from what cannot be written.
type blobReader struct {
	file *os.File
	lost bool
}

func (r *blobReader) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	r.lost = r.lost || errors.Is(err, unix.EIO)
	return n, err
}

// Path is where an intact blob lies, for readers that check what they read themselves. Nobody may write there.
func (s *Store) Path(d Digest) (string, error) {
	if !s.Has(d) && !s.bring(d) {
		return "", &MissingError{Digest: d}
	}
	return s.path(d.Hash), nil
}

// drop removes a damaged blob and returns the error that says so.
func (s *Store) drop(d Digest) error {
	_ = s.Remove(d)
	return &MissingError{Digest: d, Damaged: true}
}

// Remove deletes a blob; a blob that is not there is no error.
func (s *Store) Remove(d Digest) error {
	s.messages.Delete(d)
	err := os.Remove(s.path(d.Hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Walk calls f with the digest of every blob and its inode. The order is not defined.
func (s *Store) Walk(f func(Digest, fs.FileInfo) error) error {
	root := filepath.Join(s.dir, blobsName)
	return filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) || !validHash(e.Name()) {
			return nil
		}
		if err != nil {
			return err
		}
		return f(Digest{e.Name(), info.Size()}, info)
	})
}

// Verify hashes every blob, drops those that do not fit their names and returns them.
func (s *Store) Verify(ctx context.Context) (damaged []Digest, count int, err error) {
	err = s.Walk(func(d Digest, _ fs.FileInfo) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		count++
		got, err := digestBlob(s.path(d.Hash))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // collected meanwhile
		}
		if err != nil && !errors.Is(err, unix.EIO) {
			return err
		}
		if got.Hash != d.Hash {
			damaged = append(damaged, d)
			return s.Remove(d)
		}
		return nil
	})
	return damaged, count, err
}

// DigestFile is the digest of a file's content.
func DigestFile(path string) (Digest, error) { return digestFile(path) }

// digestFile follows links, and does not wait for whoever writes into a pipe.
func digestFile(path string) (Digest, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return Digest{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return Digest{}, errors.Join(err, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is no file")})
	}
	return hashed(f)
}

func digestBlob(path string) (Digest, error) {
	f, err := cachefile.Open(path)
	if err != nil {
		return Digest{}, err
	}
	defer f.Close()
	return hashed(f)
}

func sum(h hash.Hash, n int64) Digest { return Digest{hex.EncodeToString(h.Sum(nil)), n} }

package cas

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pannous/redox-clif/internal/atomicfile"
	"github.com/pannous/redox-clif/internal/cachefile"
)

// StatCache remembers the digests of files by what the inode says (size, modification
// and change time, inode number), so that an unchanged source tree is not read
// again. As in git's index, an entry is not believed when the file was modified so
// shortly before it was recorded that a later write could carry the same time.
// A nil *StatCache knows nothing and records nothing.
//
// The file is a header line, the generation of the store that has the contents (with its length before it), the number
// of entries, how many there were when gone files were last left out (lengths and numbers are uvarint), the entries, and
// the CRC-32 (IEEE) of all that, little-endian. An entry is the
// path with its length (uvarint) before it, then size, mtime, ctime (nanoseconds), inode number as 8 bytes
// each, little-endian, and the 32 bytes of the SHA-256.
type StatCache struct {
	path string
	// generation is that of the store which has the contents of the captured files; "" when nothing is known of that.
	generation string
	// known is what the file had; it does not change, so that it is read without a lock.
	known  map[string]*statEntry
	pruned int

	mu     sync.Mutex
	fresh  map[string]*statEntry // recorded by this process, over known
	looked []string              // see Looked
}

type statEntry struct {
	inode
	hash [32]byte
	seen atomic.Bool // looked up by this process
}

// inode is what a file is known by.
type inode struct {
	size         int64
	mtime, ctime int64 // nanoseconds
	ino          uint64
}

// racyWindow is how long a file must have been left alone before its entry counts. The
// coarsest clock of the file systems in use (a kernel tick) is far below it.
const racyWindow = 50 * time.Millisecond

const (
	statHeader = "redox-clif stat cache 3\n"
	statFixed  = 4*8 + 32 // bytes of an entry behind its path
	crcSize    = 4
	// pruneFactor is how much an old cache may grow before gone files are looked for in it.
	pruneFactor = 2
	pruneAtMost = 20_000
)

// OpenStatCache reads the cache file; one that is missing, damaged or of another form is an empty cache.
func OpenStatCache(path string) *StatCache {
	c := &StatCache{path: path, fresh: map[string]*statEntry{}}
	if b, err := cachefile.Read(path); err == nil {
		c.known, c.pruned, c.generation = parseStats(b)
	}
	return c
}

// OpenStatCache reads a cache that also says which contents are in the store, see [CaptureOptions.Trusted]. What was
// written for another store, or before something was collected from this one, is an empty cache: a checkout outlives
// its cache, and may be used with two in turn.
func (s *Store) OpenStatCache(path string) *StatCache {
	c := OpenStatCache(path)
	generation := s.generation()
	if c.generation != generation {
		c = &StatCache{path: path, fresh: map[string]*statEntry{}}
	}
	c.generation = generation
	return c
}

// parseStats returns nil for what it cannot read whole.
func parseStats(b []byte) (known map[string]*statEntry, pruned int, generation string) {
	if len(b) < len(statHeader)+crcSize || string(b[:len(statHeader)]) != statHeader {
		return nil, 0, ""
	}
	body := b[:len(b)-crcSize]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(b[len(body):]) {
		return nil, 0, ""
	}
	text := string(body) // the paths are parts of it
	at := len(statHeader)
	number := func() int {
		n, size := binary.Uvarint(body[at:])
		at += max(size, 0)
		return int(min(n, uint64(len(body))))
	}
	n := number()
	if at+n > len(body) {
		return nil, 0, ""
	}
	generation = text[at : at+n]
	at += n
	count := number()
	pruned = number()
	known = make(map[string]*statEntry, count)
	entries := make([]statEntry, count)
	for i := range entries {
		n := number()
		if at+n+statFixed > len(body) {
			return nil, 0, ""
		}
		path, fixed := text[at:at+n], body[at+n:]
		at += n + statFixed
		e := &entries[i]
		e.size, e.mtime = int64(binary.LittleEndian.Uint64(fixed)), int64(binary.LittleEndian.Uint64(fixed[8:]))
		e.ctime, e.ino = int64(binary.LittleEndian.Uint64(fixed[16:])), binary.LittleEndian.Uint64(fixed[24:])
		copy(e.hash[:], fixed[32:])
		known[path] = e
	}
	return known, pruned, generation
}

// Save writes the cache when it has something new. Files that are gone are left out now and then: looking
// for them costs a system call each.
func (c *StatCache) Save() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.fresh) == 0 {
		return nil
	}
	all := make(map[string]*statEntry, len(c.known)+len(c.fresh))
	for _, from := range []map[string]*statEntry{c.known, c.fresh} {
		for path, e := range from {
			all[path] = e
		}
	}
	if len(all) > pruneFactor*c.pruned && c.pruned > 0 || len(all) > c.pruned+pruneAtMost {
		for path, e := range all {
			if _, err := os.Lstat(path); err != nil && !e.seen.Load() {
				delete(all, path)
			}
		}
		c.pruned = len(all)
	} else if c.pruned == 0 {
		c.pruned = len(all)
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(c.path, c.marshal(all), 0o644); err != nil {
		return err
	}
	c.known, c.fresh = all, map[string]*statEntry{}
	return nil
}

func (c *StatCache) marshal(all map[string]*statEntry) []byte {
	paths := make([]string, 0, len(all))
	for path := range all {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	var b bytes.Buffer
	b.WriteString(statHeader)
	scratch := make([]byte, 0, 64)
	number := func(n int) { b.Write(binary.AppendUvarint(scratch, uint64(n))) }
	text := func(s string) {
		number(len(s))
		b.WriteString(s)
	}
	text(c.generation)
	number(len(paths))
	number(c.pruned)
	for _, path := range paths {
		e := all[path]
		text(path)
		for _, v := range []uint64{uint64(e.size), uint64(e.mtime), uint64(e.ctime), e.ino} {
			b.Write(binary.LittleEndian.AppendUint64(scratch, v))
		}
		b.Write(e.hash[:])
	}
	return binary.LittleEndian.AppendUint32(b.Bytes(), crc32.ChecksumIEEE(b.Bytes()))
}

// Looked are the paths that this process has read folders from with the help of the cache, or asked the cache for: folders, and the files and links in them.
// One may be there twice.
func (c *StatCache) Looked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.looked)
}

// Note adds to what [StatCache.Looked] tells.
func (c *StatCache) Note(paths ...string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.looked = append(c.looked, paths...)
}

// Knows tells whether the cache has the digest of a file as it is now.
func (c *StatCache) Knows(path string) bool {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return false
	}
	_, ok := c.lookup(path, inodeOf(&st))
	return ok
}

// DigestFile is the digest of a file's content, without reading it when the cache knows it.
func (c *StatCache) DigestFile(path string) (Digest, error) {
	c.Note(path)
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return Digest{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	now := inodeOf(&st)
	if d, ok := c.lookup(path, now); ok {
		return d, nil
	}
	d, err := digestFile(path)
	if err == nil {
		c.record(path, now, d)
	}
	return d, err
}

func (c *StatCache) lookup(path string, now inode) (Digest, bool) {
	if c == nil {
		return Digest{}, false
	}
	if e := c.known[path]; e != nil && e.inode == now {
		e.seen.Store(true)
		return e.digest(), true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.fresh[path]; e != nil && e.inode == now {
		return e.digest(), true
	}
	return Digest{}, false
}

func (e *statEntry) digest() Digest { return Digest{hex.EncodeToString(e.hash[:]), e.size} }

func (c *StatCache) record(path string, now inode, d Digest) {
	if c == nil || d.Size != now.size || time.Since(time.Unix(0, max(now.mtime, now.ctime))) < racyWindow {
		return
	}
	e := &statEntry{inode: now}
	e.seen.Store(true)
	if n, err := hex.Decode(e.hash[:], []byte(d.Hash)); err != nil || n != len(e.hash) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fresh[path] = e
}

func inodeOfOpen(f *os.File) (inode, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return inodeOf(&st), err
}

func inodeOf(st *unix.Stat_t) inode {
	return inode{size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(), ino: st.Ino}
}

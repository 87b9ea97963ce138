package cas

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
// Of folders it remembers the names in them, by the same rule: what is put into a folder, taken out or renamed changes the folder's times.
//
// The file is a header line, the generation of the store that has the contents (with its length before it), the number
// of entries, how many there were when gone files were last left out (lengths and numbers are uvarint), the entries, the number of folders, these, and
// the CRC-32 (IEEE) of all that, little-endian. An entry is the
// path with its length (uvarint) before it, then size, mtime, ctime (nanoseconds), inode number as 8 bytes
// each, little-endian, and the 32 bytes of the SHA-256. A folder is an entry of its own, with the SHA-256 of its message, then the
// size of that, the number of names, and for each the name, a byte for its kind and a link's target.
type StatCache struct {
	path string
	// generation is that of the store which has the contents of the captured files; "" when nothing is known of that.
	generation string
	// known is what the file had; it does not change, so that it is read without a lock.
	known   map[string]*statEntry
	folders map[string]*folderEntry // as known
	pruned  int

	mu           sync.Mutex
	fresh        map[string]*statEntry // recorded by this process, over known
	freshFolders map[string]*folderEntry
	looked       []string // see Looked
}

// folderEntry is a folder that was stored by [Store.PutFolder].
type folderEntry struct {
	statEntry         // its own inode, and the hash of its message
	messageSize int64 // bytes
	names       []name
}

// name is something in a folder.
type name struct {
	name string
	kind nameKind
	link string // the target of a link; "" when it has not been read
}

// nameKind is what something in a folder is.
type nameKind byte

const (
	aFile nameKind = iota
	aFolder
	aLink
	aStranger // a device, a socket, a pipe
)

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
	statHeader = "redox-clif stat cache 4\n"
	statFixed  = 4*8 + 32 // bytes of an entry behind its path
	crcSize    = 4
	// pruneFactor is how much an old cache may grow before gone files are looked for in it.
	pruneFactor = 2
	pruneAtMost = 20_000
)

// OpenStatCache reads the cache file; one that is missing, damaged or of another form is an empty cache.
func OpenStatCache(path string) *StatCache {
	c := emptyStats(path)
	if b, err := cachefile.Read(path); err == nil {
		c.parse(b)
	}
	return c
}

func emptyStats(path string) *StatCache {
	return &StatCache{path: path, fresh: map[string]*statEntry{}, freshFolders: map[string]*folderEntry{}}
}

// OpenStatCache reads a cache that also says which contents are in the store, see [CaptureOptions.Trusted]. What was
// written for another store, or before something was collected from this one, is an empty cache: a checkout outlives
// its cache, and may be used with two in turn.
func (s *Store) OpenStatCache(path string) *StatCache {
	c := OpenStatCache(path)
	generation := s.generation()
	if c.generation != generation {
		c = emptyStats(path)
	}
	c.generation = generation
	return c
}

// parse reads a cache file; of one that cannot be read whole it takes nothing.
func (c *StatCache) parse(b []byte) {
	if len(b) < len(statHeader)+crcSize || string(b[:len(statHeader)]) != statHeader {
		return
	}
	body := b[:len(b)-crcSize]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(b[len(body):]) {
		return
	}
	in := &statReader{body: body, text: string(body), at: len(statHeader)} // the paths are parts of it
	generation := in.string()
	entries := make([]statEntry, in.number())
	pruned := in.number()
	known := make(map[string]*statEntry, len(entries))
	for i := range entries {
		known[in.string()] = in.entry(&entries[i])
	}
	folders := make([]folderEntry, in.number())
	byPath := make(map[string]*folderEntry, len(folders))
	for i := range folders {
		byPath[in.string()] = in.folder(&folders[i])
	}
	if !in.short {
		c.generation, c.pruned, c.known, c.folders = generation, pruned, known, byPath
	}
}

// statReader takes a cache file apart. It is short when more was asked for than there is.
type statReader struct {
	body  []byte
	text  string
	at    int
	short bool
}

func (r *statReader) uvarint() uint64 {
	n, size := binary.Uvarint(r.body[r.at:])
	if size <= 0 {
		r.short, r.at = true, len(r.body)
		return 0
	}
	r.at += size
	return n
}

// number counts something that is still to come, and so is at most as large as the rest.
func (r *statReader) number() int {
	n := r.uvarint()
	if n > uint64(len(r.body)-r.at) {
		r.short, r.at = true, len(r.body)
		return 0
	}
	return int(n)
}

// take is where the next n bytes begin; false when there are fewer.
func (r *statReader) take(n int) (int, bool) {
	if n > len(r.body)-r.at {
		r.short, r.at = true, len(r.body)
		return 0, false
	}
	r.at += n
	return r.at - n, true
}

func (r *statReader) string() string {
	n := r.number()
	at, _ := r.take(n)
	if r.short {
		return ""
	}
	return r.text[at : at+n]
}

func (r *statReader) entry(e *statEntry) *statEntry {
	at, ok := r.take(statFixed)
	if !ok {
		return e
	}
	fixed := r.body[at : at+statFixed]
	e.size, e.mtime = int64(binary.LittleEndian.Uint64(fixed)), int64(binary.LittleEndian.Uint64(fixed[8:]))
	e.ctime, e.ino = int64(binary.LittleEndian.Uint64(fixed[16:])), binary.LittleEndian.Uint64(fixed[24:])
	copy(e.hash[:], fixed[32:])
	return e
}

func (r *statReader) folder(f *folderEntry) *folderEntry {
	r.entry(&f.statEntry)
	f.messageSize = int64(r.uvarint())
	f.names = make([]name, r.number())
	for i := range f.names {
		n := &f.names[i]
		n.name = r.string()
		if at, ok := r.take(1); ok {
			n.kind = nameKind(r.body[at])
		}
		if n.kind == aLink {
			n.link = r.string()
		}
	}
	return f
}

// Save writes the cache when it has something new. Files that are gone are left out now and then: looking
// for them costs a system call each.
func (c *StatCache) Save() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.fresh)+len(c.freshFolders) == 0 {
		return nil
	}
	all, folders := joined(c.known, c.fresh), joined(c.folders, c.freshFolders)
	if len(all) > pruneFactor*c.pruned && c.pruned > 0 || len(all) > c.pruned+pruneAtMost {
		maps.DeleteFunc(all, func(path string, e *statEntry) bool { return e.isGone(path) })
		maps.DeleteFunc(folders, func(path string, f *folderEntry) bool { return f.isGone(path) })
		c.pruned = len(all)
	} else if c.pruned == 0 {
		c.pruned = len(all)
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return err
	}
	if err := atomicfile.Write(c.path, c.marshal(all, folders), 0o644); err != nil {
		return err
	}
	c.known, c.fresh = all, map[string]*statEntry{}
	c.folders, c.freshFolders = folders, map[string]*folderEntry{}
	return nil
}

// joined is one map over another.
func joined[T any](under, over map[string]T) map[string]T {
	all := make(map[string]T, len(under)+len(over))
	maps.Copy(all, under)
	maps.Copy(all, over)
	return all
}

// isGone asks only for what this process has not seen.
func (e *statEntry) isGone(path string) bool {
	if e.seen.Load() {
		return false
	}
	_, err := os.Lstat(path)
	return err != nil
}

func (c *StatCache) marshal(all map[string]*statEntry, folders map[string]*folderEntry) []byte {
	var b bytes.Buffer
	b.WriteString(statHeader)
	scratch := make([]byte, 0, 64)
	number := func(n int) { b.Write(binary.AppendUvarint(scratch, uint64(n))) }
	text := func(s string) {
		number(len(s))
		b.WriteString(s)
	}
	entry := func(path string, e *statEntry) {
		text(path)
		for _, v := range []uint64{uint64(e.inode.size), uint64(e.mtime), uint64(e.ctime), e.ino} {
			b.Write(binary.LittleEndian.AppendUint64(scratch, v))
		}
		b.Write(e.hash[:])
	}
	text(c.generation)
	number(len(all))
	number(c.pruned)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		entry(path, all[path])
	}
	number(len(folders))
	for _, path := range slices.Sorted(maps.Keys(folders)) {
		f := folders[path]
		entry(path, &f.statEntry)
		number(int(f.messageSize))
		number(len(f.names))
		for _, n := range f.names {
			text(n.name)
			b.WriteByte(byte(n.kind))
			if n.kind == aLink {
				text(n.link)
			}
		}
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
	if c == nil || d.Size != now.size || now.isYoung() {
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

// namesIn are the names in a folder as it is now; nil when they are not known.
func (c *StatCache) namesIn(path string, now inode) []name {
	if f := c.folder(path); f != nil && f.inode == now {
		return f.names
	}
	return nil
}

func (c *StatCache) folder(path string) *folderEntry {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	f := c.freshFolders[path]
	c.mu.Unlock()
	if f == nil {
		f = c.folders[path]
	}
	if f != nil {
		f.seen.Store(true)
	}
	return f
}

// hasStored tells whether the message of a folder is one that was in the store when it was recorded, see [CaptureOptions.Trusted].
func (c *StatCache) hasStored(path string, message Digest) bool {
	f := c.folder(path)
	return f != nil && c.generation != "" && f.message() == message
}

func (f *folderEntry) message() Digest { return Digest{hex.EncodeToString(f.hash[:]), f.messageSize} }

// recordFolder remembers a folder whose message has been stored. now is from before its names were read.
func (c *StatCache) recordFolder(path string, now inode, names []name, message Digest) {
	if f := c.folder(path); c == nil || f != nil && f.inode == now && f.message() == message || now.isYoung() {
		return
	}
	f := &folderEntry{statEntry: statEntry{inode: now}, messageSize: message.Size, names: names}
	f.seen.Store(true)
	if n, err := hex.Decode(f.hash[:], []byte(message.Hash)); err != nil || n != len(f.hash) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freshFolders[path] = f
}

// isYoung tells whether something was changed so shortly ago that a later change could carry the same time.
func (i inode) isYoung() bool { return time.Since(time.Unix(0, max(i.mtime, i.ctime))) < racyWindow }

func inodeOfOpen(f *os.File) (inode, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(f.Fd()), &st)
	return inodeOf(&st), err
}

func inodeOf(st *unix.Stat_t) inode {
	return inode{size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(), ino: st.Ino}
}

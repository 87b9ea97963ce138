package cas

import (
	"bufio"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
)

// StatCache remembers the digests of files by what the inode says (size, modification
// and change time, inode number), so that an unchanged source tree is not read
// again. As in git's index, an entry is not believed when the file was modified so
// shortly before it was recorded that a later write could carry the same time.
// A nil *StatCache knows nothing and records nothing.
type StatCache struct {
	path  string
	mu    sync.Mutex
	known map[string]statEntry
	seen  map[string]bool // looked up or recorded by this process
	dirty bool
}

type statEntry struct {
	size         int64
	mtime, ctime int64 // nanoseconds
	ino          uint64
	hash         string
}

// racyWindow is how long a file must have been left alone before its entry counts. The
// coarsest clock of the file systems in use (a kernel tick) is far below it.
const racyWindow = 50 * time.Millisecond

const statHeader = "redox-clif stat cache 1"

// OpenStatCache reads the cache file; one that is missing or unreadable is an empty cache.
func OpenStatCache(path string) *StatCache {
	c := &StatCache{path: path, known: map[string]statEntry{}, seen: map[string]bool{}}
	b, err := os.ReadFile(path)
	if err != nil {
		return c
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	lines.Buffer(nil, 1<<20)
	if !lines.Scan() || lines.Text() != statHeader {
		return c
	}
	for lines.Scan() {
		if name, e, ok := parseStatLine(lines.Text()); ok {
			c.known[name] = e
		}
	}
	return c
}

func parseStatLine(line string) (string, statEntry, bool) {
	f := strings.SplitN(line, " ", 6)
	if len(f) != 6 || !validHash(f[0]) {
		return "", statEntry{}, false
	}
	size, err1 := strconv.ParseInt(f[1], 10, 64)
	mtime, err2 := strconv.ParseInt(f[2], 10, 64)
	ctime, err3 := strconv.ParseInt(f[3], 10, 64)
	ino, err4 := strconv.ParseUint(f[4], 10, 64)
	name, err5 := strconv.Unquote(f[5])
	if firstError(err1, err2, err3, err4, err5) != nil {
		return "", statEntry{}, false
	}
	return name, statEntry{size, mtime, ctime, ino, f[0]}, true
}

// Save writes the cache when it changed, without the files that are gone.
func (c *StatCache) Save() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.dirty {
		return nil
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, statHeader)
	names := make([]string, 0, len(c.known))
	for name := range c.known {
		if _, err := os.Lstat(name); err == nil || c.seen[name] {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		e := c.known[name]
		fmt.Fprintf(&b, "%s %d %d %d %d %q\n", e.hash, e.size, e.mtime, e.ctime, e.ino, name)
	}
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return err
	}
	if err := renameio.WriteFile(c.path, b.Bytes(), 0o644, renameio.WithTempDir(filepath.Dir(c.path))); err != nil {
		return err
	}
	c.dirty = false
	return nil
}

// DigestFile is the digest of a file's content, without reading it when the cache knows it.
func (c *StatCache) DigestFile(path string) (Digest, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Digest{}, err
	}
	if d, ok := c.lookup(path, info); ok {
		return d, nil
	}
	d, err := digestFile(path)
	if err == nil {
		c.record(path, info, d)
	}
	return d, err
}

func (c *StatCache) lookup(path string, info fs.FileInfo) (Digest, bool) {
	if c == nil {
		return Digest{}, false
	}
	now, ok := statOf(info)
	if !ok {
		return Digest{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.known[path]
	c.seen[path] = ok
	if !ok || e.size != now.size || e.mtime != now.mtime || e.ctime != now.ctime || e.ino != now.ino {
		return Digest{}, false
	}
	return Digest{e.hash, e.size}, true
}

func (c *StatCache) record(path string, info fs.FileInfo, d Digest) {
	if c == nil || d.Size != info.Size() {
		return
	}
	e, ok := statOf(info)
	if !ok || time.Since(time.Unix(0, max(e.mtime, e.ctime))) < racyWindow {
		return
	}
	e.hash = d.Hash
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[path] = e
	c.seen[path] = true
	c.dirty = true
}

func statOf(info fs.FileInfo) (statEntry, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return statEntry{}, false
	}
	return statEntry{size: info.Size(), mtime: info.ModTime().UnixNano(), ctime: changeTime(st), ino: st.Ino}, true
}

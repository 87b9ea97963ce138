package unchanged

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Seen collects paths that a run looked at. The zero value is empty, a nil *Seen collects nothing; goroutines may share one.
type Seen struct {
	mu      sync.Mutex
	content map[string]bool // true: by its content; false: by owner and mode alone
}

// Content adds absolute paths of files, links and folders whose content the run rests on, and of what was looked for and is not there. Of a link, what
// it leads to belongs to it; of a folder the names in it.
func (s *Seen) Content(paths ...string) { s.add(true, paths) }

// Rights adds absolute paths of which only the owner and the mode count: folders of a cache, in which files come and go.
func (s *Seen) Rights(paths ...string) { s.add(false, paths) }

func (s *Seen) add(content bool, paths []string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.content == nil {
		s.content = map[string]bool{}
	}
	for _, p := range paths {
		s.content[p] = s.content[p] || content
	}
}

// Tree adds a folder with all that is below it.
func (s *Seen) Tree(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			s.Content(path)
		}
		return err
	})
}

// racyWindow is that of package cas: how long something must have been left alone for its times to tell one content from another.
const racyWindow = 50 * time.Millisecond

// look gives what was seen as it is now, in the order of paths.
func (s *Seen) look(began time.Time) ([]thing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []thing
	for path, content := range s.content {
		now := lstat(path)
		if !content {
			all = append(all, thing{path: path, kind: rights, inode: now.rights()})
			continue
		}
		all = append(all, thing{path: path, kind: itself, inode: now})
		ends := now
		if now.isLink() {
			ends = stat(path)
			all = append(all, thing{path: path, kind: target, inode: ends})
		}
		for _, i := range []inode{now, ends} {
			if i == (inode{}) {
				i = nearest(path)
			}
			if i.changed() > began.Add(-racyWindow).UnixNano() {
				return nil, &os.PathError{Op: "record", Path: path, Err: ErrFresh}
			}
		}
	}
	slices.SortFunc(all, compareThings)
	return all, nil
}

// nearest is the folder in which something would be that is not there: had it been there until just now, the folder would have changed. Where a
// link leads nowhere it is that of the link.
func nearest(path string) inode {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if i := stat(dir); i != (inode{}) || dir == filepath.Dir(dir) {
			return i
		}
	}
}

// inode is what stat says of something; all zero when there is nothing.
type inode struct {
	size, mtime, ctime int64 // bytes; nanoseconds
	ino                uint64
	uid, mode          uint32
}

// rights is the part of it that says who may do what.
func (i inode) rights() inode { return inode{ino: i.ino, uid: i.uid, mode: i.mode} }

func (i inode) isLink() bool { return i.mode&unix.S_IFMT == unix.S_IFLNK }

// changed is when it was last changed, in nanoseconds.
func (i inode) changed() int64 { return max(i.mtime, i.ctime) }

// unreadable is what cannot be looked at; it is equal to nothing, see thing.holds.
var unreadable = inode{size: -1}

func lstat(path string) inode { return statAt(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW) }

func stat(path string) inode { return statAt(unix.AT_FDCWD, path, 0) }

func statAt(dir int, name string, flags int) inode {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, flags)
	switch {
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR):
		return inode{}
	case err != nil:
		return unreadable
	}
	return inode{size: st.Size, mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(), ino: st.Ino, uid: st.Uid, mode: uint32(st.Mode)}
}

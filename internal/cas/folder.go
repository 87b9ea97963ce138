package cas

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// PutFolder stores a folder of the disk as a tree and returns its root: what [Store.Capture] and [Store.PutTree] do,
// folder by folder and side by side, without putting all of it together first. A build looks at every source in
// this way, and mostly finds what it knows.
func (s *Store) PutFolder(ctx context.Context, dir string, opt CaptureOptions) (Digest, error) {
	p := &folderPut{capture: &capture{Store: s, opt: opt, root: dir}, free: make(chan struct{}, runtime.GOMAXPROCS(0))}
	root := p.folder(ctx, "")
	if root.err != nil {
		return Digest{}, fmt.Errorf("reading the tree %s: %w", dir, root.err)
	}
	return root.digest, nil
}

// folderPut is one PutFolder.
type folderPut struct {
	*capture
	free chan struct{} // holds one for each goroutine beside the first
}

// storedFolder is a folder that has been stored.
type storedFolder struct {
	digest Digest
	// absent is set for a folder with nothing in it but what is skipped: it is not in the tree. One with nothing in
	// it at all is.
	absent bool
	err    error
}

func (p *folderPut) folder(ctx context.Context, rel string) storedFolder {
	r, err := p.read(ctx, rel)
	if err != nil {
		return storedFolder{err: err}
	}
	for i, sub := range p.below(ctx, rel, r.subs) {
		if sub.err != nil {
			return sub
		}
		if !sub.absent {
			r.message.Dirs = append(r.message.Dirs, DirNode{r.subs[i], sub.digest})
		}
	}
	if r.message.isEmpty() && rel != "" && (r.skipped || len(r.subs) > 0) {
		return storedFolder{absent: true}
	}
	digest, err := p.keep(r)
	return storedFolder{digest: digest, err: err}
}

func (d *Directory) isEmpty() bool { return len(d.Files)+len(d.Symlinks)+len(d.Dirs) == 0 }

// keep stores the message of a folder, unless it is known to be stored.
func (p *folderPut) keep(r *folderRead) (Digest, error) {
	r.message.Sort()
	text := r.message.Marshal()
	digest := DigestBytes(text)
	if !p.opt.Trusted || !p.opt.Stats.hasStored(r.path, digest) {
		if _, err := p.PutBytes(text); err != nil {
			return Digest{}, err
		}
	}
	p.messages.Store(digest, r.message)
	p.opt.Stats.recordFolder(r.path, r.inode, r.names, digest)
	return digest, nil
}

// folderRead is what is in a folder of the disk.
type folderRead struct {
	path    string
	inode   inode // from before the names were read
	names   []name
	message *Directory // without folders
	subs    []string
	skipped bool // something is left out
}

// read reads the files and links of one folder, and the names of those in it.
func (p *folderPut) read(ctx context.Context, rel string) (*folderRead, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &folderRead{path: filepath.Join(p.root, filepath.FromSlash(rel)), message: &Directory{}}
	f, err := openFolder(r.path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	r.inode = f.inode
	if r.names = p.opt.Stats.namesIn(r.path, f.inode); r.names == nil {
		if r.names, err = f.names(); err != nil {
			return nil, err
		}
	}
	looked := append(make([]string, 0, len(r.names)+1), r.path)
	for _, n := range r.names {
		switch {
		case p.opt.leavesOut(path.Join(rel, n.name), n.kind == aFolder, n.kind == aStranger):
			r.skipped = true
		case n.kind == aFolder:
			r.subs = append(r.subs, n.name)
		default:
			path := r.path + string(filepath.Separator) + n.name
			looked = append(looked, path)
			entry, err := p.file(ctx, f.fd, n, path)
			if err != nil {
				return nil, err
			}
			if entry.Link != "" {
				r.message.Symlinks = append(r.message.Symlinks, SymlinkNode{n.name, entry.Link})
			} else {
				r.message.Files = append(r.message.Files, FileNode{n.name, entry.Digest, entry.Executable})
			}
		}
	}
	p.opt.Stats.Note(looked...)
	return r, nil
}

// below stores the folders in a folder, in other goroutines as far as some are free.
func (p *folderPut) below(ctx context.Context, rel string, names []string) []storedFolder {
	done := make([]storedFolder, len(names))
	var others sync.WaitGroup
	for i, name := range names {
		sub := path.Join(rel, name)
		select {
		case p.free <- struct{}{}:
			others.Go(func() {
				done[i] = p.folder(ctx, sub)
				<-p.free
			})
		default:
			done[i] = p.folder(ctx, sub)
		}
	}
	others.Wait()
	return done
}

// openedFolder is a folder that is being read. A name in it is found faster than a path.
type openedFolder struct {
	path string
	fd   int
	inode
}

// openFolder opens a folder without the readiness to wait that an os.File brings, which costs as much again.
func openFolder(path string) (openedFolder, error) {
	f := openedFolder{path: path}
	var st unix.Stat_t
	err := error(unix.EINTR)
	for errors.Is(err, unix.EINTR) { // as a file system on a network may give
		f.fd, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return f, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	if err := unix.Fstat(f.fd, &st); err != nil {
		f.close()
		return f, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	f.inode = inodeOf(&st)
	return f, nil
}

func (f openedFolder) close() { _ = unix.Close(f.fd) } // it was read

// names reads what is in the folder.
func (f openedFolder) names() ([]name, error) {
	twin, err := unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: f.path, Err: err}
	}
	dir := os.NewFile(uintptr(twin), f.path)
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	names := make([]name, len(entries))
	for i, e := range entries {
		if names[i], err = nameOf(f.path, e); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// nameOf is an entry of a folder, with the target of a link.
func nameOf(dir string, e fs.DirEntry) (n name, err error) {
	n = name{name: e.Name(), kind: kindOf(e)}
	if n.kind == aLink {
		n.link, err = os.Readlink(filepath.Join(dir, n.name))
	}
	return n, err
}

func kindOf(e fs.DirEntry) nameKind {
	switch {
	case e.IsDir():
		return aFolder
	case e.Type()&fs.ModeSymlink != 0:
		return aLink
	case e.Type().IsRegular():
		return aFile
	}
	return aStranger
}

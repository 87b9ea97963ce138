package cas

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
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
	dir, subs, skipped, err := p.read(ctx, rel)
	if err != nil {
		return storedFolder{err: err}
	}
	for i, sub := range p.below(ctx, rel, subs) {
		if sub.err != nil {
			return sub
		}
		if !sub.absent {
			dir.Dirs = append(dir.Dirs, DirNode{subs[i], sub.digest})
		}
	}
	nothing := len(dir.Files)+len(dir.Symlinks)+len(dir.Dirs) == 0
	if nothing && rel != "" && (skipped || len(subs) > 0) {
		return storedFolder{absent: true}
	}
	digest, err := p.putMessage(dir)
	return storedFolder{digest: digest, err: err}
}

// read reads the files and links of one folder, and the names of those in it.
func (p *folderPut) read(ctx context.Context, rel string) (dir *Directory, subs []string, skipped bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, false, err
	}
	at := filepath.Join(p.root, filepath.FromSlash(rel))
	f, err := os.Open(at)
	if err != nil {
		return nil, nil, false, err
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, nil, false, err
	}
	dir = &Directory{}
	looked := []string{at}
	for _, e := range entries {
		switch {
		case p.opt.Skip != nil && p.opt.Skip(path.Join(rel, e.Name()), e.IsDir()):
			skipped = true
		case e.IsDir():
			subs = append(subs, e.Name())
		default:
			path := at + string(filepath.Separator) + e.Name()
			looked = append(looked, path)
			entry, err := p.file(ctx, f, e, path)
			if err != nil {
				return nil, nil, false, err
			}
			if entry.Link != "" {
				dir.Symlinks = append(dir.Symlinks, SymlinkNode{e.Name(), entry.Link})
			} else {
				dir.Files = append(dir.Files, FileNode{e.Name(), entry.Digest, entry.Executable})
			}
		}
	}
	p.opt.Stats.Note(looked...)
	return dir, subs, skipped, nil
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

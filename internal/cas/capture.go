package cas

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// CaptureOptions say what of a folder belongs to the tree.
type CaptureOptions struct {
	// Skip is asked with each slash path; a skipped folder is not entered.
	Skip func(path string, dir bool) bool
	// Stats, when given, spares hashing files whose inode has not changed.
	Stats *StatCache
	// Store says whether file contents go into the store. Without it only
	// the digests are computed.
	Store bool
	// Volatile says that the contents can be had again (sources), so that they need
	// not be forced to stable storage one by one.
	Volatile bool
}

// Capture reads a folder into a tree. Devices, sockets and pipes are an error.
func (s *Store) Capture(ctx context.Context, dir string, opt CaptureOptions) (*Tree, error) {
	t := NewTree()
	var files []found
	dirs, full := []string{}, map[string]bool{} // a folder is an entry of its own only when it is empty
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil || rel == "." {
			return err
		}
		rel = filepath.ToSlash(rel)
		full[path.Dir(rel)] = true
		if opt.Skip != nil && opt.Skip(rel, e.IsDir()) {
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if e.IsDir() {
			dirs = append(dirs, rel)
		} else {
			files = append(files, found{p, rel, e})
		}
		return nil
	})
	if err == nil {
		err = s.captureEntries(ctx, t, files, opt)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the tree %s: %w", dir, err)
	}
	for _, rel := range dirs {
		if !full[rel] {
			t.Entries[rel] = Entry{Dir: true}
		}
	}
	return t, nil
}

// found is a file or link that belongs to a tree being captured.
type found struct {
	path, rel string
	entry     fs.DirEntry
}

// captureChunk is how many files one worker takes at a time.
const captureChunk = 64

// captureEntries reads files side by side: a warm tree costs system calls, a cold one hashing.
func (s *Store) captureEntries(ctx context.Context, t *Tree, files []found, opt CaptureOptions) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	for chunk := range slices.Chunk(files, captureChunk) {
		group.Go(func() error {
			entries := make([]Entry, len(chunk))
			for i, f := range chunk {
				if err := ctx.Err(); err != nil {
					return err
				}
				var err error
				if entries[i], err = s.captureEntry(ctx, f, opt); err != nil {
					return err
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for i, f := range chunk {
				t.Entries[f.rel] = entries[i]
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *Store) captureEntry(ctx context.Context, f found, opt CaptureOptions) (Entry, error) {
	switch {
	case f.entry.Type()&fs.ModeSymlink != 0:
		target, err := os.Readlink(f.path)
		return Entry{Link: target}, err
	case !f.entry.Type().IsRegular():
		return Entry{}, fmt.Errorf("%s is neither a file, a folder nor a link", f.path)
	}
	info, err := f.entry.Info()
	if err != nil {
		return Entry{}, err
	}
	d, known := opt.Stats.lookup(f.path, info)
	if !known {
		if d, err = digestFile(f.path); err != nil {
			return Entry{}, err
		}
		opt.Stats.record(f.path, info, d)
	}
	if opt.Store && !s.Has(d) {
		if d, err = s.putFile(ctx, f.path, !opt.Volatile); err != nil {
			return Entry{}, err
		}
	}
	return Entry{Digest: d, Executable: info.Mode()&0o111 != 0}, nil
}

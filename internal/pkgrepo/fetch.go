package pkgrepo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/pannous/redox-clif/internal/download"
	"github.com/pannous/redox-clif/internal/lockfile"
	"github.com/pannous/redox-clif/internal/pkgar"
)

// Fetched is a package with its verified archive.
type Fetched struct {
	Resolved
	File string          // path of a blob in the cache, not to be written to; empty for a metapackage
	Key  pkgar.PublicKey // signs the archive; zero for a metapackage
}

// Open opens the archive, checking signature and table again.
func (f *Fetched) Open() (*pkgar.Archive, error) {
	return pkgar.OpenFile(f.File, pkgar.Options{Key: &f.Key})
}

// Fetch makes sure that all archives of a plan are in the cache: signed by their repository's key, with the entry table that the
// description names, and with the data that the table names. All failures are in the error.
func (c *Client) Fetch(ctx context.Context, plan *Plan) ([]Fetched, error) {
	fetched, failed := make([]Fetched, len(plan.Packages)), make([]error, len(plan.Packages))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i := range plan.Packages {
		group.Go(func() error {
			fetched[i], failed[i] = c.fetch(ctx, plan.Packages[i])
			return nil
		})
	}
	_ = group.Wait() // failures are in failed, all of them
	if err := joined(failed); err != nil {
		return fetched, err
	}
	return fetched, c.rememberFetched(ctx, fetched)
}

func (c *Client) fetch(ctx context.Context, p Resolved) (Fetched, error) {
	f := Fetched{Resolved: p}
	if p.IsMeta() {
		return f, nil
	}
	wrap := func(err error) error { return fmt.Errorf("package %s: repository %s: %w", p.Name, p.Repo, err) }
	r := c.repo(p.Repo)
	if r == nil {
		return f, wrap(errors.New("is not configured"))
	}
	hash, err := p.TableHash()
	if err != nil {
		return f, wrap(err)
	}
	if f.Key, err = c.repoKey(ctx, r); err != nil {
		return f, wrap(err)
	}
	w := &wanted{c: c, repo: r, name: p.Name, hash: hash, key: f.Key, sum: p.Archive}
	f.File, err = w.get(ctx)
	if err != nil {
		return f, wrap(err)
	}
	return f, nil
}

func (c *Client) repo(name string) *repo {
	for _, r := range c.repos {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// wanted is an archive that is to be in the cache. The name of its file says what it has to be: entry table and key.
type wanted struct {
	c    *Client
	repo *repo
	name Name
	hash pkgar.Hash
	key  pkgar.PublicKey
	sum  string // SHA-256 of all of it, "" if nobody vouches for one
}

// get is the path of the verified archive in the cache.
func (w *wanted) get(ctx context.Context) (string, error) {
	if path, err := w.cached(ctx); path != "" || err != nil {
		return path, err
	}
	if w.c.config.Offline {
		return "", ErrOffline
	}
	part := w.c.archives.partOf(w.base())
	// The lock is on the partial file itself, which goes away with it.
	lock, err := lockfile.Wait(ctx, part, func() {})
	if err != nil {
		return "", fmt.Errorf("lock the download: %w", err)
	}
	defer lock.Release()
	if path, err := w.cached(ctx); path != "" { // another process was faster
		return path, os.Remove(part)
	} else if err != nil {
		return "", err
	}
	if err := w.complete(ctx, part); err != nil {
		return "", err
	}
	path, err := w.c.archives.put(ctx, w.base(), part)
	if err != nil {
		return "", err
	}
	return path, os.Remove(part)
}

func (w *wanted) base() string { return archiveName(w.hash, w.key) }

// from is where the archive lies.
func (w *wanted) from() []string { return w.repo.at(w.c.config.Target, string(w.name)+".pkgar") }

// cached is the path of the archive in the cache after a check of all of it, and "" if it is not there. A damaged one is removed.
func (w *wanted) cached(ctx context.Context) (string, error) {
	path, err := w.c.archives.path(w.base())
	if path == "" || err != nil {
		return "", err
	}
	err = w.verify(ctx, path)
	switch {
	case err == nil:
		return path, nil
	case ctx.Err() != nil:
		return "", err
	case errors.Is(err, fs.ErrNotExist): // collected meanwhile
		return "", nil
	}
	return "", w.c.archives.forget(w.base())
}

// verify reads a whole archive.
func (w *wanted) verify(ctx context.Context, file string) error {
	a, err := pkgar.OpenFile(file, pkgar.Options{Key: &w.key})
	if err != nil {
		return err
	}
	defer a.Close()
	if err := w.same(&a.Header); err != nil {
		return err
	}
	if _, err = a.Verify(ctx); err != nil {
		return err
	}
	return w.sameBytes(file)
}

// sameBytes checks the archive's own digest, which also covers what its table does not: the header's flags and how data is packed.
func (w *wanted) sameBytes(file string) error {
	if w.sum == "" {
		return nil
	}
	sum, err := fileSum(file)
	if err == nil && sum != w.sum {
		err = fmt.Errorf("server sent another archive: its SHA-256 is %s, the signed index says %s", sum, w.sum)
	}
	return err
}

// fileSum is the SHA-256 of a file.
func fileSum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(struct{ io.Writer }{h}, f, make([]byte, 256<<10)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// same checks that a header is of the archive that the description names.
func (w *wanted) same(header *pkgar.Header) error {
	if header.TableHash != w.hash {
		return fmt.Errorf("server sent another package: its entry table has the hash %v, the description says %v", header.TableHash, w.hash)
	}
	return nil
}

// complete downloads what the partial file lacks.
func (w *wanted) complete(ctx context.Context, part string) error {
	f := download.File{From: w.from(), Part: part, Check: func(r io.Reader) error {
		if err := w.whole(r); err != nil {
			return err
		}
		return w.verify(ctx, part)
	}}
	if w.c.config.Progress != nil {
		f.Progress = func(done, total int64) { w.c.config.Progress(w.name, done, total) }
	}
	return w.c.downloads.Get(ctx, f)
}

// whole reads an archive to its end, which only its head tells, so more than the head of another one is never downloaded.
func (w *wanted) whole(r io.Reader) error {
	head, err := w.head(r)
	if err != nil {
		return err
	}
	// With io.Discard's own buffer a system call would move no more than 8 KiB.
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(r, head.DataSize), make([]byte, 256<<10))
	if err != nil {
		return err
	}
	if n < head.DataSize {
		return fmt.Errorf("server sent %d of %d bytes: %w", head.HeadSize()+n, head.FileSize(), io.ErrUnexpectedEOF)
	}
	// Whether the answer also ends properly does not matter any more.
	if n, _ := io.ReadFull(r, make([]byte, 1)); n > 0 {
		return fmt.Errorf("server sends more than the %d bytes of the archive", head.FileSize())
	}
	return nil
}

// head reads the head of the archive, and nothing behind it. A page or another package is told by its first bytes.
func (w *wanted) head(r io.Reader) (head *pkgar.Head, err error) {
	var raw [pkgar.HeaderSize]byte
	n, _ := io.ReadFull(r, raw[:]) // what is missing, the header lacks
	header, err := pkgar.ParseHeader(raw[:n])
	if err == nil {
		err = w.same(header)
	}
	if err == nil {
		head, err = pkgar.ReadHead(io.MultiReader(bytes.NewReader(raw[:]), r), -1, pkgar.Options{Key: &w.key})
	}
	var short *pkgar.FormatError
	if errors.Is(err, pkgar.ErrTruncated) && errors.As(err, &short) {
		return nil, fmt.Errorf("server sent %d of the bytes of the archive's head: %w", short.Offset, io.ErrUnexpectedEOF)
	}
	return head, err
}

package pkgrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sync/errgroup"

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
	return fetched, joined(failed)
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
	d := &download{c: c, repo: r, name: p.Name, hash: hash, key: f.Key, network: int64(p.NetworkSize)}
	f.File, err = d.get(ctx)
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

// download is one archive on its way into the cache. The name of its file says what it has to be: entry table and key.
type download struct {
	c       *Client
	repo    *repo
	name    Name
	hash    pkgar.Hash
	key     pkgar.PublicKey
	network int64 // announced size of the archive
}

// get is the path of the verified archive in the cache.
func (d *download) get(ctx context.Context) (string, error) {
	if path, err := d.cached(ctx); path != "" || err != nil {
		return path, err
	}
	if d.c.config.Offline {
		return "", ErrOffline
	}
	part := d.archives().partOf(d.base())
	// The lock is on the partial file itself, which goes away with it.
	lock, err := lockfile.Wait(ctx, part, func() {})
	if err != nil {
		return "", fmt.Errorf("lock the download: %w", err)
	}
	defer lock.Release()
	if path, err := d.cached(ctx); path != "" || err != nil { // another process was faster
		return path, errors.Join(err, removeEmpty(part))
	}
	if err := d.toPart(ctx, part); err != nil {
		return "", errors.Join(err, removeEmpty(part))
	}
	path, err := d.archives().put(ctx, d.base(), part)
	if err != nil {
		return "", err
	}
	return path, os.Remove(part)
}

func (d *download) archives() Archives { return d.c.archives }

func (d *download) base() string { return archiveName(d.hash, d.key) }

// removeEmpty removes a partial file in which nothing is worth keeping.
func removeEmpty(part string) error {
	info, err := os.Stat(part)
	if err != nil || info.Size() > 0 {
		return nil
	}
	return os.Remove(part)
}

// cached is the path of the archive in the cache after a check of all of it, and "" if it is not there. A damaged one is removed.
func (d *download) cached(ctx context.Context) (string, error) {
	path, err := d.archives().path(d.base())
	if path == "" || err != nil {
		return "", err
	}
	err = d.verify(ctx, path)
	switch {
	case err == nil:
		return path, nil
	case ctx.Err() != nil:
		return "", err
	case errors.Is(err, fs.ErrNotExist): // collected meanwhile
		return "", nil
	}
	return "", d.archives().forget(d.base())
}

// verify reads a whole archive.
func (d *download) verify(ctx context.Context, file string) error {
	a, err := pkgar.OpenFile(file, pkgar.Options{Key: &d.key})
	if err != nil {
		return err
	}
	defer a.Close()
	if a.TableHash != d.hash {
		return d.otherPackage(a.TableHash)
	}
	_, err = a.Verify(ctx)
	return err
}

// otherPackage is permanent for the place that sent it.
func (d *download) otherPackage(got pkgar.Hash) error {
	return permanentf("server sent another package: its entry table has the hash %v, the description says %v", got, d.hash)
}

// toPart completes and verifies the partial file. What does not belong to the archive is removed, what does is kept for the
// next time.
func (d *download) toPart(ctx context.Context, part string) error {
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	rel := path.Join(d.c.config.Target, string(d.name)+".pkgar")
	if d.verify(ctx, part) == nil { // complete, but not renamed before the process ended
		return nil
	}
	return d.c.eachPlace(ctx, d.repo, func(p place) (bool, error) {
		before, err := f.Seek(0, io.SeekEnd)
		if err != nil {
			return false, err
		}
		err = d.transfer(ctx, p, rel, f, before)
		if err == nil {
			err = d.verify(ctx, part)
		}
		if err == nil {
			return true, f.Sync()
		}
		if ctx.Err() != nil {
			return false, err
		}
		if isWrong(err) {
			return d.startOver(f, before, err)
		}
		after, seekErr := f.Seek(0, io.SeekEnd)
		return after > before, errors.Join(err, seekErr)
	})
}

// isWrong reports whether what has been downloaded is of no use.
func isWrong(err error) bool {
	var broken *pkgar.FormatError
	var permanent *permanentError
	return errors.As(err, &broken) || errors.As(err, &permanent) || errors.Is(err, errRange)
}

// startOver throws away what was downloaded. If part of it is from before, perhaps only that was wrong: once more from the
// start, where the same failure is final.
func (d *download) startOver(f *os.File, before int64, err error) (again bool, _ error) {
	if truncateErr := f.Truncate(0); truncateErr != nil {
		return false, permanentf("%w; %w", err, truncateErr)
	}
	if before > 0 {
		return true, errors.New(err.Error()) // no longer marked as permanent
	}
	return false, &permanentError{err}
}

// transfer adds to the file, which has have bytes, until it is a complete archive. The head is checked as soon as it is there,
// and says how long the archive is, whatever the server claims.
func (d *download) transfer(ctx context.Context, p place, rel string, f *os.File, have int64) error {
	body, start, err := p.open(ctx, rel, have)
	if err != nil {
		return err
	}
	defer body.Close()
	if start != have {
		if err := f.Truncate(start); err != nil {
			return err
		}
	}
	t := &transfer{d: d, f: f, body: body, have: start}
	header, err := t.header()
	if err != nil {
		return err
	}
	head, err := t.head(header)
	if err != nil {
		return err
	}
	t.total = head.FileSize()
	if err := t.upTo(ctx, t.total); err != nil {
		return err
	}
	// Whether the answer also ends properly does not matter any more.
	if n, _ := io.ReadFull(body, make([]byte, 1)); n > 0 {
		return permanentf("server sends more than the %d bytes of the archive", t.total)
	}
	return nil
}

// transfer is the state of one answer.
type transfer struct {
	d     *download
	f     *os.File
	body  io.Reader
	have  int64
	total int64
	buf   []byte
}

// upTo reads from the body until the file has n bytes.
func (t *transfer) upTo(ctx context.Context, n int64) error {
	if t.buf == nil {
		t.buf = make([]byte, 256<<10)
	}
	for t.have < n {
		if err := ctx.Err(); err != nil {
			return err
		}
		got, err := t.body.Read(t.buf[:min(int64(len(t.buf)), n-t.have)])
		if got > 0 {
			if _, err := t.f.WriteAt(t.buf[:got], t.have); err != nil {
				return err
			}
			t.have += int64(got)
			if t.d.c.config.Progress != nil {
				t.d.c.config.Progress(t.d.name, t.have, t.total)
			}
		}
		if errors.Is(err, io.EOF) && t.have < n {
			return fmt.Errorf("server sent %d of %d bytes: %w", t.have, max(n, t.total), io.ErrUnexpectedEOF)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// header checks that the archive is the right one before more than its header is downloaded.
func (t *transfer) header() (*pkgar.Header, error) {
	if err := t.upTo(context.Background(), pkgar.HeaderSize); err != nil {
		return nil, err
	}
	var raw [pkgar.HeaderSize]byte
	if _, err := t.f.ReadAt(raw[:], 0); err != nil {
		return nil, err
	}
	header, err := pkgar.ParseHeader(raw[:])
	if err != nil {
		return nil, err
	}
	if header.TableHash != t.d.hash {
		return nil, t.d.otherPackage(header.TableHash)
	}
	return header, header.Verify(t.d.key)
}

func (t *transfer) head(header *pkgar.Header) (*pkgar.Head, error) {
	// The count is signed, but a signature says nothing about sanity.
	if header.Count > pkgar.DefaultMaxEntries {
		return pkgar.ReadHead(bytes.NewReader(header.Marshal()), pkgar.HeaderSize, pkgar.Options{Key: &t.d.key})
	}
	if err := t.upTo(context.Background(), header.HeadSize()); err != nil {
		return nil, err
	}
	return pkgar.ReadHead(io.NewSectionReader(t.f, 0, header.HeadSize()), header.HeadSize(), pkgar.Options{Key: &t.d.key})
}

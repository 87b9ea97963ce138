package pkgrepo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo/signedindex"
	"github.com/pannous/redox-clif/internal/pkgrepo/trust"
)

// clockSkew is how far the clocks of publisher and client may differ where the age of an index counts.
const clockSkew = 24 * time.Hour

// IndexError says that the signed index of a repository is missing, or goes back behind what was seen of it.
type IndexError struct {
	Repo    string
	Problem string
	File    string // with what was seen
	// Downgrade says that Config.Downgrade takes it all the same.
	Downgrade bool
}

func (e *IndexError) Error() string {
	return fmt.Sprintf("its signed index is not believed: %s; %s remembers what was seen", e.Problem, e.File)
}

// signed is the signed index of a repository, nil if it has only upstream's form and never had another. It is read once.
func (c *Client) signed(ctx context.Context, r *repo) (*signedindex.Index, error) {
	r.indexLock.Lock()
	defer r.indexLock.Unlock()
	if r.asked {
		return r.index, nil
	}
	x, err := c.readSigned(ctx, r)
	if err != nil {
		return nil, err
	}
	r.index, r.asked = x, true
	return x, nil
}

func (c *Client) readSigned(ctx context.Context, r *repo) (*signedindex.Index, error) {
	m, err := c.trust.Repository(r.Name)
	if err != nil {
		return nil, err
	}
	seen, required := m.Indexes[c.placeOf(r)]
	if c.config.Offline && !required && r.ID == "" {
		return nil, nil
	}
	key, err := c.repoKey(ctx, r)
	if err != nil {
		return nil, err
	}
	required = required && seen.Key == key.String()
	if c.config.Offline {
		return c.cachedIndex(r, key, seen)
	}
	g := &gotten{c: c, r: r, key: key, memory: &m}
	err = c.downloads.Read(ctx, r.at(c.config.Target, signedindex.FileName), g.read)
	switch {
	case errors.Is(err, ErrNotFound) && required:
		return nil, c.indexError(r, fmt.Sprintf("it is gone (serial %d was seen), which would leave the packages without protection", seen.Serial), false)
	case errors.Is(err, ErrNotFound) && r.MaxAge > 0:
		return nil, c.indexError(r, "there is none, and the repository's max-age needs one", false)
	case errors.Is(err, ErrNotFound) && r.ID != "":
		return nil, c.indexError(r, "there is none, and the repository's id needs one", false)
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return g.index, c.keepIndex(ctx, g)
}

// placeOf names the index among those of repositories with the same name.
func (c *Client) placeOf(r *repo) string { return r.place + " " + c.config.Target }

func (c *Client) indexError(r *repo, problem string, downgrade bool) error {
	return &IndexError{Repo: r.Name, Problem: problem, File: c.trust.File(r.Name), Downgrade: downgrade}
}

// gotten is an index that comes from one of a repository's locations.
type gotten struct {
	c      *Client
	r      *repo
	key    pkgar.PublicKey
	memory *trust.Repository

	data   []byte
	index  *signedindex.Index
	digest string
}

// read reads and judges an index, so that the next location is asked when this one's is of no use.
func (g *gotten) read(in io.Reader) (err error) {
	if g.data, err = io.ReadAll(io.LimitReader(in, maxIndex+1)); err != nil {
		return err
	}
	if len(g.data) > maxIndex {
		return fmt.Errorf("it has more than %d bytes", maxIndex)
	}
	if g.index, g.digest, err = verifyIndex(g.data, g.key, g.c.config.Target); err != nil {
		return err
	}
	if err := g.check(g.memory); err != nil {
		return err
	}
	return g.fresh()
}

func (g *gotten) seen() trust.Index {
	return trust.Index{Key: g.key.String(), ID: g.index.Repository, Serial: g.index.Serial, Digest: g.digest}
}

// check compares with what was seen.
func (g *gotten) check(m *trust.Repository) error {
	if g.r.ID != "" && g.index.Repository != g.r.ID {
		return g.c.indexError(g.r, fmt.Sprintf("it is that of repository %s, not of %s, which the repository's id wants", orNone(g.index.Repository), g.r.ID), false)
	}
	switch problem := m.CheckIndex(g.r.place, g.c.config.Target, g.seen()); {
	case problem == trust.Fell && g.c.config.Downgrade, problem == "":
		return nil
	case problem == trust.Another:
		return g.c.indexError(g.r, fmt.Sprintf("%s (%s is offered, %s was seen)", problem, orNone(g.index.Repository), m.IDs[g.r.place+" "+g.key.String()]), false)
	default:
		return g.c.indexError(g.r, fmt.Sprintf("%s (serial %d of %s is offered, %d was seen)", problem, g.index.Serial, g.index.Date, m.Indexes[g.c.placeOf(g.r)].Serial),
			problem == trust.Fell)
	}
}

func orNone(id string) string {
	if id == "" {
		return "one without an id"
	}
	return id
}

// fresh refuses an index that is older than the repository's user wants it.
func (g *gotten) fresh() error {
	if g.r.MaxAge == 0 {
		return nil
	}
	at, err := time.Parse(time.RFC3339, g.index.Date)
	if err != nil {
		return err
	}
	switch age := g.c.config.Now().Sub(at); {
	case age > g.r.MaxAge+clockSkew:
		return g.c.indexError(g.r, fmt.Sprintf("it is of %s, older than the repository's max-age of %d days", g.index.Date, g.r.MaxAge/(24*time.Hour)), false)
	case age < -clockSkew:
		return g.c.indexError(g.r, fmt.Sprintf("it is of %s, which is to come: one of the two clocks is wrong, and the repository has a max-age", g.index.Date), false)
	}
	return nil
}

// keepIndex remembers an index, and keeps it for use without a network.
func (c *Client) keepIndex(ctx context.Context, g *gotten) error {
	newest := true
	err := c.trust.Update(ctx, g.r.Name, func(m *trust.Repository) error {
		if err := g.check(m); err != nil { // another process may have seen a newer one meanwhile
			return err
		}
		m.SawIndex(g.r.place, c.config.Target, g.seen())
		newest = m.Indexes[c.placeOf(g.r)] == g.seen()
		return nil
	})
	if err != nil || !newest {
		return err
	}
	cached := c.cachedMeta(g.r, signedindex.FileName)
	if err := os.MkdirAll(filepath.Dir(cached), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(cached, g.data, 0o644)
}

// cachedIndex is the index that was seen last. An older one that somebody put into the cache does not do.
func (c *Client) cachedIndex(r *repo, key pkgar.PublicKey, seen trust.Index) (*signedindex.Index, error) {
	data, err := os.ReadFile(c.cachedMeta(r, signedindex.FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrOffline
	}
	if err != nil {
		return nil, err
	}
	x, digest, err := verifyIndex(data, key, c.config.Target)
	if err != nil || digest != seen.Digest {
		return nil, fmt.Errorf("%w: the signed index in the cache is not the one that was seen last", ErrOffline)
	}
	if r.ID != "" && x.Repository != r.ID {
		return nil, fmt.Errorf("%w: the signed index in the cache is that of repository %s, not of %s", ErrOffline, orNone(x.Repository), r.ID)
	}
	return x, nil
}

// verifyIndex is signedindex.Verify, and checks what this package knows more of: names, and texts that people see.
func verifyIndex(data []byte, key pkgar.PublicKey, target string) (*signedindex.Index, string, error) {
	x, digest, err := signedindex.Verify(data, key, target)
	if err != nil {
		return nil, "", err
	}
	for i := range x.Packages {
		if err := described(x, &x.Packages[i]).validate(); err != nil {
			return nil, "", fmt.Errorf("signed index: package %q: %w", x.Packages[i].Name, err)
		}
	}
	return x, digest, nil
}

// described is a package of an index as a description.
func described(x *signedindex.Index, p *signedindex.Package) *Package {
	depends := make([]Name, len(p.Depends))
	for i, d := range p.Depends {
		depends[i] = Name(d)
	}
	return &Package{
		Name: p.Name, Version: p.Version, Target: x.Target, Blake3: p.Table, StorageSize: p.StorageSize, NetworkSize: p.NetworkSize, Depends: depends, Archive: p.Archive,
		Source: Source{SourceIdentifier: p.Source, CommitIdentifier: p.Commit, PatchIdentifier: p.Patch, TimeIdentifier: p.Time},
	}
}

// indexed is a published package as an index has it.
func indexed(p *Package) signedindex.Package {
	var depends []string
	for _, d := range p.Depends {
		depends = append(depends, string(d))
	}
	return signedindex.Package{
		Name: p.Name, Version: p.Version, Depends: depends, Table: p.Blake3, Archive: p.Archive, NetworkSize: p.NetworkSize, StorageSize: p.StorageSize,
		Source: p.SourceIdentifier, Commit: p.CommitIdentifier, Patch: p.PatchIdentifier, Time: p.TimeIdentifier,
	}
}

package pkgrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/cas"
	"github.com/pannous/redox-clif/internal/download"
	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo/signedindex"
	"github.com/pannous/redox-clif/internal/pkgrepo/trust"
)

// KeyFile is the name of a repository's public key file.
const KeyFile = "id_ed25519.pub.toml"

// Errors that callers tell apart.
var (
	// ErrNotFound: no repository has it.
	ErrNotFound = download.ErrNotFound
	// ErrOffline: the network would be needed.
	ErrOffline = errors.New("not in the cache, and offline")
)

// Limits on what a server may send.
const (
	maxDescription = 1 << 20
	maxIndex       = 64 << 20
)

// Repo is one repository.
type Repo struct {
	// Name identifies it in the pins and in the state of installed packages. Empty means the host of a URL, as the reference
	// client does, or the path of a folder.
	Name string
	// URL is https://…, file://…, an absolute path, or http:// on this machine.
	URL string
	// Mirrors are further places with the same content, tried in order when URL fails.
	Mirrors []string
	// Key, if set, is the key to trust instead of the one seen first.
	Key *pkgar.PublicKey
	// ID, if set, is the identity that the repository's signed index has to have, also when it is seen for the first time.
	ID string
	// MaxAge, if set, refuses a repository whose signed index is older, or that has none. It is the only protection from a server that
	// stays as it is.
	MaxAge time.Duration
}

// Config says what a client works with. Repos, Target, Store, CacheDir and TrustDir are required.
type Config struct {
	Repos    []Repo // in order of preference
	Target   string // for example "aarch64-unknown-redox"
	Store    *cas.Store
	CacheDir string // descriptions, partial downloads, and which blobs of Store are archives; may be shared by several processes
	TrustDir string // what was seen of repositories, see package trust
	OldPins  string // pinned keys of earlier versions, a TOML file that need not be there; they count for repositories that TrustDir does not know
	Offline  bool   // use the cache only
	// Downgrade takes a repository that goes back behind what was seen of it. What was seen stays remembered.
	Downgrade bool

	// Transport is http.DefaultTransport if nil.
	Transport http.RoundTripper
	// Now is time.Now if nil.
	Now func() time.Time
	// Sleep waits between attempts; nil means for real.
	Sleep func(ctx context.Context, d time.Duration) error
	// Stall is how long a server may send nothing; 0 means 30 seconds.
	Stall time.Duration
	// Attempts is how often a location is asked without any progress; 0 means 3.
	Attempts int
	// Progress, if not nil, is told about downloads: done of total bytes, total 0 while it is unknown. It is called from
	// several goroutines.
	Progress func(name Name, done, total int64)
}

// Client reads repositories. It is safe for concurrent use.
type Client struct {
	config    Config
	trust     trust.Store
	archives  Archives
	downloads download.Client
	repos     []*repo

	firstLock sync.Mutex
	first     []FirstSeen
}

// FirstSeen is a key that is trusted from now on.
type FirstSeen struct {
	Repo string
	Key  pkgar.PublicKey
	File string // where it is remembered
}

// FirstSeen lists the keys that this client was the first to see.
func (c *Client) FirstSeen() []FirstSeen {
	c.firstLock.Lock()
	defer c.firstLock.Unlock()
	return slices.Clone(c.first)
}

// repo is a repository and what is known of it by now.
type repo struct {
	Repo
	place string // its URL where the name, being that of a host, may be that of another repository as well

	lock sync.Mutex
	key  *pkgar.PublicKey

	indexLock sync.Mutex
	asked     bool
	index     *signedindex.Index // nil if the repository has only upstream's form

	listLock sync.Mutex
	listed   bool
	list     *Index // nil if it has none
}

// New checks the configuration. It touches neither network nor disk.
func New(config Config) (*Client, error) {
	if config.Target == "" || config.Store == nil || config.CacheDir == "" || config.TrustDir == "" || len(config.Repos) == 0 {
		return nil, errors.New("repositories, target, store, cache folder and folder of what was seen are required")
	}
	if strings.ContainsAny(config.Target, "/\\") || config.Target == "." || config.Target == ".." {
		return nil, fmt.Errorf("target %q is not a name", config.Target)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Stall == 0 {
		config.Stall = 30 * time.Second
	}
	c := &Client{
		config: config, trust: trust.Store{Dir: config.TrustDir}, archives: Archives{Store: config.Store, Dir: config.CacheDir},
		downloads: download.Client{
			HTTP:  &http.Client{Transport: config.Transport, CheckRedirect: noDowngrade},
			Stall: config.Stall, Attempts: config.Attempts, Sleep: config.Sleep,
		},
	}
	return c, c.addRepos()
}

func (c *Client) addRepos() error {
	var all *multierror.Error
	seen := map[string]bool{}
	for _, r := range c.config.Repos {
		added := &repo{Repo: r, key: r.Key}
		if added.Name == "" {
			added.Name, added.place = defaultName(r.URL), r.URL
		}
		if seen[added.Name] {
			all = multierror.Append(all, fmt.Errorf("two repositories are named %q", added.Name))
		}
		seen[added.Name] = true
		if added.ID != "" {
			if err := signedindex.CheckID(added.ID); err != nil {
				all = multierror.Append(all, fmt.Errorf("repository %s: id %w", added.Name, err))
			}
		}
		for _, location := range added.locations() {
			if err := checkLocation(location); err != nil {
				all = multierror.Append(all, fmt.Errorf("repository %s: %w", added.Name, err))
			}
		}
		c.repos = append(c.repos, added)
	}
	return all.ErrorOrNil()
}

func defaultName(location string) string {
	if u, err := url.Parse(location); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	return location
}

// Found is a package and where it comes from.
type Found struct {
	Name Name // as it was asked for
	Package
	Repo   string
	Serial uint64 // of the first signed index that has the package as it is; 0 if there is none
}

// Info is the description of a package from the first repository that has it.
func (c *Client) Info(ctx context.Context, name Name) (*Found, error) {
	if _, err := ParseName(string(name)); err != nil {
		return nil, err
	}
	var misses []string
	for _, r := range c.repos {
		found, err := c.describe(ctx, r, name)
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrOffline) {
			misses = append(misses, fmt.Sprintf("%s: %v", r.Name, err))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("package %s: repository %s: %w", name, r.Name, err)
		}
		return found, nil
	}
	return nil, &MissingError{Name: name, Tried: misses}
}

// describe is the description of a package as one repository has it: by its signed index, where it has one.
func (c *Client) describe(ctx context.Context, r *repo, name Name) (*Found, error) {
	x, err := c.signed(ctx, r)
	if err != nil {
		return nil, err
	}
	if x != nil {
		p := x.Find(string(name))
		if p == nil {
			return nil, ErrNotFound
		}
		return &Found{Name: name, Package: *described(x, p), Repo: r.Name, Serial: p.Since}, nil
	}
	data, err := c.metadata(ctx, r, string(name)+".toml", maxDescription)
	if err != nil {
		return nil, err
	}
	p, err := c.parseInfo(data, name)
	if err == nil {
		err = c.checkUnsigned(ctx, r, name, p)
	}
	if err != nil {
		return nil, fmt.Errorf("%s.toml: %w", name, err)
	}
	return &Found{Name: name, Package: *p, Repo: r.Name}, nil
}

// MissingError says that no repository has the package.
type MissingError struct {
	Name  Name
	By    Name // the package that needs it, if any
	Tried []string
}

func (e *MissingError) Error() string {
	s := fmt.Sprintf("package %s", e.Name)
	if e.By != "" {
		s += fmt.Sprintf(" (needed by %s)", e.By)
	}
	return s + ": no repository has it: " + strings.Join(e.Tried, "; ")
}

// Unwrap makes errors.Is(err, ErrNotFound) hold.
func (e *MissingError) Unwrap() error { return ErrNotFound }

// parseInfo checks that the description is the one asked for.
func (c *Client) parseInfo(data []byte, name Name) (*Package, error) {
	p, err := ParsePackage(data)
	if err != nil {
		return nil, err
	}
	if Name(p.Name).WithoutPrefix() != name.WithoutPrefix() {
		return nil, fmt.Errorf("server sent the description of package %q", p.Name)
	}
	if p.Target != c.config.Target && !name.IsHost() {
		return nil, fmt.Errorf("package is for %q, not %q", p.Target, c.config.Target)
	}
	return p, nil
}

// RepoIndex is the list of one repository.
type RepoIndex struct {
	Repo string
	Index
}

// Indexes are the lists of all repositories, in their order.
func (c *Client) Indexes(ctx context.Context) ([]RepoIndex, error) {
	var list []RepoIndex
	var all *multierror.Error
	for _, r := range c.repos {
		x, err := c.listOf(ctx, r)
		if err != nil {
			all = multierror.Append(all, fmt.Errorf("repository %s: %w", r.Name, err))
			continue
		}
		list = append(list, RepoIndex{Repo: r.Name, Index: *x})
	}
	return list, errs.One(all)
}

// listOf is what one repository has: by its signed index, where it has one.
func (c *Client) listOf(ctx context.Context, r *repo) (*Index, error) {
	signed, err := c.signed(ctx, r)
	if err != nil {
		return nil, err
	}
	if signed != nil {
		list := &Index{Packages: map[string]string{}}
		for _, p := range signed.Packages {
			list.Packages[p.Name] = p.Table
		}
		return list, nil
	}
	r.listLock.Lock()
	defer r.listLock.Unlock()
	if !r.listed {
		data, err := c.metadata(ctx, r, "repo.toml", maxIndex)
		if err == nil {
			r.list, err = ParseIndex(data)
		}
		if err == nil {
			err = r.list.validate()
		}
		if err != nil {
			return nil, fmt.Errorf("repo.toml: %w", err)
		}
		r.listed = true
	}
	return r.list, nil
}

// Match is a package that Search found.
type Match struct {
	Name Name
	Repo string
	Hash string // empty for a metapackage
}

// Search lists the packages whose names contain text, without regard to case, from the repository that would be asked first.
func (c *Client) Search(ctx context.Context, text string) ([]Match, error) {
	indexes, err := c.Indexes(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]Match{}
	for _, x := range indexes {
		for name, hash := range x.Packages {
			if _, ok := found[name]; ok || !strings.Contains(strings.ToLower(name), strings.ToLower(text)) {
				continue
			}
			if n, err := ParseName(name); err == nil {
				found[name] = Match{Name: n, Repo: x.Repo, Hash: hash}
			}
		}
	}
	matches := make([]Match, 0, len(found))
	for _, name := range sortedKeys(found) {
		matches = append(matches, found[name])
	}
	return matches, nil
}

// repoKey is the key of a repository: given, or pinned now or before. Offline it has to be pinned already.
func (c *Client) repoKey(ctx context.Context, r *repo) (pkgar.PublicKey, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.key != nil {
		return *r.key, nil
	}
	key, err := c.seenKey(ctx, r)
	if err != nil {
		return key, fmt.Errorf("key of repository %s: %w", r.Name, err)
	}
	r.key = &key
	return key, nil
}

func (c *Client) seenKey(ctx context.Context, r *repo) (pkgar.PublicKey, error) {
	if c.config.Offline {
		return c.pinnedKey(r)
	}
	data, err := c.downloads.Bytes(ctx, r.at(KeyFile), 4096)
	if err != nil {
		return pkgar.PublicKey{}, err
	}
	key, err := pkgar.ParsePublicKey(data)
	if err != nil {
		return key, err
	}
	return key, c.pin(ctx, r, key)
}

// cachedMeta is where the cache has a file of the target's folder.
func (c *Client) cachedMeta(r *repo, file string) string {
	return filepath.Join(c.config.CacheDir, "meta", url.PathEscape(r.Name), c.config.Target, file)
}

// metadata is a file of the target's folder: from the network, and then kept in the cache; offline from there. The key is
// checked first, so that a repository that changed its owner is noticed before anything else is believed.
func (c *Client) metadata(ctx context.Context, r *repo, file string, limit int64) ([]byte, error) {
	cached := c.cachedMeta(r, file)
	if c.config.Offline {
		data, err := os.ReadFile(cached)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrOffline
		}
		return data, err
	}
	if _, err := c.repoKey(ctx, r); err != nil {
		return nil, err
	}
	data, err := c.downloads.Bytes(ctx, r.at(c.config.Target, file), limit)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(cached), 0o755); err != nil {
		return nil, err
	}
	return data, renameio.WriteFile(cached, data, 0o644)
}

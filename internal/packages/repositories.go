package packages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/tomlfile"
	"github.com/pannous/redox-clif/internal/ui"
)

// DefaultRepository is asked when neither -repo nor packages.toml names another one.
const DefaultRepository = "https://static.redox-os.org/pkg"

// RepositoriesFile lists repositories. It is in the checkout and need not be there.
const RepositoriesFile = "packages.toml"

// Repositories is packages.toml: the package repositories that are asked where -repo names none.
type Repositories struct {
	// Repository is asked in the order of the file.
	Repository []repository `toml:"repository,required"`
}

// repository is a folder or a site with packages.
type repository struct {
	// Name is what messages call it; by default the host's name, or the path of a folder.
	Name string `toml:"name"`
	// URL begins with https:// or http://, or is a folder, relative to the checkout.
	URL string `toml:"url,required"`
	// Mirrors have the same content elsewhere.
	Mirrors []string `toml:"mirrors"`
	// Key is the public key that signs the packages, 64 hex digits. By default the one that is seen first is trusted and remembered.
	Key string `toml:"key"`
	// ID is what pkg:publish says that the repository's id is, 32 hex digits: another repository of the same key is refused, also the first
	// time. By default the one that is seen first is remembered.
	ID string `toml:"id"`
	// MaxAge is how many days old the repository's signed index may be; 0 is any age. An older one, or none, is refused.
	MaxAge int `toml:"max-age"`
}

// repoConfig is the repositories to ask: those of the flag, else those of the file, else the default.
func repoConfig(s *session.Session, flag string) ([]pkgrepo.Repo, error) {
	var list []pkgrepo.Repo
	for _, url := range repositoriesOf(flag) {
		at, err := location(url, ".")
		if err != nil {
			return nil, err
		}
		list = append(list, pkgrepo.Repo{URL: at})
	}
	if len(list) > 0 {
		return list, nil
	}
	file := filepath.Join(s.Config.Root, RepositoriesFile)
	text, err := tomlfile.Read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return []pkgrepo.Repo{{URL: DefaultRepository}}, nil
	}
	if err != nil {
		return nil, err
	}
	var content Repositories
	if err := tomlfile.Decode(RepositoriesFile, text, &content); err != nil {
		return nil, err
	}
	return listed(s, content)
}

// maxDays is a century, which a duration holds.
const maxDays = 36500

// listed checks the entries of the file.
func listed(s *session.Session, content Repositories) ([]pkgrepo.Repo, error) {
	var list []pkgrepo.Repo
	var all *multierror.Error
	fail := func(i int, err error) {
		all = multierror.Append(all, fmt.Errorf("%s: repository %d: %w", RepositoriesFile, i+1, err))
	}
	for i, r := range content.Repository {
		one := pkgrepo.Repo{Name: r.Name, ID: r.ID, MaxAge: time.Duration(r.MaxAge) * 24 * time.Hour}
		if r.MaxAge < 0 || r.MaxAge > maxDays {
			fail(i, fmt.Errorf("max-age %d is not a number of days from 0 to %d", r.MaxAge, maxDays))
		}
		for n, url := range append([]string{r.URL}, r.Mirrors...) {
			at, err := location(url, s.Config.Root)
			if err != nil {
				fail(i, err)
			}
			if n == 0 {
				one.URL = at
			} else {
				one.Mirrors = append(one.Mirrors, at)
			}
		}
		if r.Key != "" {
			key, err := pkgar.ParsePublicKey(fmt.Appendf(nil, "pkey = %q", r.Key))
			if err != nil {
				fail(i, fmt.Errorf("key %q: %w", r.Key, err))
			}
			one.Key = &key
		}
		list = append(list, one)
	}
	return list, errs.One(all)
}

// location makes the path of a folder absolute and leaves URLs alone.
func location(url, base string) (string, error) {
	if strings.Contains(url, "://") || filepath.IsAbs(url) {
		return url, nil
	}
	at, err := filepath.Abs(filepath.Join(base, url))
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(at); err != nil || !info.IsDir() {
		return "", fmt.Errorf("repository %q is neither a URL nor a folder", url)
	}
	return at, nil
}

// repositoriesOf are those of the flag. A folder may have a comma in its name.
func repositoriesOf(flag string) []string {
	if info, err := os.Stat(flag); err == nil && info.IsDir() {
		return []string{flag}
	}
	return splitList(flag)
}

func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}

// ParseNames reads names with commas between.
func ParseNames(text string) ([]pkgrepo.Name, error) {
	var names []pkgrepo.Name
	var all *multierror.Error
	for _, word := range splitList(text) {
		n, err := pkgrepo.ParseName(strings.TrimSpace(word))
		if err != nil {
			all = multierror.Append(all, err)
		}
		names = append(names, n)
	}
	if len(names) == 0 {
		return nil, errors.New("no package is named; several have commas between: vim,ncurses")
	}
	return names, errs.One(all)
}

// Choice says which repositories a client asks, and what it takes from them.
type Choice struct {
	Repo string // several with commas between; "" is those of packages.toml
	// Downgrade takes repositories that go back behind what was seen of them.
	Downgrade bool
}

// newClient makes the client of the repositories.
func newClient(s *session.Session, choice Choice) (*pkgrepo.Client, error) {
	repos, err := repoConfig(s, choice.Repo)
	if err != nil {
		return nil, err
	}
	dir := s.Config.Packages()
	client, err := pkgrepo.New(pkgrepo.Config{
		Repos: repos, Target: Target(s), Store: s.Store, CacheDir: dir, TrustDir: filepath.Join(dir, "trust"), OldPins: filepath.Join(dir, "keys.toml"),
		Offline: s.Config.Offline, Downgrade: choice.Downgrade, Progress: progress(s),
	})
	return client, errs.One(err)
}

// WithClient does something with the repositories, and says whose keys were trusted for the first time.
func WithClient(s *session.Session, choice Choice, do func(*pkgrepo.Client) error) error {
	client, err := newClient(s, choice)
	if err != nil {
		return err
	}
	err = WithHint(do(client))
	first := client.FirstSeen()
	sort.Slice(first, func(i, j int) bool { return first[i].Repo < first[j].Repo })
	for _, f := range first {
		s.Say("repository %s: key %s, seen for the first time, is trusted from now on (%s)", f.Repo, f.Key, f.File)
	}
	return err
}

// SortedNames are the keys of a map in order.
func SortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// progress says every other second how far a download is. It is called from several goroutines.
func progress(s *session.Session) func(pkgrepo.Name, int64, int64) {
	var lock sync.Mutex
	next := time.Now().Add(2 * time.Second)
	return func(name pkgrepo.Name, done, total int64) {
		lock.Lock()
		defer lock.Unlock()
		if time.Now().After(next) {
			next = time.Now().Add(2 * time.Second)
			s.Say("  %s: %s of %s", name, ui.Bytes(done), ui.Bytes(total))
		}
	}
}

// Print lists what a plan would get, and why.
func Print(s *session.Session, plan *pkgrepo.Plan) error {
	rows := [][]string{{"PACKAGE", "VERSION", "ARCHIVE", "NEEDED BY", "REPOSITORY"}}
	for i := range plan.Packages {
		p := &plan.Packages[i]
		rows = append(rows, []string{string(p.Name), ui.Dash(p.Version), ui.Bytes(int64(p.NetworkSize)), ui.Dash(string(p.By)), p.Repo})
	}
	return ui.Table(s.Streams.Out, rows)
}

// Fetch gets packages and all they depend on into the cache; with -dryrun it lists them.
func Fetch(ctx context.Context, s *session.Session, wanted []pkgrepo.Name, choice Choice) (fetched []pkgrepo.Fetched, err error) {
	err = WithClient(s, choice, func(c *pkgrepo.Client) error {
		plan, err := c.Resolve(ctx, wanted, nil)
		if err != nil {
			return err
		}
		if s.Config.DryRun {
			return Print(s, plan)
		}
		if fetched, err = c.Fetch(ctx, plan); err != nil {
			return err
		}
		if err := Print(s, plan); err != nil {
			return err
		}
		network, storage := plan.Size()
		s.Say("%d packages, %s of archives, %s of files: signed, checked, in the cache", len(fetched), ui.Bytes(int64(network)), ui.Bytes(int64(storage)))
		return nil
	})
	return fetched, err
}

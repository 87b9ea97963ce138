package session

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

	"github.com/BurntSushi/toml"
	"github.com/google/renameio/v2"
	"github.com/hashicorp/go-multierror"

	"github.com/pannous/redox-clif/internal/errs"
	"github.com/pannous/redox-clif/internal/pkgar"
	"github.com/pannous/redox-clif/internal/pkgrepo"
	"github.com/pannous/redox-clif/internal/tomlfile"
	"github.com/pannous/redox-clif/internal/ui"
)

// DefaultRepository is asked when neither -repo nor packages.toml names another one.
const DefaultRepository = "https://static.redox-os.org/pkg"

// repositoriesFile, in the checkout, lists repositories; it need not be there.
const repositoriesFile = "packages.toml"

// repositories is the file's content.
type repositories struct {
	Repository []repository `toml:"repository"`
}

// repository is one of them, asked in the order of the file.
type repository struct {
	Name    string   `toml:"name"`    // default: the host's name, or the path of a folder
	URL     string   `toml:"url"`     // https://…, or a folder, relative to the checkout
	Mirrors []string `toml:"mirrors"` // the same content elsewhere
	Key     string   `toml:"key"`     // public key in hex, in place of the one seen first
}

// repoConfig is the repositories to ask: those of the flag, else those of the file, else the default.
func (s *Session) repoConfig(flag string) ([]pkgrepo.Repo, error) {
	var list []pkgrepo.Repo
	for _, url := range splitList(flag) {
		at, err := location(url, ".")
		if err != nil {
			return nil, err
		}
		list = append(list, pkgrepo.Repo{URL: at})
	}
	if len(list) > 0 {
		return list, nil
	}
	file := filepath.Join(s.Config.Root, repositoriesFile)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return []pkgrepo.Repo{{URL: DefaultRepository}}, nil
	}
	if err != nil {
		return nil, err
	}
	var content repositories
	if err := tomlfile.Decode(repositoriesFile, text, &content); err != nil {
		return nil, err
	}
	return s.listed(content)
}

// listed checks the entries of the file.
func (s *Session) listed(content repositories) ([]pkgrepo.Repo, error) {
	var list []pkgrepo.Repo
	var all *multierror.Error
	fail := func(i int, err error) {
		all = multierror.Append(all, fmt.Errorf("%s: repository %d: %w", repositoriesFile, i+1, err))
	}
	for i, r := range content.Repository {
		one := pkgrepo.Repo{Name: r.Name}
		if r.URL == "" {
			fail(i, errors.New("has no url"))
			continue
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
	if len(list) == 0 && all == nil {
		return nil, fmt.Errorf("%s lists no [[repository]]; without the file %s is asked", repositoriesFile, DefaultRepository)
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

func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}

// packageNames reads names with commas between.
func packageNames(text string) ([]pkgrepo.Name, error) {
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

// pinFile holds the keys of repositories as they were first seen.
func (s *Session) pinFile() string { return filepath.Join(s.Config.Packages(), "keys.toml") }

// pkgClient makes the client of the repositories.
func (s *Session) pkgClient(repo string) (*pkgrepo.Client, error) {
	repos, err := s.repoConfig(repo)
	if err != nil {
		return nil, err
	}
	client, err := pkgrepo.New(pkgrepo.Config{
		Repos: repos, Target: s.pkgTarget(), Store: s.Store, CacheDir: s.Config.Packages(), PinFile: s.pinFile(), Offline: s.Config.Offline, Progress: s.pkgProgress(),
	})
	return client, errs.One(err)
}

// withClient does something with the repositories, and says whose keys were trusted for the first time.
func (s *Session) withClient(repo string, do func(*pkgrepo.Client) error) error {
	client, err := s.pkgClient(repo)
	if err != nil {
		return err
	}
	before := s.pinned()
	err = wayOut(do(client))
	after := s.pinned()
	for _, name := range sortedNames(after) {
		if _, known := before[name]; !known {
			s.say("repository %s: key %s, seen for the first time, is trusted from now on (%s)", name, after[name], s.pinFile())
		}
	}
	return err
}

// pinned reads the keys for the message above only: a file that cannot be read is an error of the client's.
func (s *Session) pinned() map[string]string {
	var content struct {
		Repo map[string]struct {
			PKey string `toml:"pkey"`
		} `toml:"repo"`
	}
	keys := map[string]string{}
	if _, err := toml.DecodeFile(s.pinFile(), &content); err != nil {
		return keys
	}
	for name, r := range content.Repo {
		keys[name] = r.PKey
	}
	return keys
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// pkgProgress says every other second how far a download is. It is called from several goroutines.
func (s *Session) pkgProgress() func(pkgrepo.Name, int64, int64) {
	var lock sync.Mutex
	next := time.Now().Add(2 * time.Second)
	return func(name pkgrepo.Name, done, total int64) {
		lock.Lock()
		defer lock.Unlock()
		if time.Now().After(next) {
			next = time.Now().Add(2 * time.Second)
			s.say("  %s: %s of %s", name, ui.Bytes(done), ui.Bytes(total))
		}
	}
}

// PkgFetch gets packages and all they depend on, checked, into the cache, from where they can be installed offline; with
// out also as NAME.pkgar into a folder.
func (s *Session) PkgFetch(ctx context.Context, names, repo, out string) error {
	wanted, err := packageNames(names)
	if err != nil {
		return err
	}
	fetched, err := s.fetchPackages(ctx, wanted, repo)
	if err != nil || out == "" {
		return err
	}
	return copyArchives(fetched, out)
}

// fetchPackages gets packages and all they depend on into the cache; with -dryrun it lists them.
func (s *Session) fetchPackages(ctx context.Context, wanted []pkgrepo.Name, repo string) (fetched []pkgrepo.Fetched, err error) {
	err = s.withClient(repo, func(c *pkgrepo.Client) error {
		plan, err := c.Resolve(ctx, wanted, nil)
		if err != nil {
			return err
		}
		if s.Config.DryRun {
			return s.printPackages(plan)
		}
		if fetched, err = c.Fetch(ctx, plan); err != nil {
			return err
		}
		if err := s.printPackages(plan); err != nil {
			return err
		}
		network, storage := plan.Size()
		s.say("%d packages, %s of archives, %s of files: signed, checked, in the cache", len(fetched), ui.Bytes(int64(network)), ui.Bytes(int64(storage)))
		return nil
	})
	return fetched, err
}

func (s *Session) printPackages(plan *pkgrepo.Plan) error {
	rows := [][]string{{"PACKAGE", "VERSION", "ARCHIVE", "NEEDED BY", "REPOSITORY"}}
	for i := range plan.Packages {
		p := &plan.Packages[i]
		rows = append(rows, []string{string(p.Name), dash(p.Version), ui.Bytes(int64(p.NetworkSize)), dash(string(p.By)), p.Repo})
	}
	return ui.Table(s.Streams.Out, rows)
}

func copyArchives(fetched []pkgrepo.Fetched, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := range fetched {
		if fetched[i].IsMeta() {
			continue
		}
		if err := copyArchive(fetched[i].File, filepath.Join(dir, string(fetched[i].Name)+".pkgar")); err != nil {
			return err
		}
	}
	return nil
}

func copyArchive(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := renameio.NewPendingFile(to, renameio.WithPermissions(0o644), renameio.WithTempDir(filepath.Dir(to)))
	if err != nil {
		return err
	}
	defer func() { _ = out.Cleanup() }() // nothing after the replacement
	if _, err := out.ReadFrom(in); err != nil {
		return err
	}
	return out.CloseAtomicallyReplace()
}

// PkgSearch lists the packages whose names contain a text.
func (s *Session) PkgSearch(ctx context.Context, text, repo string) error {
	return s.withClient(repo, func(c *pkgrepo.Client) error {
		found, err := c.Search(ctx, text)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return fmt.Errorf("no package's name contains %q; `mage pkg:search \"\"` lists all of them", text)
		}
		rows := [][]string{{"PACKAGE", "REPOSITORY", "ENTRY TABLE"}}
		for _, m := range found {
			hash := "metapackage"
			if m.Hash != "" {
				hash = m.Hash[:min(16, len(m.Hash))]
			}
			rows = append(rows, []string{string(m.Name), m.Repo, hash})
		}
		return ui.Table(s.Streams.Out, rows)
	})
}

// PkgInfo prints the description of a package.
func (s *Session) PkgInfo(ctx context.Context, name, repo string) error {
	n, err := pkgrepo.ParseName(name)
	if err != nil {
		return err
	}
	return s.withClient(repo, func(c *pkgrepo.Client) error {
		p, err := c.Info(ctx, n)
		if err != nil {
			return err
		}
		var depends []string
		for _, d := range p.Depends {
			depends = append(depends, string(d))
		}
		rows := [][]string{
			{"name", p.Package.Name}, {"version", p.Version}, {"target", p.Target}, {"repository", p.Repo},
			{"depends", strings.Join(depends, ", ")}, {"archive", ui.Bytes(int64(p.NetworkSize))}, {"files", ui.Bytes(int64(p.StorageSize))},
			{"entry table", p.Blake3}, {"source", p.SourceIdentifier}, {"patches", p.PatchIdentifier}, {"recipes", p.CommitIdentifier}, {"time", p.TimeIdentifier},
		}
		if p.IsMeta() {
			rows[1][1] = "none: a metapackage, it consists of its dependencies"
		}
		for i := range rows {
			rows[i][1] = dash(rows[i][1])
		}
		return ui.Table(s.Streams.Out, rows)
	})
}

// PkgTree prints packages and below them what they depend on.
func (s *Session) PkgTree(ctx context.Context, names, repo string) error {
	wanted, err := packageNames(names)
	if err != nil {
		return err
	}
	return s.withClient(repo, func(c *pkgrepo.Client) error {
		plan, err := c.Resolve(ctx, wanted, nil)
		if err != nil {
			return err
		}
		t := &packageTree{s: s, plan: plan, shown: map[pkgrepo.Name]bool{}}
		for _, n := range wanted {
			t.print(n, 0)
		}
		return nil
	})
}

// packageTree prints the dependencies of a package once, so that cycles end.
type packageTree struct {
	s     *Session
	plan  *pkgrepo.Plan
	shown map[pkgrepo.Name]bool
}

func (t *packageTree) print(name pkgrepo.Name, depth int) {
	p := t.plan.Get(name)
	again := ""
	if t.shown[name] && len(p.Depends) > 0 {
		again = " (see above)"
	}
	fmt.Fprintf(t.s.Streams.Out, "%s%s %s%s\n", strings.Repeat("  ", depth), name, dash(p.Version), again)
	if t.shown[name] {
		return
	}
	t.shown[name] = true
	for _, d := range p.Depends {
		t.print(d, depth+1)
	}
}

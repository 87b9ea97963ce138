package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/git"
	"github.com/pannous/redox-clif/internal/lockfile"
)

// Fetcher gets sources into a store and writes trees out of it. It may be used
// by several goroutines and several processes on one store at once.
//
// Layout of the store: git/<name>-<hash>.git (bare, one per URL),
// archive/<digests>, crate/<sha256>, each with a .lock beside it while in work
// and, for downloads, a .part that a later run continues.
type Fetcher struct {
	Store   string   // folder, created when needed
	Offline bool     // then nothing that could use the network is started
	Git     git.Git  // how to fetch is the user's business
	Env     []string // environment of cargo
	Client  *http.Client
	Stall   time.Duration // give up a download when nothing arrives for so long; 0 means a minute
	// Notice, if set, receives a line about each thing in the store that was damaged and is fetched again.
	Notice func(string)

	// Crates come by cargo itself, since only cargo knows the user's registry
	// replacements, proxies and credentials.
	Cargo     string // cargo program
	CargoHome string // the CARGO_HOME that has the user's configuration
	// Fence, when it is set, is the command line by which cargo runs where it can write only to its home and the store.
	Fence func(args []string) []string
	// Install, when it is set, makes that program be there.
	Install func(context.Context) error

	// Replaced keeps which folders stand in the registry's place; without it they are listed for each crate.
	Replaced *Replaced
}

// Fetch brings the source and its submodules into the store. What is already
// there is not asked for again. A Path needs nothing.
func (f *Fetcher) Fetch(ctx context.Context, r *Resolved) error {
	var err error
	switch s := r.Source.(type) {
	case Git:
		err = f.fetchGit(ctx, s, r.FetchURL)
	case Archive:
		err = f.fetchArchive(ctx, s, r.FetchURL)
	case Crate:
		err = f.fetchCrate(ctx, s)
	case Path:
	}
	if err != nil {
		return diskFull(f.Store, err)
	}
	for _, at := range r.submodulePaths() {
		if err := f.Fetch(ctx, r.Submodules[at]); err != nil {
			return fmt.Errorf("submodule %s: %w", at, err)
		}
	}
	return nil
}

// locked runs what with the lock of a store entry held.
func locked(ctx context.Context, entry string, what func() error) error {
	lock, err := lockfile.Wait(ctx, entry+".lock", func() {})
	if err != nil {
		return err
	}
	defer lock.Release()
	return what()
}

// repository is the store's folder for a URL.
func (f *Fetcher) repository(url string) string {
	sum := sha256.Sum256([]byte(NormalizeURL(url)))
	name := unsafeName.ReplaceAllString(path.Base(NormalizeURL(url)), "_")
	return filepath.Join(f.Store, "git", fmt.Sprintf("%s-%s.git", name, hex.EncodeToString(sum[:8])))
}

var unsafeName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// keptRef is written by git after all objects have arrived, so its presence is
// the proof that the commit is whole; it also keeps the commit from gc.
func keptRef(commit string) string { return "refs/redox-clif/" + commit }

// isRepository tells whether there is a folder that git may be let into: git would wait for ever for a pipe to say something.
func isRepository(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return false
	}
	odd := errors.New("neither a file nor a folder")
	return filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !e.Type().IsRegular() {
			return odd
		}
		return err
	}) == nil
}

func (f *Fetcher) haveCommit(ctx context.Context, repo, commit string) bool {
	if !isRepository(repo) {
		return false
	}
	_, err := f.Git.Run(ctx, repo, "rev-parse", "--quiet", "--verify", keptRef(commit)+"^{commit}")
	return err == nil
}

func (f *Fetcher) fetchGit(ctx context.Context, s Git, url string) error {
	repo := f.repository(s.URL)
	if f.haveCommit(ctx, repo, s.Commit) {
		return nil
	}
	if f.Offline {
		return &OfflineError{What: s.String()}
	}
	return locked(ctx, repo, func() error {
		if f.haveCommit(ctx, repo, s.Commit) {
			return nil // another run got it while we waited
		}
		return f.fetchOrMend(ctx, repo, s, url)
	})
}

// fetchOrMend fetches a commit into the repository that is there, unless it is so damaged that git cannot.
func (f *Fetcher) fetchOrMend(ctx context.Context, repo string, s Git, url string) error {
	if _, err := os.Lstat(repo); err != nil {
		return f.fetchInto(ctx, repo, s, url)
	}
	var err error = &RepositoryError{URL: repo, Err: errors.New("something in it is neither a file nor a folder")}
	if isRepository(repo) {
		err = f.fetchInto(ctx, repo, s, url)
	}
	if err == nil || ctx.Err() != nil || errors.As(err, new(*HostError)) || errors.As(err, new(*DiskFullError)) || errors.As(err, new(*CommitError)) {
		return err
	}
	if f.fetchAnew(ctx, repo, s, url) != nil {
		return err
	}
	f.noticeDamage(&DamagedError{What: s.String(), File: repo, Err: errors.New("git could not use it")})
	return nil
}

// fetchAnew puts a repository that has the one commit in the place of what is there. When it cannot be had, that stays: there may
// be other commits in it.
func (f *Fetcher) fetchAnew(ctx context.Context, repo string, s Git, url string) error {
	aside := repo + ".damaged"
	if err := errors.Join(os.RemoveAll(aside), os.Rename(repo, aside)); err != nil {
		return err
	}
	if err := f.fetchInto(ctx, repo, s, url); err != nil {
		return errors.Join(err, os.RemoveAll(repo), os.Rename(aside, repo))
	}
	return os.RemoveAll(aside)
}

// fetchInto fetches a commit into a repository that is locked, or not there yet.
func (f *Fetcher) fetchInto(ctx context.Context, repo string, s Git, url string) error {
	if err := dropLeftLocks(repo); err != nil {
		return err
	}
	if _, err := f.Git.Run(ctx, "", "init", "--quiet", "--bare", repo); err != nil {
		return gitFailure(url, f.Store, err)
	}
	return f.fetchCommit(ctx, repo, s, url)
}

// dropLeftLocks removes git's own locks. Whoever made them was killed, for this repository is ours alone and locked; git would
// refuse each later run because of them.
func dropLeftLocks(repo string) error {
	return filepath.WalkDir(repo, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // there is none yet
		case err != nil:
			return err
		case d.IsDir() && d.Name() == "objects":
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(path, ".lock"):
			return os.Remove(path)
		}
		return nil
	})
}

// fetchCommit asks for the one commit first. Servers that refuse to give what
// no branch or tag names are asked for everything.
func (f *Fetcher) fetchCommit(ctx context.Context, repo string, s Git, url string) error {
	fetch := []string{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no"}
	_, err := f.Git.Run(ctx, repo, append(fetch, "--depth=1", "--", url, s.Commit+":"+keptRef(s.Commit))...)
	var failed *git.Error
	if !errors.As(err, &failed) || !gitRefused.MatchString(failed.Message) {
		return gitFailure(url, f.Store, err)
	}
	if _, err := os.Stat(filepath.Join(repo, "shallow")); err == nil {
		fetch = append(fetch, "--unshallow")
	}
	if _, err = f.Git.Run(ctx, repo, append(fetch, "--", url, "+refs/heads/*:refs/upstream/heads/*", "+refs/tags/*:refs/upstream/tags/*")...); err != nil {
		return gitFailure(url, f.Store, err)
	}
	if _, err := f.Git.Run(ctx, repo, "cat-file", "-e", s.Commit+"^{commit}"); err != nil {
		return &CommitError{URL: url, Commit: s.Commit}
	}
	_, err = f.Git.Run(ctx, repo, "update-ref", keptRef(s.Commit), s.Commit)
	return err
}

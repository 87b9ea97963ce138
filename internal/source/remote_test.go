package source

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// countedGit is a git that leaves a line in a file for each time it is started.
func countedGit(t *testing.T) (program string, count func() int) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir+"/git", "#!/bin/sh\necho >> '"+dir+"/runs'\nexec git \"$@\"\n", 0o755)
	return dir + "/git", func() int {
		runs, _ := os.ReadFile(dir + "/runs")
		return strings.Count(string(runs), "\n")
	}
}

func TestCommitOfARef(t *testing.T) {
	dir, commits := repo(t, "one", "two", "three")
	run(t, dir, "git", "branch", "old", commits[0])
	run(t, dir, "git", "tag", "light", commits[1])
	run(t, dir, "git", "tag", "-a", "-m", "x", "annotated", commits[1])
	run(t, dir, "git", "branch", "light", commits[0])             // a tag goes before a branch
	run(t, dir, "git", "branch", "a/refs/heads/deep", commits[0]) // git's patterns match at the end of a name
	r := &Remotes{Fetcher: newFetcher(t), Overrides: overrides(t, "[mirror]\n\"https://example.invalid/\" = \""+dir+"/\"\n")}
	for ref, want := range map[string]string{
		"HEAD": commits[2], "refs/heads/main": commits[2], "main": commits[2], "old": commits[0],
		"light": commits[1], "refs/heads/light": commits[0], "annotated": commits[1],
	} {
		for _, url := range []string{dir, "file://" + dir, "https://example.invalid/.git"} {
			if got, err := r.Commit(t.Context(), url, ref); err != nil || got != want {
				t.Errorf("%s of %s: %q %v, want %s", ref, url, got, err, want)
			}
		}
	}
	for _, ref := range []string{"none", "deep", "refs/heads/deep", commits[0][:8], "ma*"} {
		if got, err := r.Commit(t.Context(), dir, ref); !errors.As(err, new(*RefError)) || !strings.Contains(err.Error(), ref) {
			t.Errorf("%s: %q %v", ref, got, err)
		}
	}
}

func TestARepositoryIsAskedOnceForARef(t *testing.T) {
	dir, commits := repo(t, "one")
	f := newFetcher(t)
	program, started := countedGit(t)
	f.Git.Program = program
	r := &Remotes{Fetcher: f, Overrides: &Overrides{}}
	var all sync.WaitGroup
	for _, url := range []string{dir, dir + "/", dir, dir + "/absent", dir + "/absent"} {
		all.Go(func() {
			if got, err := r.Commit(context.Background(), url, "HEAD"); strings.HasSuffix(url, "absent") != (err != nil) || err == nil && got != commits[0] {
				t.Errorf("%s: %q %v", url, got, err)
			}
		})
	}
	all.Wait()
	if n := started(); n != 2 {
		t.Errorf("git was started %d times for two repositories", n)
	}
}

func TestRemotesThatDoNotAnswer(t *testing.T) {
	var requests atomic.Int64
	released := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if strings.HasPrefix(r.URL.Path, "/hangs") {
			select {
			case <-r.Context().Done():
			case <-released:
			}
			return
		}
		http.NotFound(w, r)
	}))
	defer srv.Close()
	defer close(released)
	fetcher := newFetcher(t)
	fetcher.Git.Env = append(fetcher.Git.Env, "no_proxy=*", "NO_PROXY=*")
	program, started := countedGit(t)
	fetcher.Git.Program = program
	remotes := func(limit time.Duration) *Remotes {
		return &Remotes{Fetcher: fetcher, Overrides: &Overrides{}, Limit: limit}
	}
	t.Run("a host that refuses is soon left alone", func(t *testing.T) {
		r, before := remotes(0), started()
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			var host *HostError
			if _, err := r.Commit(t.Context(), "http://127.0.0.1:1/"+name, "HEAD"); !errors.As(err, &host) || host.Host != "127.0.0.1" {
				t.Errorf("%v", err)
			}
		}
		if n := started() - before; n != 3 {
			t.Errorf("git was started %d times", n)
		}
	})
	t.Run("failures count only in a row", func(t *testing.T) {
		r, before := remotes(0), started()
		host := srv.Listener.Addr().String()
		for _, url := range []string{"http://127.0.0.1:1/a", "http://127.0.0.1:1/b", "http://" + host + "/c", "http://127.0.0.1:1/d", "http://127.0.0.1:1/e"} {
			if _, err := r.Commit(t.Context(), url, "HEAD"); err == nil {
				t.Errorf("%s answers", url)
			}
		}
		if n := started() - before; n != 5 {
			t.Errorf("git was started %d times", n)
		}
	})
	t.Run("a repository that is not there says nothing of its host", func(t *testing.T) {
		r, before := remotes(0), started()
		for _, url := range []string{srv.URL + "/a.git", srv.URL + "/b.git", srv.URL + "/c.git", srv.URL + "/d.git"} {
			var repository *RepositoryError
			if _, err := r.Commit(t.Context(), url, "HEAD"); !errors.As(err, &repository) || repository.URL != url {
				t.Errorf("%v", err)
			}
		}
		if n := started() - before; n != 4 {
			t.Errorf("git was started %d times", n)
		}
	})
	t.Run("a host that hangs is given up", func(t *testing.T) {
		_, err := remotes(300*time.Millisecond).Commit(t.Context(), srv.URL+"/hangs.git", "HEAD")
		if !errors.As(err, new(*HostError)) || !strings.Contains(err.Error(), "no answer within 300ms") {
			t.Errorf("%v", err)
		}
	})
	t.Run("the caller's end is no fault of the host", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := remotes(0).Commit(ctx, srv.URL+"/a.git", "HEAD"); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
	t.Run("offline asks nobody", func(t *testing.T) {
		offline := *fetcher
		offline.Offline = true
		before, asked := started(), requests.Load()
		_, err := (&Remotes{Fetcher: &offline, Overrides: &Overrides{}}).Commit(t.Context(), srv.URL+"/a.git", "HEAD")
		if !errors.As(err, new(*OfflineError)) || started() != before || requests.Load() != asked {
			t.Errorf("%v", err)
		}
	})
}

// As a git host does it, with a certificate that the user's settings have to vouch for.
func TestCommitOfARefFromAServer(t *testing.T) {
	backend := filepath.Join(strings.TrimSpace(run(t, ".", "git", "--exec-path")), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		t.Skipf("this git has no server: %v", err)
	}
	dir, commits := repo(t, "one", "two")
	srv := httptest.NewTLSServer(&cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1"}})
	defer srv.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	write(t, authority, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})), 0o644)
	fetcher := newFetcher(t)
	fetcher.Git.Env = append(fetcher.Git.Env, "no_proxy=*", "NO_PROXY=*")
	url := srv.URL + "/" + filepath.Base(dir) + "/.git"
	if got, err := (&Remotes{Fetcher: fetcher, Overrides: &Overrides{}}).Commit(t.Context(), url, "main"); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("nobody vouches for the server: %q %v", got, err)
	}
	fetcher.Git.Env = append(fetcher.Git.Env, "GIT_SSL_CAINFO="+authority)
	if got, err := (&Remotes{Fetcher: fetcher, Overrides: &Overrides{}}).Commit(t.Context(), url, "main"); err != nil || got != commits[1] {
		t.Errorf("%q %v, want %s", got, err, commits[1])
	}
}

package source

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/git"
)

func run(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = testEnv()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// testEnv is the caller's environment without its git configuration.
func testEnv() []string {
	return append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@localhost", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@localhost")
}

func write(t *testing.T, name, text string, perm fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), perm); err != nil {
		t.Fatal(err)
	}
}

// repo makes a repository of one commit for every state of "file" given and
// returns the commits.
func repo(t *testing.T, states ...string) (dir string, commits []string) {
	t.Helper()
	dir = t.TempDir()
	run(t, dir, "git", "init", "-q", "-b", "main")
	for _, s := range states {
		write(t, dir+"/file", s, 0o644)
		run(t, dir, "git", "add", "-A", "-f")
		run(t, dir, "git", "commit", "-qm", s)
		commits = append(commits, run(t, dir, "git", "rev-parse", "HEAD"))
	}
	return dir, commits
}

func newFetcher(t *testing.T) *Fetcher {
	return &Fetcher{Store: t.TempDir(), Git: git.Git{Env: testEnv()}, Env: testEnv()}
}

func resolve(t *testing.T, o *Overrides, src Source) *Resolved {
	t.Helper()
	r, err := o.Resolve("x", src)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func overrides(t *testing.T, text string) *Overrides {
	t.Helper()
	o, err := LoadOverrides("/base/overrides.toml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// listing is every entry of a tree with its mode and content or link target.
func listing(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		switch {
		case d.Type() == fs.ModeSymlink:
			text, err = os.Readlink(p)
		case !d.IsDir():
			var data []byte
			data, err = os.ReadFile(p)
			text = string(data)
		default:
			return nil
		}
		all[rel] = info.Mode().String() + " " + text
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestGit(t *testing.T) {
	ctx := context.Background()
	sub, subCommits := repo(t, "sub one", "sub two")
	dir, _ := repo(t, "one")
	write(t, dir+"/bin/run", "#!/bin/sh\n", 0o755)
	write(t, dir+"/.gitattributes", "ignored export-ignore\nsubst export-subst\n*.txt eol=crlf\n", 0o644)
	write(t, dir+"/ignored", "here", 0o644)
	write(t, dir+"/subst", "$Format:%H$", 0o644)
	write(t, dir+"/a.txt", "a\nb\n", 0o644)
	write(t, dir+"/name with ü\tand tab", "odd", 0o644)
	if err := os.Symlink("../file", dir+"/bin/link"); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "git", "-c", "protocol.file.allow=always", "submodule", "add", "-q", sub, "ext/sub")
	run(t, dir, "git", "add", "-A")
	run(t, dir, "git", "commit", "-qm", "all")
	commit := run(t, dir, "git", "rev-parse", "HEAD")

	f := newFetcher(t)
	src := Git{URL: "https://example.invalid/x.git", Commit: commit, Submodules: map[string]Git{
		"ext/sub": {URL: "https://example.invalid/sub.git", Commit: subCommits[0]},
	}}
	r := resolve(t, overrides(t, `
[mirror]
"https://example.invalid/" = "/nowhere/"
"https://example.invalid/x.git" = "`+dir+`"
"https://example.invalid/sub" = "`+strings.TrimSuffix(sub, ".git")+`"
[source."x/ext/sub"]
git = "`+sub+`"
commit = "`+subCommits[1]+`"
`), src)
	if got := r.Announcements(); r.Overridden || !r.AnyOverridden() || len(got) != 1 || !strings.Contains(got[0], "source x/ext/sub: "+sub) {
		t.Errorf("announcements %q", got)
	}
	if id, ok := r.Identity(); !ok || id != "git:"+commit+" ext/sub=git:"+subCommits[1] {
		t.Errorf("identity %q", id)
	}
	if err := f.Fetch(ctx, r); err != nil {
		t.Fatal(err)
	}
	f.Offline = true
	if err := f.Fetch(ctx, r); err != nil {
		t.Errorf("second, offline fetch: %v", err)
	}
	dest := t.TempDir()
	if _, err := f.Export(ctx, r, dest); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"file": "-rw-r--r-- one", "bin/run": "-rwxr-xr-x #!/bin/sh\n", "bin/link": "Lrwxrwxrwx ../file",
		"ignored": "-rw-r--r-- here", "subst": "-rw-r--r-- $Format:%H$", "a.txt": "-rw-r--r-- a\nb\n", "name with ü\tand tab": "-rw-r--r-- odd",
		"ext/sub/file": "-rw-r--r-- sub two",
	}
	got := listing(t, dest)
	delete(got, ".gitmodules")
	delete(got, ".gitattributes")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := f.Export(ctx, r, dest); err == nil {
		t.Error("exported over a tree")
	}
}

// TestGitFallback: a server that gives only what branches name.
func TestGitFallback(t *testing.T) {
	ctx := context.Background()
	dir, commits := repo(t, "one", "two", "three")
	// git refuses unadvertised commits in protocol version 0 by default.
	f := newFetcher(t)
	f.Git.Env = append(f.Git.Env, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=protocol.version", "GIT_CONFIG_VALUE_0=0")
	for _, c := range []string{commits[2], commits[0], commits[1]} { // the first leaves a shallow repository
		r := resolve(t, &Overrides{}, Git{URL: dir, Commit: c})
		if err := f.Fetch(ctx, r); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		dest := t.TempDir()
		if _, err := f.Export(ctx, r, dest); err != nil {
			t.Fatal(err)
		}
	}
	var unknown *CommitError
	if err := f.Fetch(ctx, resolve(t, &Overrides{}, Git{URL: dir, Commit: strings.Repeat("1", 40)})); !errors.As(err, &unknown) {
		t.Errorf("unknown commit: %v", err)
	}
}

func TestGitErrors(t *testing.T) {
	ctx := context.Background()
	dir, commits := repo(t, "one")
	f := newFetcher(t)
	absent := strings.Repeat("a", 40)

	var unknown *CommitError
	if err := f.Fetch(ctx, resolve(t, &Overrides{}, Git{URL: dir, Commit: absent})); !errors.As(err, &unknown) {
		t.Errorf("unknown commit: %v", err)
	}
	var noRepo *RepositoryError
	if err := f.Fetch(ctx, resolve(t, &Overrides{}, Git{URL: t.TempDir(), Commit: absent})); !errors.As(err, &noRepo) {
		t.Errorf("no repository: %v", err)
	}
	var host *HostError
	if err := f.Fetch(ctx, resolve(t, &Overrides{}, Git{URL: "http://127.0.0.1:1/x.git", Commit: absent})); !errors.As(err, &host) || host.Host != "127.0.0.1" || !strings.Contains(err.Error(), "overrides.toml") {
		t.Errorf("host: %v", err)
	}
	f.Offline = true
	var offline *OfflineError
	if err := f.Fetch(ctx, resolve(t, &Overrides{}, Git{URL: dir, Commit: commits[0]})); !errors.As(err, &offline) || !strings.Contains(err.Error(), "mage fetch") {
		t.Errorf("offline: %v", err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	f.Offline = false
	if err := f.Fetch(canceled, resolve(t, &Overrides{}, Git{URL: dir, Commit: commits[0]})); !errors.Is(err, context.Canceled) {
		t.Errorf("cancel: %v", err)
	}
}

func TestGitFailureTypes(t *testing.T) {
	failure := func(message string) error { return &git.Error{Command: "fetch", Message: message} }
	var full *DiskFullError
	if err := gitFailure("https://h/x", "/store", failure("error: unable to write: No space left on device\nfatal: x")); !errors.As(err, &full) || full.Dir != "/store" {
		t.Errorf("%v", err)
	}
	if err := diskFull("/store", &os.PathError{Op: "write", Err: syscall.ENOSPC}); !errors.As(err, &full) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "/store") {
		t.Errorf("%v", err)
	}
	if err := diskFull("/store", os.ErrPermission); err != os.ErrPermission {
		t.Errorf("%v", err)
	}
	var host *HostError
	if err := gitFailure("https://h.example/x", "", failure("fatal: unable to access 'https://h.example/x/': Could not resolve host: h.example")); !errors.As(err, &host) || host.Host != "h.example" {
		t.Errorf("%v", err)
	}
	err := gitFailure("git@h.example:x", "", failure("ssh: connect to host h.example port 22: Connection timed out\nfatal: Could not read from remote repository."))
	if !errors.As(err, &host) || host.Host != "h.example" || !strings.Contains(err.Error(), "(ssh: connect to host h.example port 22: Connection timed out)") {
		t.Errorf("%v", err)
	}
	var repository *RepositoryError
	for message, want := range map[string]string{
		"fatal: detected dubious ownership in repository at '/r'\nTo add an exception for this directory, call:\n\n\tgit config --global --add safe.directory /r\n": "git config --global --add safe.directory /r",
		"git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.\n":                                                                    "Permission denied (publickey)",
	} {
		if err := gitFailure("/r", "", failure(message)); !errors.As(err, &repository) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
}

// What a stranger's git may be told stands in the way of no source.
func TestGitWithSettingsOfTheUsers(t *testing.T) {
	dir, commits := repo(t, "one")
	mirror := filepath.Join(t.TempDir(), "mirror.git")
	run(t, t.TempDir(), "git", "clone", "-q", "--mirror", dir, mirror)
	ssh := filepath.Join(t.TempDir(), "ssh")
	write(t, ssh, "#!/bin/sh\nexec git-upload-pack "+dir+"\n", 0o755)
	bare := filepath.Join(t.TempDir(), "config")
	write(t, bare, "[safe]\n\tbareRepository = explicit\n", 0o644)
	execPath := run(t, dir, "git", "--exec-path")
	for name, test := range map[string]struct{ url, variable string }{
		"safe.bareRepository=explicit":             {dir, "GIT_CONFIG_GLOBAL=" + bare},
		"and the other side is bare too":           {mirror, "GIT_CONFIG_GLOBAL=" + bare},
		"a repository around, as in a hook of git": {dir, "GIT_DIR=" + dir + "/.git"},
		"an ssh of their own":                      {"ssh://git@host.invalid/x.git", "GIT_SSH_COMMAND=" + ssh},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFetcher(t)
			f.Git.Env = append(f.Git.Env, "PATH="+execPath+":"+os.Getenv("PATH"), test.variable)
			r := resolve(t, &Overrides{}, Git{URL: test.url, Commit: commits[0]})
			dest := t.TempDir()
			if err := f.Fetch(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Export(t.Context(), r, dest); err != nil {
				t.Fatal(err)
			}
			if got := listing(t, dest); got["file"] != "-rw-r--r-- one" {
				t.Errorf("%v", got)
			}
		})
	}
}

// What a killed git leaves behind must not be in the way of the next one for good.
func TestGitLocksOfTheDead(t *testing.T) {
	dir, commits := repo(t, "one", "two")
	f := newFetcher(t)
	from := Git{URL: "https://example.invalid/x.git", Commit: commits[0]}
	store := f.repository(from.URL)
	for _, left := range []string{"config.lock", "shallow.lock", "HEAD.lock", "packed-refs.lock", "refs/redox-clif/" + commits[1] + ".lock"} {
		write(t, filepath.Join(store, left), "", 0o600)
	}
	for _, from.Commit = range commits {
		if err := f.fetchGit(t.Context(), from, dir); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(store, "config.lock"), "", 0o600)
		write(t, filepath.Join(store, "refs/redox-clif", commits[1]+".lock"), "", 0o600)
	}
}

func TestTwoFetchesAtOnce(t *testing.T) {
	dir, commits := repo(t, "one")
	store := t.TempDir()
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		wg.Go(func() {
			f := &Fetcher{Store: store, Git: git.Git{Env: testEnv()}}
			errs[i] = f.Fetch(context.Background(), &Resolved{Source: Git{URL: dir, Commit: commits[0]}, FetchURL: dir})
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

package git

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// configured is the program with a configuration of the test's own.
func configured(t *testing.T, config string) Git {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	return Git{Env: append(os.Environ(), "GIT_CONFIG_GLOBAL="+file, "GIT_CONFIG_NOSYSTEM=1")}
}

func TestABareRepositoryIsNamedNotFound(t *testing.T) {
	g := configured(t, "[safe]\n\tbareRepository = explicit\n")
	repo := filepath.Join(t.TempDir(), "x.git")
	if _, err := g.Run(t.Context(), "", "init", "--quiet", "--bare", repo); err != nil {
		t.Fatal(err)
	}
	if out, err := g.Run(t.Context(), repo, "rev-parse", "--is-bare-repository"); out != "true" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	// The test can fail: left to find it, this git refuses.
	found := exec.Command("git", "rev-parse")
	found.Dir, found.Env = repo, g.Env
	if found.Run() == nil {
		t.Log("this git knows no safe.bareRepository, so that nothing was shown")
	}
}

func TestTheRepositoryAroundHasNoSay(t *testing.T) {
	around := t.TempDir()
	g := configured(t, "")
	if _, err := g.Run(t.Context(), "", "init", "--quiet", around); err != nil {
		t.Fatal(err)
	}
	t.Chdir(around)
	g.Env = append(g.Env, "GIT_DIR="+around+"/.git", "GIT_INDEX_FILE=x", "GIT_SSH_COMMAND=kept")
	if out, err := g.Run(t.Context(), "", "rev-parse", "--git-dir"); err == nil {
		t.Errorf("found %s", out)
	}
	if env := g.Command(t.Context(), "").Env; !slices.Contains(env, "GIT_SSH_COMMAND=kept") || slices.Contains(env, "GIT_INDEX_FILE=x") {
		t.Errorf("%q", env)
	}
}

func TestSettingsComeAfterTheUsers(t *testing.T) {
	env := []string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=a.b", "GIT_CONFIG_VALUE_0=users", "A=b"}
	env = WithSettings(env, Setting{"safe.bareRepository", "all"}, Setting{"a.b", "ours"})
	g := Git{Env: append(os.Environ(), env...)}
	out, err := g.Run(t.Context(), "", "config", "--get-all", "a.b")
	if err != nil || out != "users\nours" {
		t.Errorf("%q, %v", out, err)
	}
	if got := WithSettings(nil, Setting{"a.b", "c"}); !cmp.Equal(got, []string{"GIT_CONFIG_KEY_0=a.b", "GIT_CONFIG_VALUE_0=c", "GIT_CONFIG_COUNT=1"}) {
		t.Errorf("%q", got)
	}
}

func TestAnErrorKeepsTheCauseAndTheRemedy(t *testing.T) {
	for name, test := range map[string]struct {
		message string
		want    string
	}{
		"dubious ownership": {
			"fatal: detected dubious ownership in repository at '/r'\nTo add an exception for this directory, call:\n\n\tgit config --global --add safe.directory /r\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n",
			"detected dubious ownership in repository at '/r'\n    To add an exception for this directory, call:\n    git config --global --add safe.directory /r",
		},
		"a key that is not known": {
			"git@h: Permission denied (publickey).\nfatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n",
			"git@h: Permission denied (publickey).",
		},
		"the other side's words": {
			"remote: \nremote: The project you were looking for could not be found.\nfatal: Could not read from remote repository.\n",
			"remote: The project you were looking for could not be found.",
		},
		"a partial clone": {
			"fatal: could not fetch 1234 from promisor remote\nwarning: lazy fetching disabled; some objects may not be available\nerror: git upload-pack: git-pack-objects died with error.\nfatal: early EOF\n",
			"could not fetch 1234 from promisor remote\n    warning: lazy fetching disabled; some objects may not be available\n    git upload-pack: git-pack-objects died with error.",
		},
		"nothing but the generic": {"fatal: Could not read from remote repository.\n", "Could not read from remote repository."},
		"advice":                  {"error: x\nhint: do y\nhint:\nhint: or z\n", "x\n    do y\n    or z"},
	} {
		if diff := cmp.Diff(test.want, Explanation(test.message)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	if long := Explanation(strings.Repeat("line\n", 1000)); strings.Count(long, "\n") != maxLines {
		t.Errorf("%d lines", strings.Count(long, "\n"))
	}
	var failed *Error
	_, err := Git{}.Run(t.Context(), t.TempDir(), "rev-parse", "HEAD")
	if !errors.As(err, &failed) || failed.Command != "rev-parse" || !strings.HasPrefix(err.Error(), "git rev-parse: not a git repository") {
		t.Errorf("%v", err)
	}
}

func TestABoundLeavesWhatIsThere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache", "work")
	for range 2 {
		if err := Bound(dir); err != nil {
			t.Fatal(err)
		}
	}
	own := t.TempDir()
	if _, err := (Git{}).Run(t.Context(), "", "init", "--quiet", own); err != nil {
		t.Fatal(err)
	}
	if err := Bound(own); err != nil {
		t.Fatal(err)
	}
	if _, err := (Git{}).Run(t.Context(), filepath.Join(own, ".git"), "rev-parse", "--git-dir"); err != nil {
		t.Errorf("a repository was made none: %v", err)
	}
}

// A bound is in a cache: what has come in its place ends no search.
func TestABoundIsMadeAgain(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"an empty folder": func(path string) error { return os.Mkdir(path, 0o755) },
		"a dangling link": func(path string) error { return os.Symlink("nowhere", path) },
		"a pipe":          func(path string) error { return syscall.Mkfifo(path, 0o644) },
	} {
		dir := t.TempDir()
		if err := put(filepath.Join(dir, ".git")); err != nil {
			t.Fatal(err)
		}
		if err := Bound(dir); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if info, err := os.Lstat(filepath.Join(dir, ".git")); err != nil || info.Size() != int64(len(boundaryText)) || !info.Mode().IsRegular() {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}
